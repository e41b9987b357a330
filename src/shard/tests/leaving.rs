//! A node that left a group lets go of everything but its vote; and may come back as a learner.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openraft::entry::RaftEntry;
use openraft::raft::AppendEntriesRequest;
use openraft::{Membership, ServerState};

use super::cluster::*;
use super::support::*;
use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;
use crate::shard::types::{CommittedLeader, Entry, LogId, Node};
use crate::shard::{ChangeError, Leave};

const SHARD: ShardId = ShardId(0);

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_emptied_keeps_its_vote_and_can_be_filled_again() {
    let folder = tempfile::tempdir().unwrap();
    for data_dir in [None, Some(folder.path())] {
        let mut cluster = Cluster::full(2, data_dir).await;
        let name = user_of(&cluster.node(1).shards, SHARD);
        for number in 0..2_000 {
            cluster.propose(publish(&name, &format!("e{}", number % 200))).await;
        }
        cluster.settle(SHARD).await;
        let stays = cluster.owner(SHARD).await.id;
        let leaves = NodeId(3 - stays.0);
        assert_eq!(cluster.node(stays.0).shards.wipe(SHARD, Leave { last_change: 0, owner_index: 0 }).await, Err(ChangeError::Leads));
        cluster.change("one leaves", SHARD, async |leader| leader.shards.set_voters(SHARD, &[stays]).await).await;

        let vote = cluster.node(leaves.0).group(SHARD).core.log.vote();
        assert!(vote.is_some());
        let last_change = cluster.node(leaves.0).shards.last_change(SHARD).expect("it holds something");
        assert_eq!(
            cluster.node(leaves.0).shards.wipe(SHARD, Leave { last_change: last_change + 1, owner_index: 0 }).await,
            Err(ChangeError::Busy),
            "another change has come"
        );
        cluster.node(leaves.0).shards.wipe(SHARD, Leave { last_change, owner_index: 0 }).await.unwrap();
        let wiped = cluster.node(leaves.0).group(SHARD);
        assert_eq!((wiped.core.log.vote(), wiped.core.log.kept().is_empty(), wiped.core.members()), (vote, true, None));
        assert!(cluster.node(leaves.0).outcomes(SHARD).is_empty());
        assert_eq!(
            cluster.node(leaves.0).shards.wipe(SHARD, Leave { last_change: 0, owner_index: 0 }).await,
            Ok(()),
            "again, there is nothing to do"
        );
        drop(wiped);

        if data_dir.is_some() {
            cluster.restart(leaves).await;
            let wiped = cluster.node(leaves.0).group(SHARD);
            assert_eq!((wiped.core.log.vote(), wiped.core.log.kept().is_empty()), (vote, true));
        }
        cluster.propose(publish(&name, "meanwhile")).await;
        cluster.widen(SHARD).await;
        cluster.settle(SHARD).await;
        assert_eq!(cluster.node(leaves.0).outcomes(SHARD), cluster.node(stays.0).outcomes(SHARD));
        cluster.stop().await;
    }
}

/// Found by the simulation, seed 84: a founder that was emptied and added again read first that it is the only voter, elected itself, and what the others had was truncated.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_left_does_not_elect_itself_as_it_reads_how_the_group_began() {
    const LONG: Duration = Duration::from_secs(2);
    let (founder, other) = (NodeId(1), NodeId(2));
    let cluster = Cluster::full(2, None).await;
    cluster.settle(SHARD).await;
    if cluster.owner(SHARD).await.id == founder {
        cluster.change("the other leads", SHARD, async |leader| leader.shards.transfer(SHARD, other).await).await;
    }
    cluster.owner(SHARD).await;
    cluster.change("the founder leaves", SHARD, async |leader| leader.shards.set_voters(SHARD, &[other]).await).await;
    cluster.owner(SHARD).await;
    let last_change = cluster.node(founder.0).shards.last_change(SHARD).expect("it holds something");
    let owner_index = cluster.node(other.0).shards.members(SHARD).expect("it leads").applied_index;
    cluster.node(founder.0).shards.wipe(SHARD, Leave { last_change, owner_index }).await.unwrap();

    let group = cluster.node(founder.0).group(SHARD);
    assert_eq!(group.core.left.far().map(|far| far.index), Some(owner_index));
    let alone = Membership::new(vec![BTreeSet::from([founder.0])], BTreeMap::from([(founder.0, Node::default())])).unwrap();
    let first = Entry::new_membership(LogId::new(CommittedLeader::new(0), 0), alone);
    let vote = cluster.node(other.0).group(SHARD).core.log.vote().expect("it leads");
    let begun = AppendEntriesRequest { vote, prev_log_id: None, entries: vec![first], leader_commit: None };
    group.core.raft.append_entries(begun).await.unwrap();
    let leads = async || group.core.raft.wait(Some(LONG)).state(ServerState::Leader, "it leads").await;
    assert!(leads().await.is_err(), "it has elected itself");
    // Which is what it would do.
    group.core.raft.runtime_config().elect(true);
    assert!(leads().await.is_ok());
    cluster.stop().await;
}

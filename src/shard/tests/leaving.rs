//! A node that left a group lets go of everything but its vote; and may come back as a learner.

use super::cluster::*;
use super::support::*;
use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;
use crate::shard::ChangeError;
use crate::shard::Leave;

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

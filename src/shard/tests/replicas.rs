//! Replicas: a group grows and shrinks while it serves, and all of its members hold the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::cluster::*;
use super::support::*;
use crate::ledger::ids::ShardId;
use crate::ports::ProposeError;
use crate::ports::peers::NodeId;
use crate::shard::wire::Kind;
use crate::shard::{ChangeError, ShardsConfig};

const SHARD: ShardId = ShardId(0);

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_one_grows_to_three_and_shrinks_again_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for data_dir in [None, Some(folder.path())] {
        let cluster = Cluster::start(3, data_dir, |_| ()).await;
        let name = user_of(&cluster.node(1).shards, SHARD);
        cluster.propose(publish(&name, "e0")).await;
        cluster.widen(SHARD).await;
        for number in 1..50 {
            cluster.propose(publish(&name, &format!("e{number}"))).await;
        }
        cluster.settle(SHARD).await;
        assert!(cluster.nodes.iter().all(|node| node.held(SHARD, &name).len() == 50));
        assert_eq!(cluster.node(2).outcomes(SHARD), cluster.node(1).outcomes(SHARD));
        assert_eq!(cluster.node(3).outcomes(SHARD), cluster.node(1).outcomes(SHARD));
        let states = [1, 2, 3].map(|id| cluster.node(id).shards.state_hash(SHARD).expect("nothing is being applied"));
        assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
        assert_eq!(cluster.node(1).shards.state_hashes().await.unwrap()[0], states[0]);

        let owner = cluster.owner(SHARD).await.id;
        let last = if owner == NodeId(3) { NodeId(2) } else { NodeId(3) };
        cluster.change("another leads", SHARD, async |leader| leader.shards.transfer(SHARD, last).await).await;
        cluster.change("one is left", SHARD, async |leader| leader.shards.set_voters(SHARD, &[last]).await).await;
        // What is told of the members follows the change.
        eventually("one is left, and settled", async || {
            let members = cluster.node(last.0).members(SHARD);
            (members.voters, members.learners, members.is_settled) == (vec![last], Vec::new(), true)
        })
        .await;
        cluster.propose(publish(&name, "last")).await;
        assert_eq!(cluster.node(last.0).held(SHARD, &name).len(), 51);
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_made_already_is_no_error_and_one_that_makes_no_sense_says_why() {
    let cluster = Cluster::full(3, None).await;
    let leader = cluster.owner(SHARD).await;
    let all = [NodeId(1), NodeId(2), NodeId(3)];
    assert_eq!(leader.shards.set_voters(SHARD, &all).await, Ok(()));
    assert_eq!(leader.shards.add_learner(SHARD, NodeId(2), "n2").await, Ok(()));
    assert_eq!(leader.shards.remove_learner(SHARD, NodeId(9)).await, Ok(()));
    assert_eq!(leader.shards.transfer(SHARD, leader.id).await, Ok(()));
    let another = all.into_iter().find(|id| *id != leader.id).unwrap();
    assert_eq!(leader.shards.remove_learner(SHARD, another).await, Err(ChangeError::Voter { node: another }));
    assert_eq!(leader.shards.set_voters(SHARD, &[leader.id, NodeId(9)]).await, Err(ChangeError::NotMember { node: NodeId(9) }));
    assert_eq!(leader.shards.set_voters(SHARD, &[another]).await, Err(ChangeError::Leads));
    assert_eq!(leader.shards.set_voters(SHARD, &[]).await, Err(ChangeError::NoVoters));
    let error = cluster.node(another.0).shards.set_voters(SHARD, &all).await.unwrap_err();
    assert_eq!(error, ChangeError::NotLeader { leader: Some(leader.id) });
    assert_eq!(leader.shards.set_voters(ShardId(99), &all).await, Err(ChangeError::NoGroup));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_that_cannot_be_reached_does_not_become_a_voter() {
    let cluster = Cluster::start(2, None, |_| ()).await;
    cluster.net.cut_off(NodeId(2));
    cluster.change("it is added", SHARD, async |leader| leader.shards.add_learner(SHARD, NodeId(2), "n2").await).await;
    let leader = &cluster.node(1).shards;
    assert_eq!(leader.set_voters(SHARD, &[NodeId(1), NodeId(2)]).await, Err(ChangeError::Lagging { node: NodeId(2) }));
    cluster.propose(publish(&user_of(leader, SHARD), "still served")).await;
    cluster.net.heal();
    cluster.change("both vote", SHARD, async |leader| leader.shards.set_voters(SHARD, &[NodeId(1), NodeId(2)]).await).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_no_member_owns_nothing_and_takes_nothing() {
    let cluster = Cluster::start(2, None, |_| ()).await;
    let stranger = &cluster.node(2).shards;
    let name = user_of(stranger, SHARD);
    assert_eq!(try_propose(stranger, publish(&name, "nps")).await, Err(ProposeError::Unavailable));
    assert!(stranger.ownership().is_empty());
    assert_eq!((stranger.state_hash(SHARD), stranger.state_hashes().await), (None, Ok(Vec::new())));
    assert_eq!((stranger.members(SHARD), stranger.leader_hint(SHARD), stranger.newest_term(SHARD)), (None, None, 0));
    assert!(stranger.wait_until_led(Duration::from_millis(50)).await.is_err());
    cluster.stop().await;
}

fn short_logs(config: &mut ShardsConfig) {
    config.tuning.snapshot_log_bytes = 64 * 1024;
    config.tuning.keep_log_bytes = 0;
    config.tuning.keep_log_entries = 1;
}

/// Publishes until the beginning of the log is gone.
async fn outgrow_the_log(cluster: &Cluster, name: &str) {
    let mut number = 0;
    eventually("the log is purged", async || {
        for _ in 0..200 {
            number += 1;
            cluster.propose(publish(name, &format!("e{number}"))).await;
        }
        cluster.node(1).group(SHARD).core.log.purged().is_some()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_learner_that_is_far_behind_gets_a_snapshot_and_then_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    for data_dir in [None, Some(folder.path())] {
        let cluster = Cluster::start(2, data_dir, short_logs).await;
        let name = user_of(&cluster.node(1).shards, SHARD);
        outgrow_the_log(&cluster, &name).await;
        cluster.change("it is added", SHARD, async |leader| leader.shards.add_learner(SHARD, NodeId(2), "n2").await).await;
        cluster.settle(SHARD).await;
        assert!(cluster.node(2).group(SHARD).status().snapshot_index > 0, "it came by the log: the test checked nothing");
        assert_eq!(cluster.node(2).outcomes(SHARD), cluster.node(1).outcomes(SHARD));
        cluster.propose(publish(&name, "after it")).await;
        cluster.settle(SHARD).await;
        assert_eq!(cluster.node(2).outcomes(SHARD), cluster.node(1).outcomes(SHARD));
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_which_a_part_got_lost_is_sent_again() {
    let cluster = Cluster::start(2, None, short_logs).await;
    let name = user_of(&cluster.node(1).shards, SHARD);
    outgrow_the_log(&cluster, &name).await;
    let lost = Arc::new(AtomicUsize::new(0));
    let counter = lost.clone();
    cluster.net.lose(move |body| body[3] == Kind::SnapshotChunk as u8 && counter.fetch_add(1, Ordering::SeqCst) == 0);
    cluster.change("it is added", SHARD, async |leader| leader.shards.add_learner(SHARD, NodeId(2), "n2").await).await;
    cluster.settle(SHARD).await;
    assert!(lost.load(Ordering::SeqCst) > 1, "nothing got lost: the test checked nothing");
    assert_eq!(cluster.node(2).outcomes(SHARD), cluster.node(1).outcomes(SHARD));
    cluster.stop().await;
}

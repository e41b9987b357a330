//! Failover: what was confirmed outlives the leader; nobody owns a shard twice; and who is cut off can tell.

use std::time::Duration;

use tokio::sync::oneshot;

use super::cluster::*;
use super::support::*;
use crate::ledger::Applied;
use crate::ledger::ids::{EdgeId, ShardId};
use crate::ledger::reply::{PublishReply, Reply};
use crate::ports::{Propose, ProposeError, Read};

const SHARD: ShardId = ShardId(0);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_outlives_the_leader_and_all_replicas_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for data_dir in [None, Some(folder.path())] {
        let cluster = Cluster::full(3, data_dir).await;
        let name = user_of(&cluster.node(1).shards, SHARD);
        for round in 0..3 {
            let leader = cluster.owner(SHARD).await;
            for number in 0..20 {
                cluster.propose(publish(&name, &format!("e{round}-{number}"))).await;
            }
            // What is under way when it is cut off may or may not come to be.
            let under_way = publish(&name, &format!("unknown{round}"));
            leader.shards.propose(under_way, Box::new(drop));
            cluster.net.cut_off(leader.id);
            eventually("another one owns the shard", async || {
                let others = cluster.nodes.iter().filter(|node| node.id != leader.id);
                others.flat_map(|node| node.shards.ownership()).any(|owned| owned.shard == SHARD && owned.quorum_age_ms < 200)
            })
            .await;
            for number in 0..20 {
                let applied = cluster.propose(publish(&name, &format!("e{round}-{number}"))).await;
                assert!(matches!(applied.reply, Reply::Publish(PublishReply::Duplicate { .. })), "e{round}-{number} is lost");
            }
            cluster.net.heal();
            cluster.settle(SHARD).await;
        }
        let outcomes = cluster.node(1).outcomes(SHARD);
        assert!(cluster.nodes.iter().all(|node| node.outcomes(SHARD) == outcomes), "replicas have decided differently");
        cluster.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_ceases_to_own_a_shard_before_it_owns_it_again() {
    let cluster = Cluster::full(3, None).await;
    for _ in 0..4 {
        let leader = cluster.owner(SHARD).await;
        cluster.net.cut_off(leader.id);
        eventually("another one owns the shard", async || cluster.owner(SHARD).await.id != leader.id).await;
        cluster.net.heal();
        cluster.settle(SHARD).await;
    }
    let mut reigns = 0;
    for node in &cluster.nodes {
        let told = node.ear.0.lock().unwrap().clone();
        let mut owned = None;
        let mut last = 0;
        for told in told {
            match told {
                Told::Owned(SHARD, term) => {
                    assert_eq!(owned.replace(term), None, "term {term} began before the one before ended");
                    assert!(term > last, "term {term} came after {last}");
                    last = term;
                    reigns += 1;
                }
                Told::Disowned(SHARD) => assert!(owned.take().is_some(), "it ended twice"),
                _ => {}
            }
        }
    }
    assert!(reigns >= 5, "{reigns} reigns: the test checked nothing");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_is_cut_off_sees_its_majority_grow_old_and_confirms_nothing() {
    let cluster = Cluster::full(3, None).await;
    let leader = cluster.owner(SHARD).await;
    let name = user_of(&leader.shards, SHARD);
    cluster.net.cut_off(leader.id);
    let age = || leader.shards.ownership().iter().find(|owned| owned.shard == SHARD).map(|owned| owned.quorum_age_ms);
    eventually("its majority is old", async || age().is_none_or(|age_ms| age_ms > 1_500)).await;
    let answer = try_propose(&leader.shards, publish(&name, "nps")).await;
    assert!(matches!(answer, Err(ProposeError::Unavailable | ProposeError::Unknown)), "{answer:?}");
    assert!(leader.shards.user(&user(&name)).await.is_err(), "who is cut off must not read");
    let other = cluster.nodes.iter().find(|node| node.id != leader.id).unwrap();
    assert!(other.shards.newest_term(SHARD) > leader.shards.newest_term(SHARD));
    cluster.net.heal();
    eventually("it knows", async || leader.shards.newest_term(SHARD) == other.shards.newest_term(SHARD)).await;
    cluster.stop().await;
}

/// Waits until a node that is not this one owns the shard.
async fn another_owns(cluster: &Cluster, leader: &TestNode) {
    eventually("another one owns the shard", async || cluster.owner(SHARD).await.id != leader.id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_was_not_committed_nobody_is_told_and_its_caller_learns_that_it_is_not_known() {
    let cluster = Cluster::full(3, None).await;
    let name = user_of(&cluster.node(1).shards, SHARD);
    cluster.propose(attach(&name, EdgeId(7))).await;
    let mut was_taken = false;
    // A leader that was cut off too early to take the command refuses it, which is as good, and shows nothing.
    for round in 0..5 {
        let leader = cluster.owner(SHARD).await;
        let told = || leader.ear.0.lock().unwrap().iter().filter(|told| **told == Told::Effects).count();
        let last_index = || leader.members(SHARD).last_index;
        let (told_before, index_before) = (told(), last_index());
        let (sender, receiver) = oneshot::channel();
        cluster.net.cut_off(leader.id);
        // It would be offered to the device at once.
        let done = move |result: Result<Applied, ProposeError>| sender.send(result.map(drop)).unwrap_or_default();
        leader.shards.propose(publish(&name, &format!("e{round}")), Box::new(done));
        another_owns(&cluster, leader).await;
        was_taken = last_index() > index_before;
        assert_eq!(told(), told_before, "an offer was told that nobody decided");
        cluster.net.heal();
        let result = tokio::time::timeout(Duration::from_secs(30), receiver).await.expect("it is answered").unwrap();
        cluster.settle(SHARD).await;
        if was_taken {
            assert_eq!(result, Err(ProposeError::Unknown), "it was in a log, and might have been committed");
            break;
        }
        assert!(result.is_err(), "{result:?}");
    }
    assert!(was_taken, "no command got into a log: the test checked nothing");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_a_shard_takes_nothing_and_with_one_it_goes_on() {
    let cluster = Cluster::full(3, None).await;
    let leader = cluster.owner(SHARD).await;
    let name = user_of(&leader.shards, SHARD);
    for node in cluster.nodes.iter().filter(|node| node.id != leader.id) {
        cluster.net.cut_off(node.id);
    }
    assert!(try_propose(&leader.shards, publish(&name, "nps")).await.is_err());
    for node in &cluster.nodes {
        assert!(tokio::time::timeout(Duration::from_secs(6), node.shards.user(&user(&name))).await.unwrap().is_err());
    }
    cluster.net.heal();
    cluster.propose(publish(&name, "another")).await;
    cluster.settle(SHARD).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_again_together_know_everything() {
    let folder = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::full(3, Some(folder.path())).await;
    let name = user_of(&cluster.node(1).shards, SHARD);
    for number in 0..30 {
        cluster.propose(publish(&name, &format!("e{number}"))).await;
    }
    for node in [1, 2, 3] {
        cluster.restart(crate::ports::peers::NodeId(node)).await;
    }
    cluster.propose(publish(&name, "after it")).await;
    cluster.settle(SHARD).await;
    assert!(cluster.nodes.iter().all(|node| node.held(SHARD, &name).len() == 31));
    cluster.stop().await;
}

//! Planned changes of the leader: quick, to somebody who is ready, and leaving no command's fate unknown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::cluster::*;
use super::support::*;
use crate::clock;
use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;
use crate::ports::{Propose, ProposeError};
use crate::shard::wire::Kind;
use crate::shard::{ChangeError, Shards};

const SHARD: ShardId = ShardId(0);

/// What became of commands that are proposed without end.
#[derive(Default)]
struct Fates {
    applied: AtomicUsize,
    refused: AtomicUsize,
    unknown: AtomicUsize,
    is_over: AtomicBool,
}

/// Publishes one thing after the other; whoever is asked.
fn publish_on(shards: Arc<Shards>, name: String, number: usize, fates: Arc<Fates>) {
    if fates.is_over.load(Ordering::SeqCst) {
        return;
    }
    let command = publish(&name, &format!("e{}", number % 100));
    let next = shards.clone();
    let done = move |result: Result<_, _>| {
        let fate = match result {
            Ok(_) => &fates.applied,
            Err(ProposeError::Unavailable) => &fates.refused,
            Err(ProposeError::Unknown) => &fates.unknown,
        };
        fate.fetch_add(1, Ordering::SeqCst);
        let is_refused = matches!(result, Err(ProposeError::Unavailable));
        tokio::spawn(async move {
            if is_refused {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            publish_on(next, name, number + 1, fates);
        });
    };
    shards.propose(command, Box::new(done));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_is_quick_and_no_command_is_left_unknown() {
    let cluster = Cluster::full(3, None).await;
    let name = user_of(&cluster.node(1).shards, SHARD);
    let fates = Arc::new(Fates::default());
    for node in &cluster.nodes {
        for _ in 0..4 {
            publish_on(node.shards.clone(), name.clone(), 0, fates.clone());
        }
    }
    let mut times_ms = Vec::new();
    eventually("ten transfers are made", async || {
        let leader = cluster.owner(SHARD).await;
        let to = cluster.nodes.iter().map(|node| node.id).find(|id| *id != leader.id).unwrap();
        let unknown_before = fates.unknown.load(Ordering::SeqCst);
        let started = clock::monotonic_ms();
        let result = leader.shards.transfer(SHARD, to).await;
        if result.is_ok() {
            times_ms.push(clock::monotonic_ms() - started);
            assert_eq!(fates.unknown.load(Ordering::SeqCst), unknown_before);
        }
        times_ms.len() == 10
    })
    .await;
    fates.is_over.store(true, Ordering::SeqCst);
    times_ms.sort_unstable();
    println!("transfers took {times_ms:?} ms");
    assert!(times_ms[4] < 100, "{times_ms:?}");
    assert!(fates.applied.load(Ordering::SeqCst) > 0 && fates.refused.load(Ordering::SeqCst) > 0, "the test checked nothing");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voter_that_has_not_answered_lately_is_not_given_the_lead() {
    let cluster = Cluster::full(3, None).await;
    let leader = cluster.owner(SHARD).await;
    let to = cluster.nodes.iter().map(|node| node.id).find(|id| *id != leader.id).unwrap();
    cluster.net.cut_off(to);
    eventually("it is refused", async || leader.shards.transfer(SHARD, to).await == Err(ChangeError::Lagging { node: to })).await;
    let name = user_of(&leader.shards, SHARD);
    assert!(try_propose(&leader.shards, publish(&name, "nps")).await.is_ok(), "the leader leads on");
    assert_eq!(leader.shards.transfer(SHARD, NodeId(9)).await, Err(ChangeError::NotMember { node: NodeId(9) }));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_is_not_taken_is_led_on_soon() {
    let cluster = Cluster::full(3, None).await;
    let leader = cluster.owner(SHARD).await;
    let to = cluster.nodes.iter().map(|node| node.id).find(|id| *id != leader.id).unwrap();
    cluster.net.lose(|body| body[3] == Kind::TransferLeader as u8);
    let started = clock::monotonic_ms();
    let error = leader.shards.transfer(SHARD, to).await.unwrap_err();
    assert!(matches!(error, ChangeError::NotTaken { .. }), "{error}");
    cluster.net.heal();
    let name = user_of(&leader.shards, SHARD);
    cluster.propose(publish(&name, "nps")).await;
    println!("served again after {} ms", clock::monotonic_ms() - started);
    cluster.settle(SHARD).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_about_to_stop_hands_all_over() {
    let cluster = Cluster::full(3, None).await;
    cluster.widen_meta().await;
    let leader = cluster.owner(SHARD).await;
    let started = clock::monotonic_ms();
    let remaining = leader.shards.hand_over_all(Duration::from_secs(10), |_| 0).await;
    println!("all handed over after {} ms", clock::monotonic_ms() - started);
    assert_eq!(remaining, 0);
    assert!(leader.shards.ownership().is_empty());
    assert!(!leader.shards.meta().is_leader());
    let name = user_of(&leader.shards, SHARD);
    cluster.propose(publish(&name, "nps")).await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_alone_has_nobody_to_hand_over_to() {
    let cluster = Cluster::start(1, None, |_| ()).await;
    assert_eq!(cluster.node(1).shards.hand_over_all(Duration::from_secs(1), |_| 0).await, 0);
    assert_eq!(cluster.node(1).shards.ownership().len(), 2);
    cluster.stop().await;
}

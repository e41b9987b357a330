//! The meta group: commands of which only the bytes are known are applied by all nodes alike, and outlive leaders and restarts.

use std::time::Duration;

use bytes::Bytes;

use super::cluster::*;
use super::support::*;
use crate::ports::ProposeError;
use crate::ports::peers::NodeId;

const TIMEOUT: Duration = Duration::from_secs(5);

impl Cluster {
    /// The node that leads the meta group.
    pub async fn meta_leader(&self) -> &TestNode {
        let mut found = None;
        eventually("somebody leads the meta group", async || {
            for node in &self.nodes {
                if node.shards.meta().is_leader() && node.shards.meta().linearize(Duration::from_millis(500)).await.is_ok() {
                    found = Some(node.id);
                }
            }
            found.is_some()
        })
        .await;
        self.node(found.unwrap().0)
    }

    /// Makes all nodes voters of the meta group.
    pub async fn widen_meta(&self) {
        let all: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
        eventually("all vote", async || {
            let leader = self.meta_leader().await.shards.meta();
            for id in &all {
                if leader.add_learner(*id, &format!("n{id}")).await.is_err() {
                    return false;
                }
            }
            leader.set_voters(&all).await.is_ok()
        })
        .await;
    }

    async fn say(&self, word: &'static str) -> Bytes {
        let mut reply = None;
        eventually("it is said", async || {
            reply = self.meta_leader().await.shards.meta().propose(Bytes::from_static(word.as_bytes()), TIMEOUT).await.ok();
            reply.is_some()
        })
        .await;
        reply.unwrap()
    }

    async fn all_have_heard(&self, words: &str) {
        eventually("all have heard it", async || self.nodes.iter().all(|node| *node.words.0.lock().unwrap() == words.as_bytes())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_applied_by_all_and_outlive_the_leader() {
    let cluster = Cluster::start(3, None, |_| ()).await;
    assert_eq!(cluster.say("one ").await, "4");
    cluster.widen_meta().await;
    cluster.say("two ").await;
    cluster.all_have_heard("one two ").await;
    let leader = cluster.meta_leader().await;
    let other = cluster.nodes.iter().find(|node| node.id != leader.id).unwrap();
    let refused = other.shards.meta().propose(Bytes::from_static(b"not here"), TIMEOUT).await;
    assert_eq!(refused, Err(ProposeError::Unavailable));
    assert_eq!(other.shards.meta().leader(), Some(leader.id));
    assert!(other.shards.meta().linearize(TIMEOUT).await.is_err());

    let mut led = leader.shards.meta().leading();
    cluster.net.cut_off(leader.id);
    eventually("another one leads", async || cluster.meta_leader().await.id != leader.id).await;
    cluster.say("three ").await;
    cluster.net.heal();
    led.wait_for(Option::is_none).await.unwrap();
    cluster.all_have_heard("one two three ").await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_comes_back_from_the_disk_and_goes_over_in_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let tune = |config: &mut crate::shard::ShardsConfig| {
        config.tuning.snapshot_log_bytes = 1_000;
        config.tuning.keep_log_bytes = 0;
        config.tuning.keep_log_entries = 1;
    };
    let mut cluster = Cluster::start(2, Some(folder.path()), tune).await;
    let mut words = String::new();
    eventually("the log is purged", async || {
        for _ in 0..20 {
            cluster.say("a word of some length ").await;
            words.push_str("a word of some length ");
        }
        cluster.node(1).shards.meta().core.log.purged().is_some()
    })
    .await;
    cluster.restart(NodeId(1)).await;
    cluster.node(1).shards.wait_until_led(Duration::from_secs(30)).await.unwrap();
    cluster.say("after a restart ").await;
    words.push_str("after a restart ");
    cluster.widen_meta().await;
    cluster.all_have_heard(&words).await;
    assert!(cluster.node(2).shards.meta().core.snapshots.current_meta().is_some(), "it came by the log: the test checked nothing");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_counts_as_one_when_an_entry_of_its_term_is_applied() {
    let cluster = Cluster::start(1, None, |_| ()).await;
    let meta = cluster.node(1).shards.meta();
    let term = *meta.leading().borrow();
    assert_eq!(term, meta.members().map(|members| members.term));
    assert!(*meta.applied().borrow() > 0);
    cluster.stop().await;
}

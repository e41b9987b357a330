//! What a node still knows when it starts again: everything that it answered.

use super::support::*;
use crate::ledger::ids::EdgeId;
use crate::ledger::reply::{PublishReply, Reply};
use crate::ports::Read;
use crate::shard::ShardError;

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_node_knows_everything_that_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let users: Vec<String> = (0..50).map(|number| format!("u{number}")).collect();
    let mut before = None;
    for round in 0..3 {
        let shards = start(config(Some(folder.path()))).await.unwrap();
        if let Some(before) = &before {
            assert_eq!(&all_of(&shards, &users).await, before);
        }
        for name in &users {
            propose(&shards, publish(name, &format!("e{round}"))).await.unwrap();
        }
        before = Some(all_of(&shards, &users).await);
        let again = propose(&shards, publish("u1", "e0")).await.unwrap();
        assert!(matches!(again.reply, Reply::Publish(PublishReply::Duplicate { .. })));
        shards.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ledger_time_goes_on_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut last = 0;
    for _ in 0..2 {
        let shards = start(config(Some(folder.path()))).await.unwrap();
        let at = propose(&shards, publish("ann", "nps")).await.unwrap().at.0;
        assert!(at >= last);
        last = at;
        shards.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_an_earlier_run_get_a_lease() {
    let folder = tempfile::tempdir().unwrap();
    let shards = start(config(Some(folder.path()))).await.unwrap();
    propose(&shards, attach("ann", EdgeId(7))).await.unwrap();
    propose(&shards, publish("ann", "nps")).await.unwrap();
    let device = shards.user(&user("ann")).await.unwrap().unwrap().devices.remove(0);
    assert_eq!(device.lease_until, None);
    shards.stop().await;

    let shards = start(config(Some(folder.path()))).await.unwrap();
    let device = shards.user(&user("ann")).await.unwrap().unwrap().devices.remove(0);
    assert!(device.lease_until.is_some());
    shards.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_serves_one_process_and_one_shard_count() {
    let folder = tempfile::tempdir().unwrap();
    let shards = start(config(Some(folder.path()))).await.unwrap();
    assert!(matches!(start(config(Some(folder.path()))).await, Err(ShardError::InUse { .. })));
    let cluster_id = shards.cluster_id().to_owned();
    shards.stop().await;

    let mut other = config(Some(folder.path()));
    other.shard_count = 4;
    assert!(matches!(start(other).await, Err(ShardError::ShardCount { stored: 2, configured: 4, .. })));
    let shards = start(config(Some(folder.path()))).await.unwrap();
    assert_eq!(shards.cluster_id(), cluster_id);
    shards.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_in_memory_is_a_new_one_at_every_start() {
    let first = start(config(None)).await.unwrap();
    let second = start(config(None)).await.unwrap();
    assert_ne!(first.cluster_id(), second.cluster_id());
    assert_ne!(first.node_uuid(), second.node_uuid());
    first.stop().await;
    second.stop().await;
}

//! Snapshots bound the log, and a start from a snapshot and the log behind it gives what was there before.

use super::support::*;
use crate::ports::Read;
use crate::shard::{Shards, ShardsConfig};

fn small(data_dir: Option<&std::path::Path>) -> ShardsConfig {
    let mut config = config(data_dir);
    config.tuning.snapshot_log_bytes = 256 * 1024;
    config.tuning.keep_log_bytes = 64 * 1024;
    config.tuning.tail_bytes_max = 16 * 1024;
    config
}

fn users() -> Vec<String> {
    (0..200).map(|number| format!("u{number}")).collect()
}

async fn publish_to_all(shards: &Shards, rounds: std::ops::Range<u32>) {
    for round in rounds {
        for name in users() {
            propose(shards, publish(&name, &format!("e{round}"))).await.unwrap();
        }
    }
}

async fn wait_for_snapshots(shards: &Shards) {
    eventually("both shards have a snapshot and a short log", async || {
        shards.status().iter().all(|shard| shard.snapshot_index > 0 && shard.log_bytes < 512 * 1024)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_from_snapshot_and_log_gives_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let shards = start(small(Some(folder.path()))).await.unwrap();
    publish_to_all(&shards, 0..40).await;
    wait_for_snapshots(&shards).await;
    publish_to_all(&shards, 40..45).await;
    let before = all_of(&shards, &users()).await;
    shards.stop().await;

    for _ in 0..2 {
        let shards = start(small(Some(folder.path()))).await.unwrap();
        assert!(shards.status().iter().all(|shard| shard.snapshot_index > 0 && shard.log_bytes < 1024 * 1024));
        assert_eq!(all_of(&shards, &users()).await, before);
        shards.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_snapshots_bound_the_log_too() {
    let shards = start(small(None)).await.unwrap();
    publish_to_all(&shards, 0..40).await;
    wait_for_snapshots(&shards).await;
    publish_to_all(&shards, 40..42).await;
    assert_eq!(shards.deliveries(&user("u7"), 0, 1_000).await.unwrap().len(), 42);
    shards.stop().await;
}

//! What is damaged is refused, with a word on where and what to do; a disk that fails ends the group.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::support::*;
use crate::ledger::ids::ShardId;
use crate::ports::Read;
use crate::ports::peers::NodeId;
use crate::shard::ShardError;
use crate::shard::alone::NoPeers;
use crate::shard::committer::{Committer, Request};
use crate::shard::disk::Disk;
use crate::shard::group::{Group, Life};
use crate::shard::log::LogDisk;
use crate::shard::raft_group::{Common, raft_config};
use crate::shard::store::{Loaded, LogStore, Write};
use crate::shard::types::Entry;

async fn filled(folder: &Path) {
    let mut config = config(Some(folder));
    config.tuning.snapshot_log_bytes = 32 * 1024;
    let shards = start(config).await.unwrap();
    for number in 0..500 {
        propose(&shards, publish(&format!("u{number}"), "nps")).await.unwrap();
    }
    eventually("both shards have a snapshot", async || shards.status().iter().all(|shard| shard.snapshot_index > 0)).await;
    shards.stop().await;
}

async fn refusal(folder: &Path) -> ShardError {
    match start(config(Some(folder))).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let path = folder.path().join("snapshots/1/snapshot");
    let length = std::fs::metadata(&path).unwrap().len() as usize;
    for position in [2, 5, 40, length / 2, length - 1] {
        flip(&path, position);
        let error = refusal(folder.path()).await;
        let (ShardError::SnapshotDamaged { path: named, .. } | ShardError::OtherVersion { path: named, .. }) = &error else {
            panic!("position {position}: {error}");
        };
        assert_eq!(*named, path, "position {position}: {error}");
        assert!(error.to_string().contains("hint: "), "{error}");
        flip(&path, position);
    }
    start(config(Some(folder.path()))).await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_snapshot_is_noticed_when_the_log_was_purged_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(Some(folder.path()));
    config.tuning.snapshot_log_bytes = 128 * 1024;
    config.tuning.keep_log_bytes = 0;
    let shards = start(config).await.unwrap();
    eventually("the log is purged", async || {
        for number in 0..500 {
            propose(&shards, publish(&format!("u{number}"), "nps")).await.unwrap();
        }
        shards.status().iter().all(|shard| shard.snapshot_index > 0 && shard.log_bytes < 128 * 1024)
    })
    .await;
    shards.stop().await;
    std::fs::remove_file(folder.path().join("snapshots/0/snapshot")).unwrap();
    let error = refusal(folder.path()).await;
    assert!(matches!(error, ShardError::SnapshotMissing { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bent_log_entry_is_refused_by_shard_and_index() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    Disk::open(&folder.path().join("log")).unwrap().bend_entry(ShardId(1), 9);
    let error = refusal(folder.path()).await.to_string();
    assert!(error.contains("entry 9 of shard 1") && error.contains("its checksum does not match") && error.contains("hint: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bit_that_flipped_in_the_log_file_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path()).await;
    let journal = journal(&folder.path().join("log"));
    let bytes = std::fs::read(&journal).unwrap();
    let marker = b"a payload to be found";
    let position = bytes.windows(marker.len()).position(|window| window == marker).unwrap();
    flip(&journal, position);
    let error = refusal(folder.path()).await;
    assert!(matches!(error, ShardError::Log { .. }), "{error}");
    assert!(error.to_string().contains("hint: "), "{error}");
}

/// A disk that fails when it is told to.
struct Failing {
    disk: Disk,
    is_failing: Arc<AtomicBool>,
}

impl LogStore for Failing {
    fn load(&self, shard: ShardId, keep_bytes: u64) -> Result<Loaded, ShardError> {
        self.disk.load(shard, keep_bytes)
    }

    fn write(&self, write: Write) -> Result<(), ShardError> {
        match self.is_failing.load(Ordering::SeqCst) {
            true => Err(ShardError::Log { path: PathBuf::new(), reason: "no space left on device".to_owned() }),
            false => self.disk.write(write),
        }
    }

    fn read(&self, shard: ShardId, range: Range<u64>, bytes_max: u64) -> Result<Vec<Entry>, ShardError> {
        self.disk.read(shard, range, bytes_max)
    }

    fn close(&self) {
        self.disk.close();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_ends_the_group_and_nothing_unwritten_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let is_failing = Arc::new(AtomicBool::new(false));
    let disk = Disk::open(&folder.path().join("log")).unwrap();
    let store = Arc::new(Failing { disk, is_failing: is_failing.clone() });
    let (committer, thread) = Committer::start(store.clone()).unwrap();
    let config = config(Some(folder.path()));
    let common = Common {
        raft: raft_config(&config.tuning).unwrap(),
        me: NodeId(1),
        is_founding: true,
        peers: Arc::new(NoPeers),
        ownership_changed: Arc::new(watch::channel(0).0),
        refused: Arc::default(),
        disk: Some(LogDisk { store, committer: committer.clone() }),
        effects: Arc::new(Kept::default()),
        outcomes_changed: Arc::new(watch::channel(0).0),
        snapshot_turns: Arc::new(Semaphore::new(1)),
        config,
    };
    let group = Group::start(ShardId(0), Life::First, Arc::new(common)).await.unwrap();
    group.wait_until_served(Duration::from_secs(30)).await.unwrap();
    let written = Arc::new(AtomicBool::new(false));
    is_failing.store(true, Ordering::SeqCst);
    let confirmed = written.clone();
    group.queue.push(publish("ann", "nps"), Box::new(move |result| confirmed.store(result.is_ok(), Ordering::SeqCst)));
    eventually("the group has failed", async || group.status().is_fatal).await;
    assert!(!written.load(Ordering::SeqCst));
    assert!(!group.status().is_owner);
    group.stop(Duration::from_secs(5)).await;
    committer.send(Request::Stop).await.unwrap();
    thread.join().await;
}

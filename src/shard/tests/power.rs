//! What a loss of power may take: all that was written and not synced. Nothing that was answered is among it.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use openraft::RaftLogReader;
use openraft::entry::RaftEntry;
use openraft::storage::{RaftLogStorage, RaftLogStorageExt};

use crate::ledger::ids::ShardId;
use crate::shard::ShardError;
use crate::shard::committer::{Committer, CommitterThread, Request};
use crate::shard::disk::Disk;
use crate::shard::log::{GroupLog, LogDisk};
use crate::shard::store::{Durability, Loaded, LogStore, Write};
use crate::shard::types::{CommittedLeader, Entry, LogId, Vote};

const SHARD: ShardId = ShardId(3);

/// A disk that keeps in its cache what it need not sync yet.
struct Cached {
    disk: Disk,
    cache: Mutex<Vec<Write>>,
}

impl LogStore for Cached {
    fn load(&self, shard: ShardId, keep_bytes: u64) -> Result<Loaded, ShardError> {
        self.disk.load(shard, keep_bytes)
    }

    fn write(&self, write: Write) -> Result<(), ShardError> {
        let mut cache = self.cache.lock().unwrap();
        if write.durability == Durability::Later {
            cache.push(write);
            return Ok(());
        }
        for earlier in cache.drain(..) {
            self.disk.write(earlier)?;
        }
        self.disk.write(write)
    }

    fn read(&self, shard: ShardId, range: Range<u64>, bytes_max: u64) -> Result<Vec<Entry>, ShardError> {
        self.disk.read(shard, range, bytes_max)
    }

    fn close(&self) {
        self.disk.close();
    }
}

/// One group's log on such a disk.
struct Powered {
    log: GroupLog,
    committer: Committer,
    thread: CommitterThread,
    store: Arc<Cached>,
}

impl Powered {
    fn on(folder: &Path) -> Powered {
        let disk = Disk::open(&folder.join("log")).unwrap();
        let store = Arc::new(Cached { disk, cache: Mutex::default() });
        let (committer, thread) = Committer::start(store.clone()).unwrap();
        let (log, _) = GroupLog::load(SHARD, LogDisk { store: store.clone(), committer: committer.clone() }, 1024 * 1024).unwrap();
        Powered { log, committer, thread, store }
    }

    async fn append(&mut self, term: u64, indexes: Range<u64>) {
        self.log.blocking_append(indexes.map(|index| Entry::new_blank(id(term, index)))).await.unwrap();
    }

    /// The cache is lost, and the node starts again.
    async fn fails(self, folder: &Path) -> Powered {
        self.store.cache.lock().unwrap().clear();
        self.committer.send(Request::Stop).await.unwrap();
        self.thread.join().await;
        self.store.close();
        Powered::on(folder)
    }
}

fn id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeader::new(term), index)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_that_was_answered_outlives_a_loss_of_power() {
    let folder = tempfile::tempdir().unwrap();
    let mut powered = Powered::on(folder.path());
    // The first write of all, one after an append, and one over another.
    for (term, voted_for) in [(3, 1), (4, 2), (5, 1)] {
        let vote = Vote::new(term, voted_for);
        powered.log.save_vote(&vote).await.unwrap();
        powered = powered.fails(folder.path()).await;
        assert_eq!(powered.log.read_vote().await.unwrap(), Some(vote));
        powered.append(term, term..term + 1).await;
    }
    powered.fails(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_were_acknowledged_outlive_a_loss_of_power() {
    let folder = tempfile::tempdir().unwrap();
    let mut powered = Powered::on(folder.path());
    powered.log.save_vote(&Vote::new_committed(1, 1)).await.unwrap();
    for index in 0..3 {
        powered.append(1, index..index + 1).await;
        powered = powered.fails(folder.path()).await;
        let found = powered.log.try_get_log_entries(0..100).await.unwrap();
        assert_eq!(found.iter().map(|entry| entry.log_id).collect::<Vec<_>>(), (0..=index).map(|index| id(1, index)).collect::<Vec<_>>());
    }
    powered.fails(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_a_new_leader_replaced_do_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut powered = Powered::on(folder.path());
    powered.log.save_vote(&Vote::new_committed(1, 1)).await.unwrap();
    powered.append(1, 0..5).await;
    // A log is never cut before its node has voted for who has it cut.
    powered.log.save_vote(&Vote::new_committed(2, 1)).await.unwrap();
    powered.log.truncate_after(Some(id(1, 1))).await.unwrap();
    powered.append(2, 2..3).await;
    let mut powered = powered.fails(folder.path()).await;
    let found = powered.log.try_get_log_entries(0..100).await.unwrap();
    assert_eq!(found.iter().map(|entry| entry.log_id).collect::<Vec<_>>(), [id(1, 0), id(1, 1), id(2, 2)]);
    powered.fails(folder.path()).await;
}

//! openraft's own storage suite, on both stores with the real machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::ledger::ids::ShardId;
use crate::shard::committer::Committer;
use crate::shard::disk::Disk;
use crate::shard::ledger_cell::LedgerCell;
use crate::shard::log::{GroupLog, LogDisk};
use crate::shard::machine::Machine;
use crate::shard::snapshot_store::SnapshotStore;
use crate::shard::types::TypeConfig;

const SHARD: ShardId = ShardId(3);

fn cell() -> LedgerCell {
    LedgerCell::new(Arc::new(watch::channel(0).0))
}

struct InMemory;

impl StoreBuilder<TypeConfig, GroupLog, Machine> for InMemory {
    async fn build(&self) -> Result<((), GroupLog, Machine), StorageError<TypeConfig>> {
        let snapshots = Arc::new(SnapshotStore::in_memory(SHARD));
        let (machine, _) = Machine::new(SHARD, snapshots, None, Arc::new(cell()));
        Ok(((), GroupLog::in_memory(SHARD, None), machine))
    }
}

/// One database for all of the suite's stores, each with a shard of its own.
struct OnDisk {
    disk: LogDisk,
    next_shard: AtomicU16,
    /// With 0, everything that is synced is read from the disk.
    tail_bytes_max: u64,
}

impl OnDisk {
    fn new(folder: &TempDir, tail_bytes_max: u64) -> OnDisk {
        let store = Arc::new(Disk::open(&folder.path().join("log")).unwrap());
        let (committer, _thread) = Committer::start(store.clone()).unwrap();
        OnDisk { disk: LogDisk { store, committer }, next_shard: AtomicU16::new(0), tail_bytes_max }
    }
}

impl StoreBuilder<TypeConfig, GroupLog, Machine, TempDir> for OnDisk {
    async fn build(&self) -> Result<(TempDir, GroupLog, Machine), StorageError<TypeConfig>> {
        let shard = ShardId(self.next_shard.fetch_add(1, Ordering::Relaxed));
        let (log, _) = GroupLog::load(shard, self.disk.clone(), self.tail_bytes_max).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let content = Arc::new(cell());
        let (snapshots, _) = SnapshotStore::open(SHARD, folder.path(), content.as_ref()).unwrap();
        let (machine, _) = Machine::new(SHARD, Arc::new(snapshots), None, content);
        Ok((folder, log, machine))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_memory_keeps_what_openraft_asks_for() {
    Suite::test_all(InMemory).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_on_disk_keeps_what_openraft_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    Suite::test_all(OnDisk::new(&folder, 1024 * 1024)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_on_disk_keeps_it_also_without_a_tail() {
    let folder = tempfile::tempdir().unwrap();
    Suite::test_all(OnDisk::new(&folder, 0)).await.unwrap();
}

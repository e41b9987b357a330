//! Looks after one group from time to time: has it snapshot and its log purged, so that neither the disk nor a restart grows without bound; and notices when
//! the group has failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use super::config::Tuning;
use super::left::Left;
use super::log::LogShared;
use super::machine::MachineShared;
use super::sending::Sending;
use super::tempo;
use super::types::{Raft, group_name};
use crate::{blocking, clock};

/// The log does not wait longer for snapshots that are on their way to other nodes.
const SENDING_MAX: Duration = Duration::from_secs(600);
/// A snapshot that takes longer is no longer waited for, so that the other groups get theirs.
const SNAPSHOT_WAIT: Duration = Duration::from_secs(300);

/// What a keeper looks after.
pub struct Keeper {
    pub raft: Raft,
    pub machine: Arc<MachineShared>,
    pub log: Arc<LogShared>,
    /// Lets one group of the node snapshot at a time.
    pub turns: Arc<Semaphore>,
    /// While a snapshot is on its way to another node, the log behind it stays.
    pub sending: Sending,
    pub tuning: Tuning,
    pub left: Arc<Left>,
    /// What works with the group, and must not end before it.
    pub part: JoinHandle<()>,
    pub is_failed: Arc<AtomicBool>,
}

impl Keeper {
    /// Runs until the group has failed; to be aborted when it is stopped.
    pub async fn run(self) {
        // Groups that start together don't come round together.
        let stagger = Duration::from_millis(self.tuning.snapshot_interval_ms / 64) * u32::from(self.machine.shard().0 % 64);
        let mut last_snapshot = clock::monotonic() + stagger;
        loop {
            tempo::pause(Duration::from_millis(self.tuning.keeper_interval_ms)).await;
            if self.has_failed() {
                self.is_failed.store(true, Ordering::Release);
                return;
            }
            self.come_back().await;
            if self.is_snapshot_due(last_snapshot) && !self.must_wait(last_snapshot) {
                self.snapshot().await;
                last_snapshot = clock::monotonic();
            }
        }
    }

    /// A node that left the group and has applied how it became a member again may lead and vote as any other.
    async fn come_back(&self) {
        let Some(left_index) = self.left.far().map(|far| far.index) else { return };
        if self.machine.members_index().is_none_or(|index| index <= left_index) {
            return;
        }
        let left = self.left.clone();
        match blocking::run(move || left.forget()).await {
            Ok(Ok(())) => {
                self.raft.runtime_config().elect(true);
                info!(shard = group_name(self.machine.shard()), left_index, "the node is a member of the group again");
            }
            // The next round tries again.
            Ok(Err(error)) => warn!(shard = group_name(self.machine.shard()), %error, "that the node is a member again can't be noted"),
            Err(error) => warn!(shard = group_name(self.machine.shard()), %error, "that the node is a member again can't be noted"),
        }
    }

    fn has_failed(&self) -> bool {
        let state = self.raft.metrics().borrow_watched().running_state.clone();
        let shard = group_name(self.machine.shard());
        if let Err(fatal) = &state {
            error!(shard, %fatal, "the group has failed; this node can't go on");
        } else if self.machine.is_broken() || self.part.is_finished() {
            error!(shard, "a part of the group has panicked; this node can't go on");
        } else {
            return false;
        }
        true
    }

    /// A receiver that is done with its snapshot needs the entries behind it.
    fn must_wait(&self, last_snapshot: Instant) -> bool {
        self.sending.is_any() && clock::monotonic().saturating_duration_since(last_snapshot) < SENDING_MAX
    }

    fn snapshot_index(&self) -> Option<u64> {
        self.raft.metrics().borrow_watched().snapshot.map(|snapshot| snapshot.index)
    }

    fn is_snapshot_due(&self, last_snapshot: Instant) -> bool {
        let snapshot_index = self.snapshot_index();
        let has_grown = self.machine.applied_index() > snapshot_index.unwrap_or(0);
        let age = clock::monotonic().saturating_duration_since(last_snapshot);
        let is_old = age >= Duration::from_millis(self.tuning.snapshot_interval_ms);
        has_grown && (is_old || self.log.bytes_after(snapshot_index) >= self.tuning.snapshot_log_bytes)
    }

    /// Has a snapshot built, waits for it, and has the log behind it purged.
    async fn snapshot(&self) {
        let Ok(_turn) = self.turns.acquire().await else { return };
        let applied_index = self.machine.applied_index();
        if self.raft.trigger().snapshot().await.is_err() {
            return;
        }
        let is_built = |metrics: &openraft::RaftMetrics<super::types::TypeConfig>| {
            metrics.snapshot.is_some_and(|snapshot| snapshot.index >= applied_index)
        };
        // Where it fails or takes too long, the next round tries again.
        if self.raft.wait(Some(SNAPSHOT_WAIT)).metrics(is_built, "snapshot").await.is_ok() {
            self.purge().await;
        }
    }

    /// openraft keeps a number of entries; entries can be large, so bytes bound them too.
    async fn purge(&self) {
        let (Some(snapshot_index), Some(beyond)) = (self.snapshot_index(), self.log.last_beyond(self.tuning.keep_log_bytes)) else {
            return;
        };
        let upto = beyond.min(snapshot_index);
        if self.log.purged().is_none_or(|purged| purged.index < upto) {
            // It fails only where the group has, which the next round finds out.
            self.raft.trigger().purge_log(upto).await.ok();
        }
    }
}

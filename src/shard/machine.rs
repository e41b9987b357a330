//! openraft's state machine: a ledger behind a lock. Every replica applies; replies and effects go to who proposed, and there is nobody on a follower.
//!
//! The lock is held for one entry, or for one read: no IO, no await, and nothing that grows with the ledger.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::{io, mem};

use futures_util::{Stream, StreamExt};
use metrics::{counter, histogram};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot};
use tokio::sync::watch;
use tracing::info;

use super::snapshot_store::{Restored, SnapshotData, SnapshotStore};
use super::types::{Batch, Entry, LogId, Membership, Replies, SnapshotMeta, TypeConfig};
use crate::clock;
use crate::ledger::Ledger;
use crate::ledger::ids::ShardId;
use crate::ledger::snapshot::View;
use crate::ledger::time::LedgerTime;
use crate::telemetry::names;

/// Entries between two chances for other tasks, while a long log is replayed.
const ENTRIES_AT_A_STRETCH: u32 = 16;
/// [`MachineShared::next_due`] when nothing is due.
const NEVER: u64 = u64::MAX;

/// The machine that openraft drives.
pub struct Machine {
    shared: Arc<MachineShared>,
    snapshots: Arc<SnapshotStore>,
}

/// What the machine, the readers and the proposer of a group share.
pub struct MachineShared {
    shard: ShardId,
    state: Mutex<State>,
    /// When something is due next; kept beside the ledger so that looking at it takes no lock.
    next_due: AtomicU64,
    /// Changes whenever some shard has new outcomes.
    outcomes_changed: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    last_applied: Option<LogId>,
    membership: Membership,
}

impl Machine {
    /// One that holds what was restored from a snapshot, or nothing.
    pub fn new(
        shard: ShardId,
        snapshots: Arc<SnapshotStore>,
        restored: Option<Restored>,
        outcomes_changed: Arc<watch::Sender<u64>>,
    ) -> (Machine, Arc<MachineShared>) {
        let state = match restored {
            Some(Restored { meta, ledger }) => State { ledger, last_applied: meta.last_log_id, membership: meta.last_membership },
            None => State::default(),
        };
        let shared = MachineShared { shard, state: Mutex::new(state), next_due: AtomicU64::new(NEVER), outcomes_changed };
        let shared = Arc::new(shared);
        shared.note_next_due(&shared.state().ledger);
        (Machine { shared: shared.clone(), snapshots }, shared)
    }
}

impl MachineShared {
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// Reads the ledger.
    pub fn read<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.state().ledger)
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<LedgerTime> {
        match self.next_due.load(Ordering::Acquire) {
            NEVER => None,
            due => Some(LedgerTime(due)),
        }
    }

    /// The last applied entry.
    pub fn applied_index(&self) -> u64 {
        self.state().last_applied.map_or(0, |last| last.index)
    }

    /// An apply has panicked: the ledger may be half-changed and must not be used.
    pub fn is_broken(&self) -> bool {
        self.state.is_poisoned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("an apply that panics ends the process")
    }

    fn note_next_due(&self, ledger: &Ledger) {
        self.next_due.store(ledger.next_due().map_or(NEVER, |due| due.0), Ordering::Release);
    }

    fn apply(&self, entry: Entry) -> Replies {
        let mut state = self.state();
        state.last_applied = Some(entry.log_id);
        let replies = match entry.payload {
            EntryPayload::Blank => Vec::new(),
            EntryPayload::Normal(Batch { at, commands }) => {
                commands.iter().map(|command| state.ledger.apply(command.clone(), at)).collect()
            }
            EntryPayload::Membership(membership) => {
                state.membership = Membership::new(Some(entry.log_id), membership);
                Vec::new()
            }
        };
        self.note_next_due(&state.ledger);
        Replies(replies)
    }

    fn last_outcome(&self) -> u64 {
        self.state().ledger.outcomes().last()
    }

    /// What a snapshot is made from, as of now.
    pub fn view(&self) -> (SnapshotMeta, View) {
        let state = self.state();
        let meta = SnapshotMeta { last_log_id: state.last_applied, last_membership: state.membership.clone() };
        (meta, state.ledger.view())
    }

    fn replace(&self, meta: SnapshotMeta, ledger: Ledger) -> Ledger {
        let mut state = self.state();
        self.note_next_due(&ledger);
        state.last_applied = meta.last_log_id;
        state.membership = meta.last_membership;
        mem::replace(&mut state.ledger, ledger)
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), io::Error> {
        let state = self.shared.state();
        Ok((state.last_applied, state.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let started = clock::monotonic();
        let outcomes_before = self.shared.last_outcome();
        let mut stretch = 0;
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            let replies = self.shared.apply(entry);
            if let Some(responder) = responder {
                responder.send(replies);
            }
            stretch += 1;
            if stretch % ENTRIES_AT_A_STRETCH == 0 {
                tokio::task::yield_now().await;
            }
        }
        if self.shared.last_outcome() != outcomes_before {
            self.shared.outcomes_changed.send_modify(|count| *count = count.wrapping_add(1));
        }
        histogram!(names::APPLY_SECONDS).record(clock::monotonic().saturating_duration_since(started));
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let (meta, view) = self.shared.view();
        SnapshotBuilder { shard: self.shared.shard, meta, view: Some(view), snapshots: self.snapshots.clone() }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotData) -> Result<(), io::Error> {
        let (snapshots, expected) = (self.snapshots.clone(), meta.clone());
        let ledger = blocking(move || snapshots.install(&expected, snapshot).map_err(io::Error::other)).await?;
        let old = self.shared.replace(meta.clone(), ledger);
        // Freeing a whole ledger takes a while.
        blocking(move || {
            drop(old);
            Ok(())
        })
        .await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<openraft::alias::SnapshotOf<TypeConfig, SnapshotData>>, io::Error> {
        let snapshots = self.snapshots.clone();
        let current = blocking(move || snapshots.read_current()).await?;
        Ok(current.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Writes a snapshot from a view, while the ledger goes on.
pub struct SnapshotBuilder {
    shard: ShardId,
    meta: SnapshotMeta,
    view: Option<View>,
    snapshots: Arc<SnapshotStore>,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<openraft::alias::SnapshotOf<TypeConfig, SnapshotData>, io::Error> {
        let started = clock::monotonic();
        let view = self.view.take().ok_or_else(|| io::Error::other("a snapshot is built once"))?;
        let (snapshots, meta) = (self.snapshots.clone(), self.meta.clone());
        let (bytes, current) = blocking(move || Ok((snapshots.save(&meta, view.chunks())?, snapshots.read_current()?))).await?;
        let (meta, snapshot) = current.ok_or_else(|| io::Error::other("the snapshot that was just written is gone"))?;
        let took = clock::monotonic().saturating_duration_since(started);
        counter!(names::SNAPSHOTS_TOTAL).increment(1);
        histogram!(names::SNAPSHOT_SECONDS).record(took);
        info!(
            shard = self.shard.0,
            index = meta.last_log_id.map_or(0, |last| last.index),
            bytes,
            took_ms = took.as_millis() as u64,
            "snapshot written"
        );
        Ok(Snapshot { meta, snapshot })
    }
}

/// Runs what blocks on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

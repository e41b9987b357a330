//! openraft's state machine: drives what the group replicates. Every replica applies; replies go to who proposed, and there is nobody on a follower.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{Stream, StreamExt};
use metrics::{Histogram, counter, histogram};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder, Snapshot};
use tokio::sync::watch;
use tracing::info;

use super::content::{Content, Frozen};
use super::snapshot_data::SnapshotData;
use super::snapshot_store::SnapshotStore;
use super::types::{Entry, LogId, Membership, Replies, SnapshotMeta, TypeConfig, group_name};
use crate::clock;
use crate::ledger::ids::ShardId;
use crate::telemetry::names;

/// Entries between two chances for other tasks, while a long log is replayed.
const ENTRIES_AT_A_STRETCH: u32 = 16;

/// The machine that openraft drives.
pub struct Machine {
    shared: Arc<MachineShared>,
    snapshots: Arc<SnapshotStore>,
    apply_seconds: Histogram,
}

/// What the machine and the rest of a group share.
pub struct MachineShared {
    shard: ShardId,
    content: Arc<dyn Content>,
    /// Held for moments.
    marks: Mutex<Marks>,
    applied: watch::Sender<Applied>,
}

/// The last entry that was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    pub index: u64,
    /// In which it was proposed.
    pub term: u64,
}

#[derive(Default)]
struct Marks {
    last_applied: Option<LogId>,
    membership: Membership,
    /// The content is changing, and may be ahead of `last_applied`.
    is_within: bool,
}

impl Machine {
    /// One whose content is what was restored from the snapshot `restored`, or empty.
    pub fn new(
        shard: ShardId,
        snapshots: Arc<SnapshotStore>,
        restored: Option<SnapshotMeta>,
        content: Arc<dyn Content>,
    ) -> (Machine, Arc<MachineShared>) {
        let marks = restored.map_or_else(Marks::default, Marks::of);
        let applied = watch::Sender::new(marks.applied());
        let shared = Arc::new(MachineShared { shard, content, marks: Mutex::new(marks), applied });
        let apply_seconds = histogram!(names::APPLY_SECONDS, "shard" => group_name(shard));
        (Machine { shared: shared.clone(), snapshots, apply_seconds }, shared)
    }
}

impl Marks {
    fn of(meta: SnapshotMeta) -> Marks {
        Marks { last_applied: meta.last_log_id, membership: meta.last_membership, is_within: false }
    }

    fn applied(&self) -> Applied {
        self.last_applied.map_or_else(Applied::default, |last| Applied { index: last.index, term: *last.leader_id })
    }
}

impl MachineShared {
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// The last applied entry.
    pub fn applied_index(&self) -> u64 {
        self.applied.borrow().index
    }

    /// Follows the last applied entry.
    pub fn members_index(&self) -> Option<u64> {
        self.marks().membership.log_id().map(|id| id.index)
    }

    pub fn watch_applied(&self) -> watch::Receiver<Applied> {
        self.applied.subscribe()
    }

    /// An apply has panicked.
    pub fn is_broken(&self) -> bool {
        self.content.is_broken()
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().expect("no holder panics")
    }

    fn apply(&self, entry: Entry) -> io::Result<Replies> {
        let replies = match entry.payload {
            EntryPayload::Blank => Replies::None,
            EntryPayload::Normal(data) => {
                self.marks().is_within = true;
                self.content.apply(data)?
            }
            EntryPayload::Membership(membership) => {
                self.marks().membership = Membership::new(Some(entry.log_id), membership);
                Replies::None
            }
        };
        let mut marks = self.marks();
        (marks.last_applied, marks.is_within) = (Some(entry.log_id), false);
        Ok(replies)
    }

    /// What a snapshot is made from, as of now. Exact where openraft asks, which applies nothing meanwhile; for others, the state may be an entry ahead.
    pub fn freeze(&self) -> (SnapshotMeta, Box<dyn Frozen>) {
        let marks = self.marks();
        let meta = SnapshotMeta { last_log_id: marks.last_applied, last_membership: marks.membership.clone() };
        (meta, self.content.freeze())
    }

    /// The state exactly at the last applied entry, and its index; none while one is being applied. Cheap, and safe beside openraft.
    pub fn freeze_at_entry(&self) -> Option<(u64, Box<dyn Frozen>)> {
        let marks = self.marks();
        // With the marks held no entry begins.
        (!marks.is_within && !self.is_broken()).then(|| (marks.applied().index, self.content.freeze()))
    }

    fn tell_applied(&self) {
        let applied = self.marks().applied();
        self.applied.send_replace(applied);
    }
}

impl RaftStateMachine<TypeConfig> for Machine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), io::Error> {
        let marks = self.shared.marks();
        Ok((marks.last_applied, marks.membership.clone()))
    }

    async fn apply<Strm>(&mut self, mut entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let started = clock::monotonic();
        let mut stretch = 0;
        while let Some(next) = entries.next().await {
            let (entry, responder) = next?;
            let replies = self.shared.apply(entry)?;
            if let Some(responder) = responder {
                responder.send(replies);
            }
            stretch += 1;
            if stretch % ENTRIES_AT_A_STRETCH == 0 {
                tokio::task::yield_now().await;
            }
        }
        self.shared.content.applied();
        self.shared.tell_applied();
        self.apply_seconds.record(clock::monotonic().saturating_duration_since(started));
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let (meta, view) = self.shared.freeze();
        SnapshotBuilder { shard: self.shared.shard, meta, view: Some(view), snapshots: self.snapshots.clone() }
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta, snapshot: SnapshotData) -> Result<(), io::Error> {
        let started = clock::monotonic();
        let (snapshots, expected, rebuild) = (self.snapshots.clone(), meta.clone(), self.shared.content.rebuild());
        let new = blocking(move || snapshots.install(&expected, snapshot, rebuild).map_err(io::Error::other)).await?;
        self.shared.marks().is_within = true;
        let old = self.shared.content.replace(new)?;
        *self.shared.marks() = Marks::of(meta.clone());
        self.shared.content.applied();
        self.shared.tell_applied();
        counter!(names::SNAPSHOTS_INSTALLED_TOTAL).increment(1);
        let took_ms = clock::monotonic().saturating_duration_since(started).as_millis() as u64;
        let index = self.shared.applied_index();
        info!(shard = group_name(self.shared.shard), index, took_ms, "snapshot installed");
        // Freeing a whole ledger takes a while, and nobody needs to wait for it.
        tokio::spawn(crate::blocking::run(move || drop(old)));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<openraft::alias::SnapshotOf<TypeConfig, SnapshotData>>, io::Error> {
        let snapshots = self.snapshots.clone();
        let current = blocking(move || snapshots.read_current()).await?;
        Ok(current.map(|(meta, snapshot)| Snapshot { meta, snapshot }))
    }
}

/// Writes a snapshot from a view, while the state goes on.
pub struct SnapshotBuilder {
    shard: ShardId,
    meta: SnapshotMeta,
    view: Option<Box<dyn Frozen>>,
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
            shard = group_name(self.shard),
            index = meta.last_log_id.map_or(0, |last| last.index),
            bytes,
            took_ms = took.as_millis() as u64,
            "snapshot written"
        );
        Ok(Snapshot { meta, snapshot })
    }
}

/// Runs what blocks on a thread that may block.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    crate::blocking::run(work).await.map_err(io::Error::other)?
}

//! One group's log, as openraft wants it: entries can be read as soon as they are appended, and are reported when the committer has synced them.
//!
//! With `storage = "memory"` there is no committer and no store: everything is in the tail, and nothing survives the process.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{EntryPayload, LogState, OptionalSend, RaftLogReader};
use tokio::sync::oneshot;
use tracing::debug;

use super::committer::{Committer, Request};
use super::error::ShardError;
use super::store::{Loaded, LogStore};
use super::tail::{Found, Tail};
use super::types::{Entry, LogId, TypeConfig, Vote, group_name};
use crate::blocking;
use crate::ledger::ids::ShardId;

/// Bytes of an entry beside its commands, about.
const ENTRY_BYTES: u64 = 32;
/// Most bytes of entries that are read for one step of an apply or of a replication.
const STEP_BYTES_MAX: u64 = 1024 * 1024;

/// A group's log. Clones read the same log.
#[derive(Clone)]
pub struct GroupLog {
    shared: Arc<LogShared>,
    /// None with `storage = "memory"`.
    disk: Option<LogDisk>,
}

/// How a log reaches the disk.
#[derive(Clone)]
pub struct LogDisk {
    pub store: Arc<dyn LogStore>,
    pub committer: Committer,
}

/// What a group's log and the committer both touch.
pub struct LogShared {
    shard: ShardId,
    /// Most bytes of synced entries in memory; none where there is no disk.
    tail_bytes_max: Option<u64>,
    tail: Mutex<Tail>,
}

impl LogShared {
    pub fn shard(&self) -> ShardId {
        self.shard
    }

    /// Held for moments: no IO, no await.
    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().expect("no holder panics")
    }

    /// The entries up to `index` are synced.
    pub fn synced(&self, index: u64) {
        if let Some(keep_bytes) = self.tail_bytes_max {
            self.tail().synced(index, keep_bytes);
        }
    }

    /// See [`Tail::take_committed`].
    pub fn take_committed(&self, written_index: u64) -> Option<LogId> {
        self.tail().take_committed(written_index)
    }

    /// Bytes of the entries that are kept.
    pub fn kept_bytes(&self) -> u64 {
        self.tail().sizes().kept_bytes()
    }

    /// Bytes of the entries after `index`.
    pub fn bytes_after(&self, index: Option<u64>) -> u64 {
        self.tail().sizes().bytes_after(index)
    }

    /// The last entry that can be purged if about `bytes` of the newest are to stay.
    pub fn last_beyond(&self, bytes: u64) -> Option<u64> {
        self.tail().sizes().last_beyond(bytes)
    }

    /// The last purged entry.
    pub fn purged(&self) -> Option<LogId> {
        self.tail().purged()
    }

    /// What this node voted last in the group.
    pub fn vote(&self) -> Option<Vote> {
        self.tail().vote()
    }

    /// The last entry, also where it is purged.
    pub fn last(&self) -> Option<LogId> {
        self.tail().last()
    }

    /// The indexes of the entries that there are.
    pub fn kept(&self) -> Range<u64> {
        self.tail().kept()
    }
}

impl GroupLog {
    /// A log that is nowhere but in memory; empty but for a vote.
    pub fn in_memory(shard: ShardId, vote: Option<Vote>) -> GroupLog {
        GroupLog { shared: Arc::new(LogShared::new(shard, None, Tail::found(vote, None, None))), disk: None }
    }

    /// Reads and checks a group's log on disk. Blocks.
    pub fn load(shard: ShardId, disk: LogDisk, tail_bytes_max: u64) -> Result<(GroupLog, Range<u64>), ShardError> {
        let Loaded { tail, leftover } = disk.store.load(shard, tail_bytes_max)?;
        let shared = LogShared::new(shard, Some(tail_bytes_max), tail);
        Ok((GroupLog { shared: Arc::new(shared), disk: Some(disk) }, leftover))
    }

    pub fn shared(&self) -> Arc<LogShared> {
        self.shared.clone()
    }

    /// The entries of `range` that exist: all of them, or as many as fit `bytes_max` but at least one.
    async fn read(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Vec<Entry>> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut next = range.start;
        let mut is_full = false;
        while next < range.end && !is_full {
            let found = self.shared.tail().find(next..range.end, bytes_max);
            match found {
                Found::Here(rest) => {
                    entries.extend(rest);
                    break;
                }
                Found::OnDisk(on_disk) => {
                    let first = on_disk.start;
                    let Some(read) = self.read_disk(on_disk, bytes_max).await? else { continue };
                    next = first + read.len() as u64;
                    entries.extend(read);
                    is_full = bytes_max != u64::MAX;
                }
            }
        }
        Ok(entries)
    }

    /// None: what was asked for has been purged meanwhile, and is to be looked for again.
    async fn read_disk(&self, range: Range<u64>, bytes_max: u64) -> io::Result<Option<Vec<Entry>>> {
        let Some(disk) = &self.disk else { return Err(io::Error::other("a log in memory has lost entries")) };
        let (store, shard, start) = (disk.store.clone(), self.shared.shard, range.start);
        let read = blocking::run(move || store.read(shard, range, bytes_max)).await.map_err(io::Error::other)?;
        match read {
            Ok(entries) => Ok(Some(entries)),
            Err(_) if self.shared.purged().is_some_and(|purged| purged.index >= start) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl LogShared {
    fn new(shard: ShardId, tail_bytes_max: Option<u64>, tail: Tail) -> LogShared {
        LogShared { shard, tail_bytes_max, tail: Mutex::new(tail) }
    }
}

fn to_range(range: impl RangeBounds<u64>) -> Range<u64> {
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => *end,
        Bound::Unbounded => u64::MAX,
    };
    start..end
}

fn entry_bytes(entry: &Entry) -> u64 {
    match &entry.payload {
        EntryPayload::Normal(data) => ENTRY_BYTES + data.bytes(),
        EntryPayload::Blank | EntryPayload::Membership(_) => ENTRY_BYTES,
    }
}

impl RaftLogReader<TypeConfig> for GroupLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        self.read(to_range(range), u64::MAX).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.read(start..end, STEP_BYTES_MAX).await
    }

    async fn entries_stream<RB>(&mut self, range: RB) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let log = self.clone();
        let steps = stream::try_unfold(to_range(range), move |rest| {
            let log = log.clone();
            async move {
                let entries = if rest.is_empty() { Vec::new() } else { log.read(rest.clone(), STEP_BYTES_MAX).await? };
                let Some(last) = entries.last().map(RaftEntry::index) else { return Ok::<_, io::Error>(None) };
                Ok(Some((stream::iter(entries).map(Ok), last + 1..rest.end)))
            }
        });
        steps.try_flatten()
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.shared.tail().vote())
    }
}

impl RaftLogStorage<TypeConfig> for GroupLog {
    type LogReader = GroupLog;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let tail = self.shared.tail();
        Ok(LogState { last_purged_log_id: tail.purged(), last_log_id: tail.last() })
    }

    async fn get_log_reader(&mut self) -> GroupLog {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        if let Some(disk) = &self.disk {
            let (done, is_done) = oneshot::channel();
            disk.committer.send(Request::Vote { log: self.shared.clone(), vote: *vote, done }).await?;
            is_done.await.map_err(|_| ShardError::Stopped)??;
        }
        self.shared.tail().set_vote(*vote);
        Ok(())
    }

    /// Written along with the next entries: a mark that lags behind costs nothing but a longer replay.
    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        self.shared.tail().set_committed(committed);
        Ok(())
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.shared.tail().committed())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry> = entries.into_iter().collect();
        let mut bytes = 0;
        {
            let mut tail = self.shared.tail();
            for entry in &entries {
                let entry_bytes = entry_bytes(entry);
                tail.append(entry.clone(), entry_bytes).map_err(io::Error::other)?;
                bytes += entry_bytes;
            }
        }
        match &self.disk {
            Some(disk) => disk.committer.send(Request::Append { log: self.shared.clone(), entries, bytes, flushed: callback }).await,
            None => {
                callback.io_completed(Ok(()));
                Ok(())
            }
        }
    }

    /// Not waited for: what comes later is written later, so that nobody can see the disk without it.
    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let removed = self.shared.tail().truncate(last_log_id);
        if !removed.is_empty() {
            debug!(
                shard = group_name(self.shared.shard),
                from = removed.start,
                to = removed.end,
                "entries that another leader did not keep are truncated"
            );
        }
        match &self.disk {
            Some(disk) if !removed.is_empty() => {
                disk.committer.send(Request::Truncate { log: self.shared.clone(), removed, last: last_log_id }).await
            }
            _ => Ok(()),
        }
    }

    /// Not waited for: until it is written, a restart finds entries that it does not need.
    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        let removed = self.shared.tail().purge(log_id);
        match &self.disk {
            Some(disk) => disk.committer.send(Request::Purge { log: self.shared.clone(), upto: log_id, removed }).await,
            None => Ok(()),
        }
    }
}

//! A disk for logs that is made of memory and outlives its node, for the simulation: it can be slow, lose at a crash what was not synced, and be wiped. Production
//! code never makes one.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::{Place, ShardError};
use super::record;
use super::store::{Change, Durability, Loaded, LogStore, Mark, Write};
use super::tail::Tail;
use super::types::{Entry, LogId, Vote};
use crate::ledger::ids::ShardId;

/// See the head of the file. Clones share it.
#[derive(Clone, Default)]
pub struct RamDisk(Arc<Mutex<Medium>>);

#[derive(Default)]
struct Medium {
    /// As they are on a real disk: encoded, with checksums.
    entries: BTreeMap<(ShardId, u64), Vec<u8>>,
    votes: BTreeMap<ShardId, Vote>,
    committed: BTreeMap<ShardId, LogId>,
    purged: BTreeMap<ShardId, LogId>,
    /// Written, not synced. A disk keeps them in order.
    unsynced: VecDeque<Write>,
    pause: Duration,
    /// A log was opened on it.
    is_used: bool,
}

impl RamDisk {
    /// Power is lost: of the writes that were not synced the first `kept_count` stay. Tells how many are gone.
    #[must_use]
    pub fn crash(&self, kept_count: usize) -> usize {
        let mut medium = self.medium();
        let kept_count = kept_count.min(medium.unsynced.len());
        let lost_count = medium.unsynced.len() - kept_count;
        let kept: Vec<Write> = medium.unsynced.drain(..kept_count).collect();
        kept.into_iter().for_each(|write| medium.put(write));
        medium.unsynced.clear();
        lost_count
    }

    /// How many writes wait for a sync.
    #[must_use]
    pub fn unsynced_count(&self) -> usize {
        self.medium().unsynced.len()
    }

    /// From now on, a write takes that long.
    pub fn slow_down(&self, pause: Duration) {
        self.medium().pause = pause;
    }

    /// Nothing is left.
    pub fn wipe(&self) {
        let pause = self.medium().pause;
        *self.medium() = Medium { pause, ..Medium::default() };
    }

    /// Whether there is a log on it.
    pub(super) fn is_used(&self) -> bool {
        self.medium().is_used
    }

    /// A log is opened on it.
    pub(super) fn open(&self) {
        self.medium().is_used = true;
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Medium {
    fn put(&mut self, write: Write) {
        for (shard, index, change) in write.entries {
            match change {
                Change::Put(entry) => drop(self.entries.insert((shard, index), record::encode(&key_of(shard, index), &entry))),
                Change::Delete => drop(self.entries.remove(&(shard, index))),
            }
        }
        for (shard, mark) in write.marks {
            match mark {
                Mark::Vote(vote) => drop(self.votes.insert(shard, vote)),
                Mark::Committed(id) => set(&mut self.committed, shard, id),
                Mark::Purged(id) => set(&mut self.purged, shard, id),
            }
        }
    }

    fn entry(&self, shard: ShardId, index: u64) -> Result<Option<Entry>, ShardError> {
        let Some(bytes) = self.entries.get(&(shard, index)) else { return Ok(None) };
        let damaged = |reason: String| ShardError::LogDamaged { path: "ram".into(), place: Place::Entry { shard, index }, reason };
        record::decode(&key_of(shard, index), bytes).map(Some).map_err(|error| damaged(error.to_string()))
    }
}

fn key_of(shard: ShardId, index: u64) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&shard.0.to_be_bytes());
    key[2..].copy_from_slice(&index.to_be_bytes());
    key
}

fn set(marks: &mut BTreeMap<ShardId, LogId>, shard: ShardId, id: Option<LogId>) {
    match id {
        Some(id) => drop(marks.insert(shard, id)),
        None => drop(marks.remove(&shard)),
    }
}

impl LogStore for RamDisk {
    fn load(&self, shard: ShardId, keep_bytes: u64) -> Result<Loaded, ShardError> {
        let medium = self.medium();
        let (committed, purged) = (medium.committed.get(&shard).copied(), medium.purged.get(&shard).copied());
        let first_kept = purged.map_or(0, |purged| purged.index + 1);
        let mut tail = Tail::found(medium.votes.get(&shard).copied(), committed, purged);
        let indexes: Vec<u64> = medium.entries.range((shard, 0)..=(shard, u64::MAX)).map(|((_, index), _)| *index).collect();
        for index in indexes.iter().copied().filter(|index| *index >= first_kept) {
            let entry = medium.entry(shard, index)?.expect("its index was just read");
            let bytes = medium.entries[&(shard, index)].len() as u64;
            let gap = |gap: super::tail::GapError| ShardError::LogDamaged {
                path: "ram".into(),
                place: Place::Entry { shard, index },
                reason: gap.to_string(),
            };
            tail.add_found(entry, bytes, keep_bytes).map_err(gap)?;
        }
        if let Some(committed) = committed.filter(|committed| Some(*committed) > tail.last()) {
            let place = Place::Entry { shard, index: committed.index };
            return Err(ShardError::LogDamaged { path: "ram".into(), place, reason: "it was committed, and is gone".to_owned() });
        }
        let first = indexes.first().copied().unwrap_or(first_kept);
        Ok(Loaded { tail, leftover: first.min(first_kept)..first_kept })
    }

    fn write(&self, write: Write) -> Result<(), ShardError> {
        let mut medium = self.medium();
        let is_synced = write.durability == Durability::Synced;
        medium.unsynced.push_back(write);
        while is_synced && let Some(write) = medium.unsynced.pop_front() {
            medium.put(write);
        }
        Ok(())
    }

    fn read(&self, shard: ShardId, range: Range<u64>, bytes_max: u64) -> Result<Vec<Entry>, ShardError> {
        let medium = self.medium();
        let (mut entries, mut bytes) = (Vec::new(), 0);
        for index in range {
            let Some(entry) = medium.entry(shard, index)? else {
                let place = Place::Entry { shard, index };
                return Err(ShardError::LogDamaged { path: "ram".into(), place, reason: "it is gone".to_owned() });
            };
            bytes += medium.entries[&(shard, index)].len() as u64;
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn close(&self) {}

    fn pause(&self) -> Duration {
        self.medium().pause
    }
}

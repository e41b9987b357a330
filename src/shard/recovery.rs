//! Makes a group's log of what lies on the disk: checks every record, and puts the log together. Pure: whoever keeps the records hands them over as bytes, and
//! nothing that is damaged gets by.

use std::path::Path;

use serde::de::DeserializeOwned;

use super::error::{Place, ShardError};
use super::record::{self, RecordError};
use super::store::{Loaded, Mark};
use super::tail::Tail;
use super::types::{Entry, LogId, Vote};
use crate::ledger::ids::ShardId;

/// The marks that a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    Vote,
    Committed,
    Purged,
}

impl MarkKind {
    /// The kind of a mark.
    pub fn of(mark: &Mark) -> MarkKind {
        match mark {
            Mark::Vote(_) => MarkKind::Vote,
            Mark::Committed(_) => MarkKind::Committed,
            Mark::Purged(_) => MarkKind::Purged,
        }
    }

    fn name(self) -> &'static str {
        match self {
            MarkKind::Vote => "vote",
            MarkKind::Committed => "committed mark",
            MarkKind::Purged => "purged mark",
        }
    }

    /// Under which it lies.
    pub fn key(self, shard: ShardId) -> [u8; 3] {
        let [high, low] = shard.0.to_be_bytes();
        [high, low, self as u8]
    }
}

/// Under which an entry lies; in order of the keys, a group's entries are in order of their indexes.
pub fn entry_key(shard: ShardId, index: u64) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&shard.0.to_be_bytes());
    key[2..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The index in an entry's key.
pub fn index_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(2..10)?.try_into().ok()?))
}

/// The record of a mark; none: the mark is taken away.
pub fn encode_mark(key: &[u8], mark: &Mark) -> Option<Vec<u8>> {
    match mark {
        Mark::Vote(vote) => Some(record::encode(key, vote)),
        Mark::Committed(id) | Mark::Purged(id) => id.as_ref().map(|id| record::encode(key, id)),
    }
}

/// Whether a vote is older than the term of an entry: nothing is appended in a term before the vote for it is synced.
pub fn is_behind(vote: Option<Vote>, entry: Option<LogId>) -> bool {
    entry.is_some_and(|entry| *entry.leader_id > vote.map_or(0, |vote| vote.leader_id.term))
}

/// Records as they lie on the disk.
pub trait Records {
    type Bytes: AsRef<[u8]>;

    /// The record of a mark.
    fn mark(&self, kind: MarkKind, shard: ShardId) -> Result<Option<Self::Bytes>, ShardError>;
    /// The index of the first entry of a group, without its record.
    fn first_index(&self, shard: ShardId) -> Result<Option<u64>, ShardError>;
    /// The keys and records of a group's entries from an index on, in order.
    fn entries(&self, shard: ShardId, first: u64) -> impl Iterator<Item = Result<(Self::Bytes, Self::Bytes), ShardError>>;
}

/// Reads the records of one database.
pub struct Recovery<'p> {
    /// Where it lies, for who has to do something about damage.
    pub path: &'p Path,
}

impl Recovery<'_> {
    /// Reads and checks all of a group's log; the newest `keep_bytes` of entries are in the tail.
    pub fn load(&self, shard: ShardId, records: &impl Records, keep_bytes: u64) -> Result<Loaded, ShardError> {
        let vote: Option<Vote> = self.mark(shard, MarkKind::Vote, records)?;
        let committed: Option<LogId> = self.mark(shard, MarkKind::Committed, records)?;
        let purged: Option<LogId> = self.mark(shard, MarkKind::Purged, records)?;
        // An index that no log can reach is damage, and would overflow.
        for (id, mark) in [(committed, MarkKind::Committed), (purged, MarkKind::Purged)] {
            if id.is_some_and(|id| id.index == u64::MAX) {
                return Err(self.damaged(Place::Mark { shard, mark: mark.name() }, "it names an entry that can't be"));
            }
        }
        let first_kept = purged.map_or(0, |purged| purged.index + 1);
        let first_on_disk = records.first_index(shard)?.unwrap_or(first_kept);
        let mut tail = Tail::found(vote, committed, purged);
        for pair in records.entries(shard, first_kept) {
            let (key, value) = pair?;
            let (key, value) = (key.as_ref(), value.as_ref());
            let index = index_of(key).unwrap_or(u64::MAX);
            let entry = self.entry(shard, index, value)?;
            // Terms never fall: an entry of an older one was truncated once, and must not come back.
            if tail.last().is_some_and(|last| entry.log_id.leader_id < last.leader_id) {
                return Err(self.damaged(Place::Entry { shard, index }, "it is of an older term than the entry before it"));
            }
            tail.add_found(entry, value.len() as u64, keep_bytes).map_err(|gap| self.damaged(Place::Entry { shard, index }, gap))?;
        }
        if is_behind(vote, tail.last()) {
            return Err(self.vote_is_behind(shard));
        }
        if let Some(committed) = committed.filter(|committed| Some(*committed) > tail.last()) {
            let place = Place::Entry { shard, index: committed.index };
            return Err(self.damaged(place, "it was committed, and is gone"));
        }
        Ok(Loaded { tail, leftover: first_on_disk.min(first_kept)..first_kept })
    }

    /// Checks the record of an entry, and decodes it.
    pub fn entry(&self, shard: ShardId, index: u64, value: &[u8]) -> Result<Entry, ShardError> {
        let place = Place::Entry { shard, index };
        let entry: Entry = record::decode(&entry_key(shard, index), value).map_err(|error| self.unreadable(place, error))?;
        if entry.log_id.index != index || index == u64::MAX {
            return Err(self.damaged(place, "it holds another entry"));
        }
        Ok(entry)
    }

    /// Something is not what was written.
    pub fn damaged(&self, place: Place, reason: impl ToString) -> ShardError {
        ShardError::LogDamaged { path: self.path.to_owned(), place, reason: reason.to_string() }
    }

    /// The vote is older than what was appended under a later one: it is not the last that was given.
    pub fn vote_is_behind(&self, shard: ShardId) -> ShardError {
        self.damaged(Place::Mark { shard, mark: MarkKind::Vote.name() }, "it is older than what was taken from a leader since")
    }

    fn mark<T: DeserializeOwned>(&self, shard: ShardId, kind: MarkKind, records: &impl Records) -> Result<Option<T>, ShardError> {
        let Some(value) = records.mark(kind, shard)? else { return Ok(None) };
        let place = Place::Mark { shard, mark: kind.name() };
        record::decode(&kind.key(shard), value.as_ref()).map(Some).map_err(|error| self.unreadable(place, error))
    }

    fn unreadable(&self, place: Place, error: RecordError) -> ShardError {
        match error {
            RecordError::Version(found) => ShardError::OtherVersion { path: self.path.to_owned(), found: u32::from(found) },
            _ => self.damaged(place, error),
        }
    }
}

//! What a group's log holds in memory: its marks, and the newest entries. Pure: no disk, no locks. Entries leave the tail only once they are synced.

use std::collections::VecDeque;
use std::ops::Range;

use super::sizes::Sizes;
use super::types::{Entry, LogId, Vote};

/// A group's log, as far as it is in memory.
#[derive(Debug, Default)]
pub struct Tail {
    /// The newest entries, without a gap. Invariant: the last one's id is `last`.
    entries: VecDeque<Held>,
    entries_bytes: u64,
    /// The last entry there is, or the last purged one.
    last: Option<LogId>,
    purged: Option<LogId>,
    /// The last vote that is synced.
    vote: Option<Vote>,
    committed: Option<LogId>,
    /// `committed` has changed since it was last written.
    is_committed_unwritten: bool,
    /// The first entry that was ever appended to an empty log.
    first_index: u64,
    /// Entries before it are synced, and may have left the tail. 0: none is.
    synced_next: u64,
    sizes: Sizes,
}

#[derive(Debug)]
struct Held {
    entry: Entry,
    bytes: u64,
}

/// Where the entries of a range are.
pub enum Found {
    /// All of them that exist.
    Here(Vec<Entry>),
    /// These are on disk only.
    OnDisk(Range<u64>),
}

/// An entry was appended that does not follow the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {found} can't follow: the next one is {expected}")]
pub struct GapError {
    expected: u64,
    found: u64,
}

impl Tail {
    /// The log as it was found on disk, before its entries are added.
    pub fn found(vote: Option<Vote>, committed: Option<LogId>, purged: Option<LogId>) -> Tail {
        Tail { vote, committed, purged, last: purged, ..Tail::default() }
    }

    /// Takes an entry that was found on disk, and is synced.
    pub fn add_found(&mut self, entry: Entry, bytes: u64, keep_bytes: u64) -> Result<(), GapError> {
        let index = entry.log_id.index;
        self.append(entry, bytes)?;
        self.synced(index, keep_bytes);
        Ok(())
    }

    /// Appends an entry.
    pub fn append(&mut self, entry: Entry, bytes: u64) -> Result<(), GapError> {
        let found = entry.log_id.index;
        if let Some(last) = self.last
            && found != last.index + 1
        {
            return Err(GapError { expected: last.index + 1, found });
        }
        if self.last.is_none() {
            self.first_index = found;
        }
        self.last = Some(entry.log_id);
        self.sizes.append(found, bytes);
        self.entries_bytes += bytes;
        self.entries.push_back(Held { entry, bytes });
        Ok(())
    }

    /// The entries up to `index` are synced; the oldest of them leave, until the tail is within its bound.
    pub fn synced(&mut self, index: u64, keep_bytes: u64) {
        self.synced_next = self.synced_next.max(index + 1).min(self.next_index());
        while self.entries_bytes > keep_bytes && self.first_held().is_some_and(|first| first < self.synced_next) {
            self.drop_first();
        }
    }

    /// Removes the entries after `last`; gives the indexes that it removed.
    pub fn truncate(&mut self, last: Option<LogId>) -> Range<u64> {
        if last >= self.last {
            return 0..0;
        }
        let next = last.map_or(0, |last| last.index + 1);
        let old_next = self.next_index();
        while self.entries.back().is_some_and(|held| held.entry.log_id.index >= next) {
            let gone = self.entries.pop_back().expect("it was just looked at");
            self.entries_bytes -= gone.bytes;
        }
        self.sizes.truncate(last.map(|last| last.index));
        self.synced_next = self.synced_next.min(next);
        self.last = last.max(self.purged);
        next..old_next.max(next)
    }

    /// Removes the entries up to `upto`; gives the indexes that it removed.
    pub fn purge(&mut self, upto: LogId) -> Range<u64> {
        let removed = self.first_kept()..self.next_index().min(upto.index + 1);
        while self.first_held().is_some_and(|first| first <= upto.index) {
            self.drop_first();
        }
        self.sizes.purge(upto.index);
        self.purged = self.purged.max(Some(upto));
        self.last = self.last.max(self.purged);
        removed
    }

    /// Looks for the entries of `range`; the first of them may be on disk only, then the rest is to be looked for again.
    pub fn find(&self, range: Range<u64>, bytes_max: u64) -> Found {
        let range = range.start.max(self.first_kept())..range.end.min(self.next_index());
        if range.is_empty() {
            return Found::Here(Vec::new());
        }
        let first_held = self.first_held().unwrap_or(u64::MAX);
        if range.start < first_held.min(self.synced_next) {
            return Found::OnDisk(range.start..range.end.min(first_held).min(self.synced_next));
        }
        let skip = usize::try_from(range.start.saturating_sub(first_held)).expect("the tail is in memory");
        let mut entries = Vec::new();
        let mut bytes = 0;
        for held in self.entries.iter().skip(skip).take_while(|held| held.entry.log_id.index < range.end) {
            bytes += held.bytes;
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            entries.push(held.entry.clone());
        }
        Found::Here(entries)
    }

    /// The index after the last entry.
    pub fn next_index(&self) -> u64 {
        self.last.map_or(0, |last| last.index + 1)
    }

    /// The indexes of the entries that there are.
    pub fn kept(&self) -> Range<u64> {
        let next = self.next_index();
        self.first_kept().min(next)..next
    }

    pub fn last(&self) -> Option<LogId> {
        self.last
    }

    pub fn purged(&self) -> Option<LogId> {
        self.purged
    }

    pub fn vote(&self) -> Option<Vote> {
        self.vote
    }

    pub fn set_vote(&mut self, vote: Vote) {
        self.vote = Some(vote);
    }

    pub fn committed(&self) -> Option<LogId> {
        self.committed
    }

    pub fn set_committed(&mut self, committed: Option<LogId>) {
        self.committed = committed;
        self.is_committed_unwritten = true;
    }

    /// The committed mark, if it is to be written and the log on disk reaches up to it: after a crash it must not name an entry that was lost.
    pub fn take_committed(&mut self, written_index: u64) -> Option<LogId> {
        let committed =
            self.committed.filter(|committed| self.is_committed_unwritten && committed.index < self.synced_next.max(written_index + 1))?;
        self.is_committed_unwritten = false;
        Some(committed)
    }

    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Bytes of the entries in memory.
    #[cfg(test)]
    pub fn held_bytes(&self) -> u64 {
        self.entries_bytes
    }

    fn first_kept(&self) -> u64 {
        self.purged.map_or(self.first_index, |purged| purged.index + 1)
    }

    fn first_held(&self) -> Option<u64> {
        self.entries.front().map(|held| held.entry.log_id.index)
    }

    fn drop_first(&mut self) {
        if let Some(gone) = self.entries.pop_front() {
            self.entries_bytes -= gone.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::types::CommittedLeader;
    use openraft::entry::RaftEntry;

    fn id(index: u64) -> LogId {
        LogId::new(CommittedLeader::new(1), index)
    }

    fn tail(count: u64) -> Tail {
        let mut tail = Tail::default();
        for index in 0..count {
            tail.append(Entry::new_blank(id(index)), 10).unwrap();
        }
        tail
    }

    #[test]
    fn entries_stay_until_they_are_synced() {
        let mut tail = tail(10);
        assert!(matches!(tail.find(0..10, u64::MAX), Found::Here(entries) if entries.len() == 10));
        tail.synced(4, 0);
        assert_eq!(tail.held_bytes(), 50);
        assert!(matches!(tail.find(2..10, u64::MAX), Found::OnDisk(range) if range == (2..5)));
        assert!(matches!(tail.find(5..10, 25), Found::Here(entries) if entries.len() == 2));
        assert!(matches!(tail.find(5..10, 1), Found::Here(entries) if entries.len() == 1));
    }

    #[test]
    fn a_gap_is_refused() {
        let mut tail = tail(3);
        assert_eq!(tail.append(Entry::new_blank(id(4)), 10), Err(GapError { expected: 3, found: 4 }));
        tail.purge(id(20));
        assert_eq!(tail.next_index(), 21);
        assert!(tail.append(Entry::new_blank(id(21)), 10).is_ok());
    }

    #[test]
    fn a_truncated_log_ends_where_it_was_cut() {
        let mut tail = tail(10);
        assert_eq!(tail.truncate(Some(id(6))), 7..10);
        assert_eq!(tail.last(), Some(id(6)));
        assert!(matches!(tail.find(0..10, u64::MAX), Found::Here(entries) if entries.len() == 7));
        assert_eq!(tail.truncate(None), 0..7);
        assert_eq!(tail.last(), None);
    }

    #[test]
    fn the_committed_mark_never_runs_ahead_of_what_is_written() {
        let mut tail = tail(10);
        tail.set_committed(Some(id(9)));
        assert_eq!(tail.take_committed(8), None);
        assert_eq!(tail.take_committed(9), Some(id(9)));
        assert_eq!(tail.take_committed(9), None);
    }
}

//! The log of all groups in one fjall database: entries by (shard, index), marks by (shard, kind). What is read is checked; nothing damaged gets by.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};
use serde::de::DeserializeOwned;

use super::error::{Place, ShardError};
use super::record::{self, RecordError};
use super::store::{Change, Durability, Loaded, LogStore, Mark, Write};
use super::tail::Tail;
use super::types::{Entry, LogId, Vote};
use super::witness::Witness;
use crate::ledger::ids::ShardId;

const CACHE_BYTES: u64 = 32 * 1024 * 1024;
const JOURNAL_MAX_BYTES: u64 = 256 * 1024 * 1024;
const MEMTABLE_MAX_BYTES: u64 = 32 * 1024 * 1024;

/// A fjall database in a folder.
pub struct Disk {
    path: PathBuf,
    /// None once it is closed.
    open: RwLock<Option<Open>>,
    witness: Witness,
}

#[derive(Clone)]
struct Open {
    database: Database,
    entries: Keyspace,
    marks: Keyspace,
}

#[derive(Clone, Copy)]
enum MarkKind {
    Vote,
    Committed,
    Purged,
}

impl MarkKind {
    fn of(mark: &Mark) -> MarkKind {
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

    fn key(self, shard: ShardId) -> [u8; 3] {
        let [high, low] = shard.0.to_be_bytes();
        [high, low, self as u8]
    }
}

fn entry_key(shard: ShardId, index: u64) -> [u8; 10] {
    let mut key = [0; 10];
    key[..2].copy_from_slice(&shard.0.to_be_bytes());
    key[2..].copy_from_slice(&index.to_be_bytes());
    key
}

fn index_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(2..10)?.try_into().ok()?))
}

impl Disk {
    /// Opens the database in `path`, or makes it.
    pub fn open(path: &Path) -> Result<Disk, ShardError> {
        let failed = |error: fjall::Error| ShardError::Log { path: path.to_owned(), reason: error.to_string() };
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_MAX_BYTES)
            // The committer says itself when the journal is to be flushed.
            .manual_journal_persist(true)
            .open()
            .map_err(failed)?;
        let entries_options = || KeyspaceCreateOptions::default().manual_journal_persist(true).max_memtable_size(MEMTABLE_MAX_BYTES);
        let entries = database.keyspace("entries", entries_options).map_err(failed)?;
        let marks = database.keyspace("marks", || KeyspaceCreateOptions::default().manual_journal_persist(true)).map_err(failed)?;
        let open = Open { database, entries, marks };
        Ok(Disk { path: path.to_owned(), open: RwLock::new(Some(open)), witness: Witness::open(path) })
    }

    fn opened(&self) -> Result<Open, ShardError> {
        self.open.read().expect("no holder panics").clone().ok_or(ShardError::Stopped)
    }

    fn failed(&self, error: fjall::Error) -> ShardError {
        ShardError::Log { path: self.path.clone(), reason: error.to_string() }
    }

    fn damaged(&self, place: Place, reason: impl ToString) -> ShardError {
        ShardError::LogDamaged { path: self.path.clone(), place, reason: reason.to_string() }
    }

    fn unreadable(&self, place: Place, error: RecordError) -> ShardError {
        match error {
            RecordError::Version(found) => ShardError::OtherVersion { path: self.path.clone(), found: u32::from(found) },
            _ => self.damaged(place, error),
        }
    }

    fn mark<T: DeserializeOwned>(&self, open: &Open, shard: ShardId, kind: MarkKind) -> Result<Option<T>, ShardError> {
        let key = kind.key(shard);
        let Some(value) = open.marks.get(key).map_err(|error| self.failed(error))? else { return Ok(None) };
        record::decode(&key, &value).map(Some).map_err(|error| self.unreadable(Place::Mark { shard, mark: kind.name() }, error))
    }

    fn entry(&self, shard: ShardId, index: u64, value: &[u8]) -> Result<Entry, ShardError> {
        let entry: Entry =
            record::decode(&entry_key(shard, index), value).map_err(|error| self.unreadable(Place::Entry { shard, index }, error))?;
        if entry.log_id.index != index {
            return Err(self.damaged(Place::Entry { shard, index }, "it holds another entry"));
        }
        Ok(entry)
    }
}

#[cfg(test)]
impl Disk {
    /// Flips a bit of an entry.
    pub fn bend_entry(&self, shard: ShardId, index: u64) {
        let open = self.opened().unwrap();
        let mut record = open.entries.get(entry_key(shard, index)).unwrap().unwrap().to_vec();
        *record.last_mut().unwrap() ^= 1;
        open.entries.insert(entry_key(shard, index), record).unwrap();
        open.database.persist(PersistMode::SyncAll).unwrap();
    }
}

impl LogStore for Disk {
    fn load(&self, shard: ShardId, keep_bytes: u64) -> Result<Loaded, ShardError> {
        let open = self.opened()?;
        let vote: Option<Vote> = self.mark(&open, shard, MarkKind::Vote)?;
        let committed: Option<LogId> = self.mark(&open, shard, MarkKind::Committed)?;
        let purged: Option<LogId> = self.mark(&open, shard, MarkKind::Purged)?;
        let first_kept = purged.map_or(0, |purged| purged.index + 1);

        let first_on_disk = match open.entries.prefix(shard.0.to_be_bytes()).next() {
            Some(first) => index_of(&first.key().map_err(|error| self.failed(error))?).unwrap_or(first_kept),
            None => first_kept,
        };
        let mut tail = Tail::found(vote, committed, purged);
        for pair in open.entries.range(entry_key(shard, first_kept)..=entry_key(shard, u64::MAX)) {
            let (key, value) = pair.into_inner().map_err(|error| self.failed(error))?;
            let index = index_of(&key).unwrap_or(u64::MAX);
            let entry = self.entry(shard, index, &value)?;
            tail.add_found(entry, value.len() as u64, keep_bytes).map_err(|gap| self.damaged(Place::Entry { shard, index }, gap))?;
        }
        self.witness.check(shard, vote, tail.last())?;
        if let Some(committed) = committed.filter(|committed| Some(*committed) > tail.last()) {
            let place = Place::Entry { shard, index: committed.index };
            return Err(self.damaged(place, "it was committed, and is gone"));
        }
        Ok(Loaded { tail, leftover: first_on_disk.min(first_kept)..first_kept })
    }

    fn write(&self, write: Write) -> Result<(), ShardError> {
        let open = self.opened()?;
        let mut batch = open.database.batch().durability(match write.durability {
            Durability::Synced => Some(PersistMode::SyncData),
            Durability::Later => None,
        });
        for (shard, index, change) in write.entries {
            let key = entry_key(shard, index);
            match change {
                Change::Put(entry) => batch.insert(&open.entries, key, record::encode(&key, &entry)),
                Change::Delete => batch.remove(&open.entries, key),
            }
        }
        for (shard, mark) in &write.marks {
            let key = MarkKind::of(mark).key(*shard);
            match encode_mark(&key, mark) {
                Some(record) => batch.insert(&open.marks, key, record),
                None => batch.remove(&open.marks, key),
            }
        }
        for (shard, mark) in &write.marks {
            if matches!(mark, Mark::Committed(None)) {
                self.witness.forget(*shard);
            }
        }
        batch.commit().map_err(|error| self.failed(error))?;
        if write.durability == Durability::Synced {
            self.witness.synced(write.marks.into_iter());
        }
        Ok(())
    }

    fn read(&self, shard: ShardId, range: Range<u64>, bytes_max: u64) -> Result<Vec<Entry>, ShardError> {
        let open = self.opened()?;
        let snapshot = open.database.snapshot();
        let mut entries = Vec::new();
        let mut bytes = 0;
        for (pair, expected) in snapshot.range(&open.entries, entry_key(shard, range.start)..entry_key(shard, range.end)).zip(range.clone())
        {
            let (key, value) = pair.into_inner().map_err(|error| self.failed(error))?;
            bytes += value.len() as u64;
            if bytes > bytes_max && !entries.is_empty() {
                return Ok(entries);
            }
            if index_of(&key) != Some(expected) {
                return Err(self.damaged(Place::Entry { shard, index: expected }, "it is gone"));
            }
            entries.push(self.entry(shard, expected, &value)?);
        }
        match u64::try_from(entries.len()).expect("a usize fits") + range.start {
            next if next < range.end => Err(self.damaged(Place::Entry { shard, index: next }, "it is gone")),
            _ => Ok(entries),
        }
    }

    fn close(&self) {
        self.witness.close();
        self.open.write().expect("no holder panics").take();
    }
}

/// None: the mark is taken away.
fn encode_mark(key: &[u8], mark: &Mark) -> Option<Vec<u8>> {
    match mark {
        Mark::Vote(vote) => Some(record::encode(key, vote)),
        Mark::Committed(id) | Mark::Purged(id) => id.as_ref().map(|id| record::encode(key, id)),
    }
}

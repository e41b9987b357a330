//! The log of all groups in one fjall database: entries by (shard, index), marks by (shard, kind). What is read is checked; nothing damaged gets by.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::RwLock;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Slice};

use super::error::{Place, ShardError};
use super::record;
use super::recovery::{MarkKind, Records, Recovery, encode_mark, entry_key, index_of};
use super::store::{Change, Durability, Loaded, LogStore, Write};
use super::types::Entry;
use super::witness::{Ends, Witness};
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

    fn recovery(&self) -> Recovery<'_> {
        Recovery { path: &self.path }
    }
}

/// The database, as far as a recovery reads it.
struct DiskRecords<'d> {
    disk: &'d Disk,
    open: Open,
}

impl Records for DiskRecords<'_> {
    type Bytes = Slice;

    fn mark(&self, kind: MarkKind, shard: ShardId) -> Result<Option<Slice>, ShardError> {
        self.open.marks.get(kind.key(shard)).map_err(|error| self.disk.failed(error))
    }

    fn first_index(&self, shard: ShardId) -> Result<Option<u64>, ShardError> {
        let Some(first) = self.open.entries.prefix(shard.0.to_be_bytes()).next() else { return Ok(None) };
        Ok(index_of(&first.key().map_err(|error| self.disk.failed(error))?))
    }

    fn entries(&self, shard: ShardId, first: u64) -> impl Iterator<Item = Result<(Slice, Slice), ShardError>> {
        let found = self.open.entries.range(entry_key(shard, first)..=entry_key(shard, u64::MAX));
        found.map(|pair| pair.into_inner().map_err(|error| self.disk.failed(error)))
    }
}

#[cfg(test)]
impl Disk {
    /// Writes what is in memory into tables, as the database does itself once it is enough.
    pub fn make_tables(&self) {
        let open = self.opened().unwrap();
        for keyspace in [&open.entries, &open.marks] {
            keyspace.rotate_memtable_and_wait().unwrap();
        }
    }

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
        let records = DiskRecords { disk: self, open: self.opened()? };
        let loaded = self.recovery().load(shard, &records, keep_bytes)?;
        self.witness.check(shard, loaded.tail.vote(), loaded.tail.last())?;
        Ok(loaded)
    }

    fn write(&self, write: Write) -> Result<(), ShardError> {
        let open = self.opened()?;
        self.witness.about_to_write(&write);
        let ends = Ends::of(&write);
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
        batch.commit().map_err(|error| self.failed(error))?;
        if write.durability == Durability::Synced {
            self.witness.synced(ends);
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
                return Err(self.recovery().damaged(Place::Entry { shard, index: expected }, "it is gone"));
            }
            entries.push(self.recovery().entry(shard, expected, &value)?);
        }
        match u64::try_from(entries.len()).expect("a usize fits") + range.start {
            next if next < range.end => Err(self.recovery().damaged(Place::Entry { shard, index: next }, "it is gone")),
            _ => Ok(entries),
        }
    }

    fn close(&self) {
        self.witness.close();
        self.open.write().expect("no holder panics").take();
    }
}

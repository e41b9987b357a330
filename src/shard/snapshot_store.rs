//! Keeps one snapshot of a group: a file that is replaced as a whole, or bytes in memory. All of it blocks, and is called off the Raft runtime's threads.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;

use super::content::{Content, Rebuild, Whole};
use super::error::ShardError;
use super::files;
use super::snapshot::{self, Header, ReadError};
use super::snapshot_data::{SnapshotData, Spool};
use super::types::SnapshotMeta;
use crate::ledger::ids::ShardId;

/// Where a group's snapshot is kept.
pub struct SnapshotStore {
    shard: ShardId,
    /// None with `storage = "memory"`.
    path: Option<PathBuf>,
    /// Held for moments, so that the file that is opened is the one that `current` tells of.
    current: Mutex<Option<Current>>,
    /// Held while a snapshot is written, so that two don't write one file. True: the group has stopped, and nothing is written any more.
    writing: Mutex<bool>,
}

struct Current {
    meta: SnapshotMeta,
    /// None: it is in the file.
    bytes: Option<Bytes>,
}

impl SnapshotStore {
    /// One that keeps its snapshot in memory.
    pub fn in_memory(shard: ShardId) -> SnapshotStore {
        SnapshotStore { shard, path: None, current: Mutex::new(None), writing: Mutex::new(false) }
    }

    /// Opens the folder of a group, makes it where it is missing, and puts the snapshot in it into `content`.
    pub fn open(shard: ShardId, folder: &Path, content: &dyn Content) -> Result<(SnapshotStore, Option<SnapshotMeta>), ShardError> {
        let path = folder.join("snapshot");
        let io = |what| {
            let path = path.clone();
            move |source| ShardError::Io { what, path, source }
        };
        std::fs::create_dir_all(folder).map_err(io("creating the folder of"))?;
        files::remove_unfinished(&path).map_err(io("tidying up beside"))?;
        let restored = match File::open(&path) {
            Ok(file) => {
                let read = snapshot::read(&mut BufReader::with_capacity(256 * 1024, file), shard, content.rebuild());
                let replaced = read.and_then(|(meta, whole)| content.replace(whole).map(|_| meta).map_err(ReadError::Io));
                Some(replaced.map_err(|error| unreadable(&path, shard, &error))?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(io("opening")(source)),
        };
        let current = restored.clone().map(|meta| Current { meta, bytes: None });
        Ok((SnapshotStore { shard, path: Some(path), current: Mutex::new(current), writing: Mutex::new(false) }, restored))
    }

    /// Where it lies; empty in memory.
    pub fn path(&self) -> PathBuf {
        self.path.clone().unwrap_or_default()
    }

    /// What the current snapshot is of.
    pub fn current_meta(&self) -> Option<SnapshotMeta> {
        self.current().as_ref().map(|current| current.meta.clone())
    }

    /// The current snapshot.
    pub fn read_current(&self) -> io::Result<Option<(SnapshotMeta, SnapshotData)>> {
        let current = self.current();
        let Some(Current { meta, bytes }) = current.as_ref() else { return Ok(None) };
        let data = match (bytes, &self.path) {
            (Some(bytes), _) => SnapshotData::Memory(bytes.clone()),
            (None, Some(path)) => SnapshotData::File(File::open(path)?),
            (None, None) => return Err(io::Error::other("a snapshot in memory is lost")),
        };
        Ok(Some((meta.clone(), data)))
    }

    /// Keeps a new snapshot, unless the current one is as new.
    pub fn save(&self, meta: &SnapshotMeta, chunks: impl Iterator<Item = Vec<u8>>) -> io::Result<u64> {
        let header = Header { shard: self.shard, meta: meta.clone() };
        self.replace(meta, |out| snapshot::write(out, &header, chunks))
    }

    /// Where a snapshot gathers that comes from another node.
    pub fn spool(&self) -> io::Result<Spool> {
        match &self.path {
            Some(path) => Spool::beside(path),
            None => Ok(Spool::Memory(Vec::new())),
        }
    }

    /// Reads and checks a snapshot that came from elsewhere, and keeps it.
    pub fn install(&self, meta: &SnapshotMeta, data: SnapshotData, rebuild: Box<dyn Rebuild>) -> Result<Whole, ReadError> {
        let mut input = data.into_reader();
        let mut read = Err(ReadError::Stale);
        let written = self.replace(meta, |out| {
            read = snapshot::read(&mut Copying { input: &mut input, out }, self.shard, rebuild)
                .and_then(|(found, whole)| if found == *meta { Ok(whole) } else { Err(ReadError::OtherEntry) });
            match &read {
                Ok(_) => Ok(0),
                Err(_) => Err(io::Error::other("it can't be read")),
            }
        });
        let whole = read?;
        written?;
        Ok(whole)
    }

    /// Waits for a snapshot that is being written; none is begun any more.
    pub fn close(&self) {
        *self.writing.lock().expect("no holder panics") = true;
    }

    /// Forgets the snapshot: the group leaves this node.
    pub fn remove(&self) -> io::Result<()> {
        let _writing = self.writing.lock().expect("no holder panics");
        let mut current = self.current();
        if let Some(path) = &self.path {
            files::remove(path)?;
        }
        *current = None;
        Ok(())
    }

    fn replace(&self, meta: &SnapshotMeta, write: impl FnOnce(&mut dyn Write) -> io::Result<u64>) -> io::Result<u64> {
        let is_closed = self.writing.lock().expect("no holder panics");
        if *is_closed {
            return Err(io::Error::other("the group has stopped"));
        }
        if self.current_meta().is_some_and(|current| current.last_log_id > meta.last_log_id) {
            return Ok(0);
        }
        let Some(path) = &self.path else {
            let mut bytes = Vec::new();
            let length = write(&mut bytes)?;
            *self.current() = Some(Current { meta: meta.clone(), bytes: Some(Bytes::from(bytes)) });
            return Ok(length);
        };
        let (unfinished, length) = files::Unfinished::write(path, |out| write(out))?;
        let mut current = self.current();
        unfinished.publish()?;
        *current = Some(Current { meta: meta.clone(), bytes: None });
        Ok(length)
    }

    fn current(&self) -> MutexGuard<'_, Option<Current>> {
        self.current.lock().expect("no holder panics")
    }
}

fn unreadable(path: &Path, shard: ShardId, error: &ReadError) -> ShardError {
    match error {
        ReadError::Version(found) => ShardError::OtherVersion { path: path.to_owned(), found: u32::from(*found) },
        _ => ShardError::SnapshotDamaged { path: path.to_owned(), shard, reason: error.to_string() },
    }
}

/// Writes along what is read.
struct Copying<'a> {
    input: &'a mut dyn Read,
    out: &'a mut dyn Write,
}

impl Read for Copying<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.out.write_all(&buffer[..count])?;
        Ok(count)
    }
}

//! The bytes of a snapshot: in memory, or in a file; to be read once from the start, or filled from elsewhere.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;

use bytes::{Buf, Bytes};

/// A snapshot's bytes, to be read once from the start.
pub enum SnapshotData {
    Memory(Bytes),
    File(File),
}

impl SnapshotData {
    /// How many bytes there are.
    pub fn length(&self) -> io::Result<u64> {
        match self {
            SnapshotData::Memory(bytes) => Ok(bytes.len() as u64),
            SnapshotData::File(file) => Ok(file.metadata()?.len()),
        }
    }

    /// Has `read` read them, and gives them back from the start.
    pub fn read_ahead<T>(self, read: impl FnOnce(&mut dyn Read) -> T) -> io::Result<(SnapshotData, T)> {
        match self {
            SnapshotData::Memory(bytes) => {
                let result = read(&mut bytes.clone().reader());
                Ok((SnapshotData::Memory(bytes), result))
            }
            SnapshotData::File(mut file) => {
                let result = read(&mut BufReader::with_capacity(256 * 1024, &file));
                file.rewind()?;
                Ok((SnapshotData::File(file), result))
            }
        }
    }

    /// Reads them.
    pub fn into_reader(self) -> Box<dyn Read + Send> {
        match self {
            SnapshotData::Memory(bytes) => Box::new(bytes.reader()),
            SnapshotData::File(file) => Box::new(BufReader::with_capacity(256 * 1024, file)),
        }
    }
}

/// Where the bytes of a snapshot gather that comes from another node.
pub enum Spool {
    Memory(Vec<u8>),
    /// Without a name already, so that a crash leaves nothing behind.
    File(File),
}

impl Spool {
    /// In a file beside `path`. Blocks.
    pub fn beside(path: &Path) -> io::Result<Spool> {
        let name = path.with_extension("incoming");
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&name)?;
        std::fs::remove_file(&name)?;
        Ok(Spool::File(file))
    }

    /// Appends a chunk. Blocks.
    pub fn push(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Spool::Memory(bytes) => bytes.write_all(chunk),
            Spool::File(file) => file.write_all(chunk),
        }
    }

    /// All chunks are there. Blocks.
    pub fn finish(self) -> io::Result<SnapshotData> {
        match self {
            Spool::Memory(bytes) => Ok(SnapshotData::Memory(Bytes::from(bytes))),
            Spool::File(mut file) => {
                file.rewind()?;
                Ok(SnapshotData::File(file))
            }
        }
    }
}

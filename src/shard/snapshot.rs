//! A snapshot as a stream of bytes: a header, the state's chunks with a checksum each, a trailer over all. The same in a file, in memory and between nodes.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::content::{Rebuild, Whole};
use super::types::SnapshotMeta;
use crate::ledger::ids::ShardId;
use crate::ledger::snapshot::SnapshotError;

const MAGIC: [u8; 4] = *b"ENGS";
const VERSION: u16 = 1;
/// No chunk of ours comes near; a longer one is damage.
const CHUNK_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// What a snapshot is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    pub shard: ShardId,
    pub meta: SnapshotMeta,
}

/// Why a snapshot can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is no snapshot")]
    NoSnapshot,
    #[error("it has format version {0}, which this program does not know")]
    Version(u16),
    #[error("its {0} does not match its checksum")]
    Checksum(&'static str),
    #[error("it does not decode: {0}")]
    Encoding(String),
    #[error("it is of shard {0}")]
    OtherShard(ShardId),
    #[error("something follows its end")]
    TooLong,
    #[error("a newer one is here")]
    Stale,
    #[error("it is of another entry than it was said to be")]
    OtherEntry,
}

impl From<SnapshotError> for ReadError {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Version { found, .. } => ReadError::Version(found),
            SnapshotError::Damaged(what) => ReadError::Encoding(what.to_owned()),
        }
    }
}

/// Writes a snapshot; gives its length in bytes.
pub fn write(out: &mut (impl Write + ?Sized), header: &Header, chunks: impl Iterator<Item = Vec<u8>>) -> io::Result<u64> {
    let mut all = Xxh3::new();
    let mut bytes = 0;
    let header = postcard::to_stdvec(header).map_err(io::Error::other)?;
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    bytes += 6 + write_chunk(out, &mut all, &header)?;
    for chunk in chunks.filter(|chunk| !chunk.is_empty()) {
        bytes += write_chunk(out, &mut all, &chunk)?;
    }
    out.write_all(&0u32.to_le_bytes())?;
    out.write_all(&all.digest().to_le_bytes())?;
    Ok(bytes + 12)
}

fn write_chunk(out: &mut (impl Write + ?Sized), all: &mut Xxh3, chunk: &[u8]) -> io::Result<u64> {
    let length = u32::try_from(chunk.len())
        .ok()
        .filter(|length| *length <= CHUNK_BYTES_MAX)
        .ok_or_else(|| io::Error::other("a chunk is too long"))?;
    let checksum = xxh3_64(chunk).to_le_bytes();
    all.update(&checksum);
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&checksum)?;
    out.write_all(chunk)?;
    Ok(12 + u64::from(length))
}

/// Reads and checks a whole snapshot of `shard`.
pub fn read(input: &mut impl Read, shard: ShardId, mut rebuild: Box<dyn Rebuild>) -> Result<(SnapshotMeta, Whole), ReadError> {
    let (mut reader, header) = Reader::begin(input)?;
    if header.shard != shard {
        return Err(ReadError::OtherShard(header.shard));
    }
    while let Some(chunk) = reader.chunk("chunk")? {
        rebuild.push(&chunk)?;
    }
    reader.end()?;
    Ok((header.meta, rebuild.finish()?))
}

/// Checks all of a snapshot's checksums, and says what it is of.
pub fn verify(input: &mut impl Read, shard: ShardId) -> Result<SnapshotMeta, ReadError> {
    let (mut reader, header) = Reader::begin(input)?;
    if header.shard != shard {
        return Err(ReadError::OtherShard(header.shard));
    }
    while reader.chunk("chunk")?.is_some() {}
    reader.end()?;
    Ok(header.meta)
}

struct Reader<'i, R> {
    input: &'i mut R,
    all: Xxh3,
}

impl<'i, R: Read> Reader<'i, R> {
    fn begin(input: &'i mut R) -> Result<(Self, Header), ReadError> {
        let mut reader = Reader { input, all: Xxh3::new() };
        if reader.bytes::<4>()? != MAGIC {
            return Err(ReadError::NoSnapshot);
        }
        match u16::from_le_bytes(reader.bytes()?) {
            VERSION => {}
            other => return Err(ReadError::Version(other)),
        }
        let header = reader.chunk("header")?.ok_or(ReadError::NoSnapshot)?;
        let header = postcard::from_bytes(&header).map_err(|error| ReadError::Encoding(error.to_string()))?;
        Ok((reader, header))
    }

    fn bytes<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], ReadError> {
        let mut bytes = [0; COUNT];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// None at the end of the chunks.
    fn chunk(&mut self, what: &'static str) -> Result<Option<Vec<u8>>, ReadError> {
        let length = u32::from_le_bytes(self.bytes()?);
        if length == 0 {
            return Ok(None);
        }
        if length > CHUNK_BYTES_MAX {
            return Err(ReadError::Encoding(format!("a chunk of {length} bytes")));
        }
        let checksum: [u8; 8] = self.bytes()?;
        let mut chunk = Vec::new();
        self.input.by_ref().take(u64::from(length)).read_to_end(&mut chunk)?;
        if chunk.len() != length as usize || xxh3_64(&chunk).to_le_bytes() != checksum {
            return Err(ReadError::Checksum(what));
        }
        self.all.update(&checksum);
        Ok(Some(chunk))
    }

    fn end(mut self) -> Result<(), ReadError> {
        if self.bytes::<8>()? != self.all.digest().to_le_bytes() {
            return Err(ReadError::Checksum("trailer"));
        }
        match self.input.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(ReadError::TooLong),
        }
    }
}

//! The file of a backup: a header, then for each shard in turn its snapshot as the owner sent it, in pieces with a checksum each, then a checksum over all. So a file that
//! was cut, damaged or put together from two is told from a whole one, at every length.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const MAGIC: [u8; 4] = *b"ENGB";
const VERSION: u16 = 1;
/// No piece of ours comes near; a longer one is damage.
const PIECE_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The cluster that it was made of. One that is restored from it is another cluster.
    pub cluster_id: String,
    pub shards: u16,
    /// By the clock of the machine on which it was made, in ms since the epoch.
    pub made_at_ms: u64,
}

/// Why a file is not a whole backup.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{0}")]
    Io(io::Error),
    #[error("it is no backup")]
    NoBackup,
    #[error("it has format version {found}, and this program reads {VERSION}; hint: restore it with the version that made it")]
    Version { found: u16 },
    #[error("it ends early; hint: it was cut, use another one")]
    Cut,
    #[error("its {0} is damaged; hint: use another one")]
    Damaged(&'static str),
    #[error("something follows its end; hint: use another one")]
    TooLong,
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { FileError::Cut } else { FileError::Io(error) }
    }
}

/// Writes a backup, shard by shard.
pub struct Writer<W> {
    out: W,
    all: Xxh3,
}

impl<W: Write> Writer<W> {
    /// Begins one.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn begin(mut out: W, header: &Header) -> io::Result<Writer<W>> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let mut writer = Writer { out, all: Xxh3::new() };
        writer.piece(&postcard::to_stdvec(header).map_err(io::Error::other)?)?;
        Ok(writer)
    }

    /// Adds to the shard whose turn it is.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn piece(&mut self, bytes: &[u8]) -> io::Result<()> {
        for bytes in bytes.chunks(PIECE_BYTES_MAX as usize) {
            let length = u32::try_from(bytes.len()).expect("no piece is longer than PIECE_BYTES_MAX");
            self.sealed(length, xxh3_64(bytes))?;
            self.out.write_all(bytes)?;
        }
        Ok(())
    }

    /// The shard whose turn it is, is complete.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn end_shard(&mut self) -> io::Result<()> {
        self.sealed(0, 0)
    }

    /// Ends it, and gives back what it was written to.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&self.all.digest().to_le_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn sealed(&mut self, length: u32, checksum: u64) -> io::Result<()> {
        let (length, checksum) = (length.to_le_bytes(), checksum.to_le_bytes());
        for bytes in [&length[..], &checksum] {
            self.all.update(bytes);
            self.out.write_all(bytes)?;
        }
        Ok(())
    }
}

/// Reads a backup, shard by shard.
pub struct Reader<R> {
    input: R,
    all: Xxh3,
}

impl<R: Read> Reader<R> {
    /// Reads what it is of.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn begin(input: R) -> Result<(Reader<R>, Header), FileError> {
        let mut reader = Reader { input, all: Xxh3::new() };
        if reader.bytes::<4>().map_err(|_| FileError::NoBackup)? != MAGIC {
            return Err(FileError::NoBackup);
        }
        let found = u16::from_le_bytes(reader.bytes()?);
        if found != VERSION {
            return Err(FileError::Version { found });
        }
        let header = reader.piece()?.ok_or(FileError::Damaged("header"))?;
        let header = postcard::from_bytes(&header).map_err(|_| FileError::Damaged("header"))?;
        Ok((reader, header))
    }

    /// The snapshot of the next shard, to be read to its end.
    pub fn shard(&mut self) -> Shard<'_, R> {
        Shard { reader: self, piece: io::Cursor::new(Vec::new()), is_over: false }
    }

    /// All shards have been read: checks the end.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn end(mut self) -> Result<(), FileError> {
        let digest = self.all.digest().to_le_bytes();
        if self.bytes::<8>()? != digest {
            return Err(FileError::Damaged("end"));
        }
        match self.input.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(FileError::TooLong),
        }
    }

    /// None at the end of a shard.
    fn piece(&mut self) -> Result<Option<Vec<u8>>, FileError> {
        let (length, checksum) = (self.bytes::<4>()?, self.bytes::<8>()?);
        self.all.update(&length);
        self.all.update(&checksum);
        let length = u32::from_le_bytes(length);
        if length == 0 {
            return Ok(None);
        }
        if length > PIECE_BYTES_MAX {
            return Err(FileError::Damaged("length of a piece"));
        }
        let mut piece = Vec::new();
        self.input.by_ref().take(u64::from(length)).read_to_end(&mut piece)?;
        match piece.len() == length as usize {
            false => Err(FileError::Cut),
            true if xxh3_64(&piece).to_le_bytes() != checksum => Err(FileError::Damaged("piece")),
            true => Ok(Some(piece)),
        }
    }

    fn bytes<const COUNT: usize>(&mut self) -> Result<[u8; COUNT], FileError> {
        let mut bytes = [0; COUNT];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

/// The bytes of one shard.
pub struct Shard<'r, R> {
    reader: &'r mut Reader<R>,
    piece: io::Cursor<Vec<u8>>,
    is_over: bool,
}

impl<R: Read> Read for Shard<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_over && self.piece.position() == self.piece.get_ref().len() as u64 {
            match self.reader.piece().map_err(io::Error::other)? {
                Some(piece) => self.piece = io::Cursor::new(piece),
                None => self.is_over = true,
            }
        }
        if self.is_over { Ok(0) } else { self.piece.read(buffer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header { cluster_id: "c1".to_owned(), shards: 2, made_at_ms: 7 }
    }

    fn file() -> Vec<u8> {
        let mut writer = Writer::begin(Vec::new(), &header()).unwrap();
        for piece in ["all of ", "shard 0"] {
            writer.piece(piece.as_bytes()).unwrap();
        }
        writer.end_shard().unwrap();
        writer.piece(b"shard 1").unwrap();
        writer.end_shard().unwrap();
        writer.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<String>, FileError> {
        let (mut reader, header) = Reader::begin(bytes)?;
        let mut shards = Vec::new();
        for _ in 0..header.shards {
            let mut bytes = Vec::new();
            let read = reader.shard().read_to_end(&mut bytes);
            read.map_err(|error| FileError::Io(io::Error::other(error)))?;
            shards.push(String::from_utf8(bytes).unwrap());
        }
        reader.end().map(|()| shards)
    }

    #[test]
    fn what_was_written_is_read_shard_by_shard() {
        assert_eq!(read(&file()).unwrap(), ["all of shard 0", "shard 1"]);
        assert_eq!(Reader::begin(&file()[..]).unwrap().1, header());
    }

    #[test]
    fn a_file_that_was_cut_anywhere_or_has_any_bit_changed_is_found_out() {
        let file = file();
        for length in 0..file.len() {
            assert!(read(&file[..length]).is_err(), "cut at {length}");
        }
        for bit in 0..file.len() * 8 {
            let mut bent = file.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bent).is_err(), "bit {bit}");
        }
        let mut longer = file;
        longer.push(0);
        assert!(matches!(read(&longer), Err(FileError::TooLong)));
    }

    #[test]
    fn what_is_no_backup_or_one_of_another_version_is_named() {
        assert!(matches!(read(b"PK"), Err(FileError::NoBackup)));
        assert!(matches!(read(b"something else"), Err(FileError::NoBackup)));
        let mut newer = file();
        newer[4] = 9;
        let error = read(&newer).unwrap_err().to_string();
        assert!(error.contains("format version 9") && error.contains("hint"), "{error}");
    }
}

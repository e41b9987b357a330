//! A ledger as bytes, in chunks, and back. The same ledger gives the same bytes.

use super::ledger::Ledger;

/// What a snapshot is made from: shares all state with the ledger that it was taken of, and does not change.
#[derive(Clone, Debug)]
pub struct View {}

impl View {
    /// The snapshot, in chunks of bounded size (about 256 KiB). To be walked off the apply thread.
    pub fn chunks(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        std::iter::empty()
    }
}

/// Why a snapshot can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// It was written by another version of this program.
    Version { found: u16, known: u16 },
    /// It ends early, goes on too long, or does not decode.
    Damaged(&'static str),
}

/// Puts a ledger together from chunks.
#[derive(Debug, Default)]
pub struct Restore {}

impl Restore {
    /// Takes the next chunk.
    ///
    /// # Errors
    /// [`SnapshotError`], when it does not decode.
    pub fn push(&mut self, _chunk: &[u8]) -> Result<(), SnapshotError> {
        unimplemented!()
    }

    /// The ledger.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`], when chunks are missing.
    pub fn finish(self) -> Result<Ledger, SnapshotError> {
        unimplemented!()
    }
}

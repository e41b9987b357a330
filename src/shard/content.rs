//! What a group replicates, as its machine sees it: a shard's ledger, or opaque state that is plugged in. All replicas apply the same entries in the same order.

use std::io;

use super::snapshot::ReadError;
use super::types::{Data, Replies};
use crate::ledger::Ledger;

/// What a snapshot is made of: does not change while the state goes on.
pub trait Frozen: Send + Sync {
    /// The snapshot in chunks, to be walked off the apply thread.
    fn chunks(&self) -> Box<dyn Iterator<Item = Vec<u8>> + '_>;
}

/// The state of a group. The machine calls these one at a time; readers may look meanwhile.
pub trait Content: Send + Sync + 'static {
    /// Applies what an entry holds.
    ///
    /// # Errors
    /// The entry is of another kind of group: the log is not what it should be.
    fn apply(&self, data: Data) -> io::Result<Replies>;
    /// A run of entries has been applied.
    fn applied(&self);
    /// The state as it is now. Cheap.
    fn freeze(&self) -> Box<dyn Frozen>;
    /// Where the chunks of a snapshot are put together, apart from the state in use.
    fn rebuild(&self) -> Box<dyn Rebuild>;
    /// Puts another state in place of this one, and gives this one back where freeing it takes a while.
    ///
    /// # Errors
    /// The state was written by another version of the program.
    fn replace(&self, whole: Whole) -> io::Result<Whole>;
    /// An apply has panicked: the state may be half-changed and must not be used.
    fn is_broken(&self) -> bool;
}

/// A state on its way from a snapshot.
pub trait Rebuild: Send {
    /// Takes the next chunk.
    ///
    /// # Errors
    /// [`ReadError`], where it does not decode or is too much.
    fn push(&mut self, chunk: &[u8]) -> Result<(), ReadError>;
    /// All chunks are there.
    ///
    /// # Errors
    /// [`ReadError`], where some are missing.
    fn finish(self: Box<Self>) -> Result<Whole, ReadError>;
}

/// A whole state that is not in use.
pub enum Whole {
    Ledger(Box<Ledger>),
    Opaque(Vec<u8>),
}

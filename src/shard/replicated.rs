//! What the meta group replicates, plugged in from outside: state behind commands of which this room knows only the bytes.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::content::{Content, Frozen, Rebuild, Whole};
use super::snapshot::ReadError;
use super::types::{Data, Replies};

/// About how large a chunk of a snapshot gets.
const CHUNK_BYTES: usize = 256 * 1024;
/// The state is kept whole in memory, and is small.
const STATE_MAX_BYTES: usize = 256 * 1024 * 1024;

/// A replicated state. The same commands in the same order must give the same state and the same replies on every node: it may look at nothing else.
pub trait Replicated: Send + Sync + 'static {
    /// Applies a command. One that can't be read must be answered with a reply that says so: it is in the log for good.
    fn apply(&self, command: &[u8]) -> Bytes;
    /// All of the state, as bytes.
    fn save(&self) -> Bytes;
    /// Puts the state in place that `save` gave, on this node or another.
    ///
    /// # Errors
    /// [`RestoreError`], where it was written by another version of the program.
    fn restore(&self, saved: &[u8]) -> Result<(), RestoreError>;
}

/// A saved state can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the saved state can't be read: {0}")]
pub struct RestoreError(pub String);

/// It as the content of a group.
pub(super) struct Opaque(pub Arc<dyn Replicated>);

impl Content for Opaque {
    fn apply(&self, data: Data) -> io::Result<Replies> {
        match data {
            Data::Opaque(command) => Ok(Replies::Opaque(self.0.apply(&command))),
            Data::Commands(_) => Err(io::Error::other("an entry of a shard is in the meta group's log")),
        }
    }

    fn applied(&self) {}

    fn freeze(&self) -> Box<dyn Frozen> {
        Box::new(Saved(self.0.save()))
    }

    fn rebuild(&self) -> Box<dyn Rebuild> {
        Box::new(Gathering(Vec::new()))
    }

    fn replace(&self, whole: Whole) -> io::Result<Whole> {
        let Whole::Opaque(saved) = whole else { return Err(io::Error::other("a snapshot of a shard is in the meta group's place")) };
        self.0.restore(&saved).map_err(io::Error::other)?;
        Ok(Whole::Opaque(saved))
    }

    fn is_broken(&self) -> bool {
        false
    }
}

struct Saved(Bytes);

impl Frozen for Saved {
    fn chunks(&self) -> Box<dyn Iterator<Item = Vec<u8>> + '_> {
        Box::new(self.0.chunks(CHUNK_BYTES).map(<[u8]>::to_vec))
    }
}

struct Gathering(Vec<u8>);

impl Rebuild for Gathering {
    fn push(&mut self, chunk: &[u8]) -> Result<(), ReadError> {
        if self.0.len() + chunk.len() > STATE_MAX_BYTES {
            return Err(ReadError::Encoding(format!("a state of more than {STATE_MAX_BYTES} bytes")));
        }
        self.0.extend_from_slice(chunk);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Whole, ReadError> {
        Ok(Whole::Opaque(self.0))
    }
}

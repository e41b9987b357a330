//! The trait behind which the logs of all groups are kept on a disk. The committer alone writes; readers read what is older than the tails.

use std::ops::Range;
use std::time::Duration;

use super::error::ShardError;
use super::tail::Tail;
use super::types::{Entry, LogId, Vote};
use crate::ledger::ids::ShardId;

/// A disk for logs.
pub trait LogStore: Send + Sync + 'static {
    /// Reads and checks all of a group's log; the newest `keep_bytes` of entries are in the tail.
    fn load(&self, shard: ShardId, keep_bytes: u64) -> Result<Loaded, ShardError>;
    /// Writes all of it, or nothing, and syncs it where that is asked for.
    fn write(&self, write: Write) -> Result<(), ShardError>;
    /// Reads synced entries without a gap: as many of the range as fit `bytes_max`, at least one.
    fn read(&self, shard: ShardId, range: Range<u64>, bytes_max: u64) -> Result<Vec<Entry>, ShardError>;
    /// Lets go of its files. Everything fails afterwards.
    fn close(&self);
    /// How long the next write takes. Real disks take the time that they take; a simulated one must be waited for.
    fn pause(&self) -> Duration {
        Duration::ZERO
    }
}

/// A group's log as it was found.
pub struct Loaded {
    pub tail: Tail,
    /// Purged entries whose bytes are still to be deleted.
    pub leftover: Range<u64>,
}

/// What is written at once. No key is in it twice.
#[derive(Default)]
pub struct Write {
    pub entries: Vec<(ShardId, u64, Change<Entry>)>,
    pub marks: Vec<(ShardId, Mark)>,
    pub durability: Durability,
}

/// What happens to an entry.
pub enum Change<T> {
    Put(T),
    Delete,
}

/// One of a group's marks.
pub enum Mark {
    Vote(Vote),
    /// None takes it away: the group leaves this node.
    Committed(Option<LogId>),
    /// The same.
    Purged(Option<LogId>),
}

/// When a write has to survive the loss of power.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// With the next synced one.
    #[default]
    Later,
    /// When it returns.
    Synced,
}

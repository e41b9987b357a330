//! Why the shards of a node could not start, or stopped.

use std::io;
use std::path::PathBuf;

use super::types::named;
use crate::ledger::ids::ShardId;

/// What keeps a node's shards from running. None of it goes away by trying again without doing something about it.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// Another process holds the data directory.
    #[error("the data directory {path} is in use by another process; hint: stop that one, or give this node a data_dir of its own")]
    InUse { path: PathBuf },
    /// The file system refused something.
    #[error("{what} {path} failed: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
    /// The number of shards is fixed when a cluster is bootstrapped.
    #[error(
        "{path} was made with {stored} shards, and the configuration says {configured}; hint: set cluster.shards to {stored}, it can't be changed later"
    )]
    ShardCount { path: PathBuf, stored: u16, configured: u16 },
    /// `node.json` can't be read.
    #[error(
        "the identity file {path} is damaged: {reason}; hint: restore it from a backup; a node that makes a new identity on an old log could break promises"
    )]
    Identity { path: PathBuf, reason: String },
    /// The data directory belongs to a node that is about to join.
    #[error(
        "the data directory {path} was prepared for a node that joins; hint: run `engage join` again, or give this node another data_dir"
    )]
    Joining { path: PathBuf },
    /// The data directory belongs to a member of another cluster.
    #[error("this node belongs to cluster {cluster_id} already; hint: give it an empty data_dir to let it join another one")]
    OtherCluster { cluster_id: String },
    /// Nothing is known yet of the cluster that the node belongs to.
    #[error("the node belongs to no cluster yet; hint: start it with `engage serve`, or with `engage join`")]
    NoCluster,
    /// The identity is there, and the log that belongs to it is not.
    #[error("the log of this node, {path}, is gone; hint: {hint}", hint = DAMAGED_HINT)]
    LogMissing { path: PathBuf },
    /// It was written by another version of this program.
    #[error("{path} was written by another version of this program (format {found}); hint: run the version that wrote it")]
    OtherVersion { path: PathBuf, found: u32 },
    /// Something in the log is not what was written.
    #[error("the log in {path} is damaged at {place}: {reason}; hint: {hint}", hint = DAMAGED_HINT)]
    LogDamaged { path: PathBuf, place: Place, reason: String },
    /// The log's database refused to open, to read or to write.
    #[error("the log in {path} can't be used: {reason}; hint: {hint}", hint = DAMAGED_HINT)]
    Log { path: PathBuf, reason: String },
    /// A snapshot is not what was written.
    #[error("the snapshot {path} of {name} is damaged: {reason}; hint: {hint}", name = named(*shard), hint = DAMAGED_HINT)]
    SnapshotDamaged { path: PathBuf, shard: ShardId, reason: String },
    /// The log begins after the snapshot ends.
    #[error("the log of {name} begins after entry {purged}, and {path} does not hold what was before; hint: {hint}", name = named(*shard), hint = DAMAGED_HINT)]
    SnapshotMissing { path: PathBuf, shard: ShardId, purged: u64 },
    /// The configuration makes no sense.
    #[error("the shards' configuration is wrong: {0}")]
    Config(String),
    /// A group failed while it started.
    #[error("{name} can't start: {reason}", name = named(*shard))]
    Raft { shard: ShardId, reason: String },
    /// A group didn't get ready in time.
    #[error("{name} had no leader after {waited_ms} ms; hint: the log says what it waits for", name = named(*shard))]
    NotReady { shard: ShardId, waited_ms: u64 },
    /// The log's thread has ended.
    #[error("the node's log has stopped")]
    Stopped,
}

const DAMAGED_HINT: &str = "the other nodes hold what this one held: take it out with `engage remove` and its name, wipe its data_dir, and let it in again \
                            with `engage join`; a cluster of one restores a backup";

/// Where in the log something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An entry of a shard.
    Entry { shard: ShardId, index: u64 },
    /// A shard's vote, or one of its marks.
    Mark { shard: ShardId, mark: &'static str },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Entry { shard, index } => write!(f, "entry {index} of {}", named(*shard)),
            Place::Mark { shard, mark } => write!(f, "the {mark} of {}", named(*shard)),
        }
    }
}

impl From<ShardError> for io::Error {
    fn from(error: ShardError) -> Self {
        io::Error::other(error)
    }
}

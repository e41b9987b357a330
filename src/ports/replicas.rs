//! The seam to what this node's replicas hold, as one number each: replicas of a shard that have applied the same entries hold the same, byte for byte.

use async_trait::async_trait;

use crate::ledger::ids::ShardId;

/// What one replica holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    pub shard: ShardId,
    /// The last log entry that it has applied.
    pub applied_index: u64,
    /// Of the ledger's snapshot at that entry.
    pub state_hash: u64,
}

/// All replicas of this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplicaStates {
    /// This node's name.
    pub node: String,
    /// In the order of the shards; those that this node is a member of.
    pub replicas: Vec<ReplicaState>,
}

/// A replica is busy applying; safe to ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("shard {0} is busy; hint: try again in a second")]
pub struct ReplicaBusy(pub ShardId);

/// Tells what this node's replicas hold.
#[async_trait]
pub trait Replicas: Send + Sync {
    /// Reads and hashes all of it, off the path of the entries: as dear as a snapshot of every shard.
    ///
    /// # Errors
    /// [`ReplicaBusy`].
    async fn states(&self) -> Result<ReplicaStates, ReplicaBusy>;
}

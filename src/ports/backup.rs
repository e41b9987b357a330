//! The seam to the bytes of a shard, for a backup: what its owner has applied, as one snapshot.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::ledger::ids::ShardId;

/// Why a shard can't be copied by this node now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Only the owner copies a shard, so that the copy holds everything that was confirmed.
    #[error("another node owns the shard")]
    NotOwner,
    /// No leader, or no majority. Safe to try again.
    #[error("the shard can't be read now; hint: try again in a second")]
    Unavailable,
}

/// Copies shards.
#[async_trait]
pub trait Backup: Send + Sync {
    /// The snapshot of a shard that this node owns, piece by piece: it holds everything that was confirmed before the call. It has an end of its own, so that one
    /// that was cut is told from a whole one. Whoever lets go of the receiver ends it.
    ///
    /// # Errors
    /// [`BackupError`].
    async fn shard(&self, shard: ShardId) -> Result<mpsc::Receiver<Bytes>, BackupError>;
}

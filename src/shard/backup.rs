//! Copies a shard for a backup: a snapshot of what its owner has applied, straight to whoever asked, past the one that the group keeps.

use std::io::{self, Write};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tracing::{info, warn};

use super::read::confirm_ownership;
use super::shards::Shards;
use super::snapshot::{self, Header};
use crate::clock;
use crate::ledger::ids::ShardId;
use crate::ports::backup::{Backup, BackupError};

/// Pieces that wait for the reader; with the one that is being filled, all that a slow reader makes this node hold beside the ledger's state of that moment.
const PIECES_MAX: usize = 4;
const PIECE_BYTES: usize = 256 * 1024;

#[async_trait]
impl Backup for Shards {
    async fn shard(&self, shard: ShardId) -> Result<Receiver<Bytes>, BackupError> {
        let group = self.groups.shard(shard).filter(|group| group.is_served()).ok_or(BackupError::NotOwner)?;
        let confirmed = tokio::time::timeout(self.read_timeout, confirm_ownership(&group)).await;
        confirmed.ok().and_then(Result::ok).ok_or(BackupError::Unavailable)?;
        let (meta, view) = group.core.machine.freeze();
        let (pieces, receiver) = mpsc::channel(PIECES_MAX);
        self.runtime.spawn_blocking(move || {
            let started = clock::monotonic();
            let mut out = Pieces { pieces, next: Vec::with_capacity(PIECE_BYTES) };
            let written = snapshot::write(&mut out, &Header { shard, meta }, view.chunks());
            let took_ms = clock::monotonic().saturating_duration_since(started).as_millis() as u64;
            match written.and_then(|bytes| out.flush().map(|()| bytes)) {
                Ok(bytes) => info!(shard = shard.0, bytes, took_ms, "shard copied for a backup"),
                Err(error) => warn!(shard = shard.0, %error, took_ms, "a copy of a shard ended early"),
            }
        });
        Ok(receiver)
    }
}

/// Makes pieces of what is written. Blocks while the reader is behind; fails when there is none.
struct Pieces {
    pieces: Sender<Bytes>,
    next: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.next.extend_from_slice(bytes);
        if self.next.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.next.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.next, Vec::with_capacity(PIECE_BYTES));
        self.pieces.blocking_send(Bytes::from(piece)).map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody reads it any more"))
    }
}

//! Sends a snapshot to another node: announced, in chunks that are acknowledged one by one, and finished when it is installed there. A chunk that gets no answer in
//! time ends it; openraft begins anew after a while.

use rand::RngExt as _;
use std::future::Future;
use std::io::{self, Read};
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use metrics::counter;
use openraft::StorageError;
use openraft::errors::{RPCError, ReplicationClosed, StreamingError};
use openraft::raft::SnapshotResponse;
use openraft::type_config::TypeConfigExt;
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use super::machine::blocking;
use super::network::{AskError, Network};
use super::snapshot_data::SnapshotData;
use super::types::{SnapshotMeta, TypeConfig, Vote, group_name};
use super::wire::{self, Kind, SnapshotBegin, SnapshotChunk, SnapshotEnd};
use crate::clock;
use crate::dice::dice;
use crate::ports::peers::{Lane, NodeId, Service};
use crate::telemetry::names;

const CHUNK_BYTES: usize = 128 * 1024;
/// A chunk, and the announcement, are answered within that.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(5);

/// One snapshot on its way to one node.
pub struct SnapshotSender {
    network: Network,
    target: NodeId,
    /// Drawn, so that parts of an earlier try are told from those of this one.
    id: u64,
    install_timeout: Duration,
}

type Sent = Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>>;

impl SnapshotSender {
    pub fn new(network: Network, target: NodeId, install_timeout: Duration) -> SnapshotSender {
        SnapshotSender { network, target, id: dice().random(), install_timeout }
    }

    /// Sends all of it, or stops when `cancel` says so.
    pub async fn send(
        self,
        vote: Vote,
        snapshot: openraft::alias::SnapshotOf<TypeConfig, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed>,
    ) -> Sent {
        let _on_its_way = self.network.sending.begin();
        let cancel = pin!(cancel);
        let sent = tokio::select! {
            biased;
            closed = cancel => Err(StreamingError::Closed(closed)),
            sent = self.send_all(vote, snapshot.meta, snapshot.snapshot) => sent,
        };
        let shard = group_name(self.network.group);
        match &sent {
            Ok(_) => counter!(names::SNAPSHOTS_SENT_TOTAL).increment(1),
            Err(error) => {
                info!(shard, node = self.target.0, %error, "sending a snapshot was given up");
                let body = wire::question(self.network.group, Kind::SnapshotAbort, &SnapshotEnd { id: self.id });
                // Where it can't be told, the other node finds out when no chunk comes any more.
                self.network.peers.tell(self.target, Lane::Snapshot, Service::Raft, body).ok();
            }
        }
        sent
    }

    async fn send_all(&self, vote: Vote, meta: SnapshotMeta, data: SnapshotData) -> Sent {
        let started = clock::monotonic();
        let length_bytes = data.length().map_err(unreadable)?;
        let begin = SnapshotBegin { id: self.id, vote, meta, length_bytes };
        self.ask::<()>(wire::question(self.network.group, Kind::SnapshotBegin, &begin), CHUNK_TIMEOUT).await?;
        self.send_chunks(data.into_reader(), length_bytes).await?;
        let end = wire::question(self.network.group, Kind::SnapshotEnd, &SnapshotEnd { id: self.id });
        let vote = self.ask(end, self.install_timeout).await?;
        let took_ms = clock::monotonic().saturating_duration_since(started).as_millis() as u64;
        info!(shard = group_name(self.network.group), node = self.target.0, bytes = length_bytes, took_ms, "snapshot sent");
        Ok(SnapshotResponse::new(vote))
    }

    async fn send_chunks(&self, mut input: Box<dyn Read + Send>, length_bytes: u64) -> Result<(), StreamingError<TypeConfig>> {
        let mut offset_bytes = 0;
        while offset_bytes < length_bytes {
            let (rest, chunk) = blocking(move || {
                let mut chunk = Vec::with_capacity(CHUNK_BYTES);
                input.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
                if chunk.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok((input, chunk)) }
            })
            .await
            .map_err(unreadable)?;
            input = rest;
            let body = SnapshotChunk::encode(self.network.group, self.id, offset_bytes, &chunk);
            self.ask::<()>(body, CHUNK_TIMEOUT).await?;
            offset_bytes += chunk.len() as u64;
        }
        Ok(())
    }

    async fn ask<R: DeserializeOwned>(&self, body: Bytes, timeout: Duration) -> Result<R, StreamingError<TypeConfig>> {
        let answer = self.network.ask((self.target, Lane::Snapshot), body, timeout).await;
        if let Err(AskError::Refused(refusal)) = &answer {
            warn!(shard = group_name(self.network.group), node = self.target.0, %refusal, "a snapshot was refused");
        }
        answer.map_err(|error| RPCError::from(error).into())
    }
}

fn unreadable(error: io::Error) -> StreamingError<TypeConfig> {
    StreamingError::StorageError(StorageError::read_snapshot(None, TypeConfig::err_from_error(&error)))
}

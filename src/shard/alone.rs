//! What stands in for the rest of a cluster where there is none: for tests, benches, and a node that has no peers.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::replicated::{Replicated, RestoreError};
use super::shards::Seams;
use crate::ports::CarryOut;
use crate::ports::peers::{Lane, NodeId, PeerError, Peers, Service};

/// Reaches nobody.
#[derive(Clone, Copy, Debug)]
pub struct NoPeers;

#[async_trait]
impl Peers for NoPeers {
    fn tell(&self, _to: NodeId, _lane: Lane, _service: Service, _body: Bytes) -> Result<(), PeerError> {
        Err(PeerError::NotSent)
    }

    async fn ask(&self, _to: NodeId, _lane: Lane, _service: Service, _body: Bytes, _timeout: Duration) -> Result<Bytes, PeerError> {
        Err(PeerError::NotSent)
    }
}

/// Holds nothing.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Replicated for Nothing {
    fn apply(&self, _command: &[u8]) -> Bytes {
        Bytes::new()
    }

    fn save(&self) -> Bytes {
        Bytes::new()
    }

    fn restore(&self, _saved: &[u8]) -> Result<(), RestoreError> {
        Ok(())
    }
}

impl Seams {
    /// Of a node without peers.
    #[must_use]
    pub fn alone(effects: Arc<dyn CarryOut>) -> Seams {
        Seams { peers: Arc::new(NoPeers), effects, meta: Arc::new(Nothing) }
    }
}

//! Who owns what, on a node that is alone: itself, all that its shards have taken over. And the ways to other nodes, of which there are none.

use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

use crate::ledger::ids::{EdgeId, ShardId, UserId};
use crate::ports::Read;
use crate::ports::owners::{Owner, Owners};
use crate::ports::peers::{Lane, NodeId, PeerError, Peers, Service};

/// The shards of a node that is alone.
pub(super) struct OwnShards {
    me: NodeId,
    name: String,
    edge: EdgeId,
    read: Arc<dyn Read>,
    /// By shard; 0: not owned now.
    terms: Box<[AtomicU64]>,
    changed: watch::Sender<u64>,
}

impl OwnShards {
    /// Of this node, none of them owned yet.
    pub(super) fn new((me, name): (NodeId, String), edge: EdgeId, read: Arc<dyn Read>) -> OwnShards {
        let terms = (0..read.shard_count()).map(|_| AtomicU64::new(0)).collect();
        OwnShards { me, name, edge, read, terms, changed: watch::channel(0).0 }
    }

    /// A shard was taken over.
    pub(super) fn owned(&self, shard: ShardId, term: u64) {
        self.terms[usize::from(shard.0)].store(term, Ordering::Release);
        self.changed.send_modify(|count| *count += 1);
    }

    /// A shard was lost.
    pub(super) fn disowned(&self, shard: ShardId) {
        self.owned(shard, 0);
    }

    fn term(&self, shard: ShardId) -> u64 {
        self.terms[usize::from(shard.0)].load(Ordering::Acquire)
    }
}

impl Owners for OwnShards {
    fn me(&self) -> NodeId {
        self.me
    }

    fn shard_of(&self, user: &UserId) -> ShardId {
        self.read.shard_of(user)
    }

    fn owner_of(&self, shard: ShardId) -> Option<Owner> {
        let term = self.term(shard);
        (term > 0).then_some(Owner { node: self.me, term, link: 0 })
    }

    fn is_valid(&self, shard: ShardId, term: u64) -> bool {
        term > 0 && self.term(shard) == term
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn name_of_edge(&self, edge: EdgeId) -> Option<String> {
        (edge == self.edge).then(|| self.name.clone())
    }

    fn name_of(&self, node: NodeId) -> Option<String> {
        (node == self.me).then(|| self.name.clone())
    }
}

/// No other nodes.
pub(super) struct NoPeers;

#[async_trait]
impl Peers for NoPeers {
    fn tell(&self, _: NodeId, _: Lane, _: Service, _: Bytes) -> Result<(), PeerError> {
        Err(PeerError::NotSent)
    }

    async fn ask(&self, _: NodeId, _: Lane, _: Service, _: Bytes, _: Duration) -> Result<Bytes, PeerError> {
        Err(PeerError::NotSent)
    }
}

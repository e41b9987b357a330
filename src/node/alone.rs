//! What a cluster of one knows of itself: this node owns every shard, and can't be drained, since nobody else holds what it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::actors::connections::Connections;
use crate::ledger::ids::{EdgeId, ShardId, UserId};
use crate::ports::members::{ClusterView, Members, MembershipError, NodeState, NodeView, ShardView};
use crate::ports::owners::{Owner, Owners};
use crate::ports::peers::NodeId;
use crate::ports::{Read, ShardStatus};
use crate::shard::Shards;

/// This node, as everybody sees it.
pub(super) struct Alone {
    pub(super) name: String,
    /// Addresses, as `host:port`.
    pub(super) http: String,
    pub(super) cluster: String,
    pub(super) shards: Arc<Shards>,
    pub(super) connections: Arc<Connections>,
    pub(super) is_stopping: AtomicBool,
}

impl Alone {
    /// The node is about to stop.
    pub(super) fn stops(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    fn state(&self) -> NodeState {
        if self.is_stopping.load(Ordering::Relaxed) {
            return NodeState::Draining;
        }
        if self.not_ready().is_empty() { NodeState::Ready } else { NodeState::NotReady }
    }

    fn shard(&self, status: &ShardStatus) -> ShardView {
        ShardView {
            shard: status.shard,
            leader: status.leader.filter(|leader| *leader == self.me().0).map(NodeId),
            term: status.term,
            voters: vec![self.me()],
            learners: Vec::new(),
            applied_index: status.applied_index,
            users: status.counts.users,
            lag: status.is_owner.then_some(0),
        }
    }
}

#[async_trait]
impl Members for Alone {
    fn view(&self) -> ClusterView {
        let shards: Vec<ShardView> = self.shards.status().iter().map(|status| self.shard(status)).collect();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let node = NodeView {
            name: self.name.clone(),
            id: self.me(),
            http: self.http.clone(),
            cluster: self.cluster.clone(),
            state: self.state(),
            leaders: count(shards.iter().filter(|shard| shard.leader.is_some()).count()),
            replicas: count(shards.len()),
            connections: Some(self.connections.count() as u64),
        };
        ClusterView { cluster_id: self.shards.cluster_id().to_owned(), nodes: vec![node], shards }
    }

    fn not_ready(&self) -> Vec<String> {
        let reason = |status: &ShardStatus| match status.leader {
            _ if status.is_owner => None,
            None => Some(format!("shard {} has no leader", status.shard)),
            Some(_) => Some(format!("shard {} is being taken over", status.shard)),
        };
        self.shards.status().iter().filter_map(reason).collect()
    }

    async fn drain(&self, name: &str) -> Result<(), MembershipError> {
        Err(if name == self.name { MembershipError::LastNode } else { MembershipError::Unknown })
    }

    async fn remove(&self, name: &str) -> Result<(), MembershipError> {
        self.drain(name).await
    }
}

impl Owners for Alone {
    fn me(&self) -> NodeId {
        self.shards.node_id()
    }

    fn shard_of(&self, user: &UserId) -> ShardId {
        Read::shard_of(self.shards.as_ref(), user)
    }

    fn owner_of(&self, shard: ShardId) -> Option<Owner> {
        let status = self.shards.status().into_iter().find(|status| status.shard == shard)?;
        status.is_owner.then(|| Owner { node: self.me(), term: status.term, link: 0 })
    }

    fn is_valid(&self, shard: ShardId, term: u64) -> bool {
        self.owner_of(shard).is_some_and(|owner| owner.term == term)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    fn name_of_edge(&self, _edge: EdgeId) -> Option<String> {
        Some(self.name.clone())
    }

    fn name_of(&self, node: NodeId) -> Option<String> {
        (node == self.me()).then(|| self.name.clone())
    }
}

//! The seam to the cluster as a whole: which nodes and shards it has, how they are, and how a node is drained or taken out. `cluster` plugs in what it knows;
//! routes show it. Plain values: what is shown is as old as the last word of the node that it is about.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::peers::NodeId;
use crate::ledger::ids::ShardId;

/// The nodes and shards of the cluster, as this node sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterView {
    /// Empty while the node has not joined.
    pub cluster_id: String,
    /// In the order of their ids.
    pub nodes: Vec<NodeView>,
    /// In the order of their numbers, all of them.
    pub shards: Vec<ShardView>,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    pub name: String,
    pub id: NodeId,
    /// Where publishers and clients reach it, as `host:port`.
    pub http: String,
    /// Where the other nodes reach it, as `host:port`.
    pub cluster: String,
    pub state: NodeState,
    /// Shards that it leads.
    pub leaders: u32,
    /// Shards that it is a voter or a learner of.
    pub replicas: u32,
    /// Client connections that it holds; none while it says nothing.
    pub connections: Option<u64>,
}

/// How a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It was accepted, and does not hold all the replicas yet that it is to hold.
    Joining,
    /// It serves.
    Ready,
    /// It is reached, and says itself that it can't serve.
    NotReady,
    /// It is to lead nothing and hold no connections, or is about to stop; it may still do so.
    Draining,
    /// It is being taken out for good.
    Leaving,
    /// Nothing is heard of it.
    Unreachable,
}

impl NodeState {
    pub const ALL: [NodeState; 6] =
        [NodeState::Joining, NodeState::Ready, NodeState::NotReady, NodeState::Draining, NodeState::Leaving, NodeState::Unreachable];

    /// The word, as the API says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            NodeState::Joining => "joining",
            NodeState::Ready => "ready",
            NodeState::NotReady => "not_ready",
            NodeState::Draining => "draining",
            NodeState::Leaving => "leaving",
            NodeState::Unreachable => "unreachable",
        }
    }
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardView {
    pub shard: ShardId,
    /// The node that owns it; none while that isn't known.
    pub leader: Option<NodeId>,
    pub term: u64,
    pub voters: Vec<NodeId>,
    pub learners: Vec<NodeId>,
    /// Of the owner's ledger, as far as it is known here.
    pub applied_index: u64,
    pub users: u64,
    /// Log entries that the slowest replica is behind its leader, which alone knows; none while it doesn't say.
    pub lag: Option<u64>,
}

/// Why a change of the members was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum MembershipError {
    /// No node has this name.
    #[error("the cluster has no node of this name")]
    Unknown,
    /// It lives, and still holds replicas: a node is drained before it is taken out.
    #[error("the node is alive and not drained; hint: drain it first")]
    NotDrained,
    /// A cluster without nodes would hold nothing.
    #[error("it is the last node that can hold the shards; hint: have another one join first")]
    LastNode,
    /// Without it too few of the shard's voters are left that are alive.
    #[error("shard {shard} would lose its majority; hint: bring its other replicas back first")]
    WouldLoseMajority { shard: ShardId },
    /// Whether it was done isn't known, or there is no majority to do it. Safe to try again: all of it is idempotent.
    #[error("the cluster can't change its members now; hint: try again in a second")]
    Unavailable,
}

/// What is known of the members, and how they are changed. At any node.
#[async_trait]
pub trait Members: Send + Sync {
    /// What is known now. Cheap enough to be asked every second by many.
    fn view(&self) -> ClusterView;

    /// Why this node can't serve: it has not joined, knows no owner of some shard, is being drained or taken out. In words for people; nothing when it can serve.
    fn not_ready(&self) -> Vec<String>;

    /// Has a node lead nothing and hold no connections from now on; its replicas stay until it is removed, or started again. Returns when the cluster has agreed to it; the moving goes on by itself, whoever asked. Done again, it
    /// changes nothing.
    ///
    /// # Errors
    /// [`MembershipError`].
    async fn drain(&self, name: &str) -> Result<(), MembershipError>;

    /// Takes a dead or drained node out for good. Returns when the cluster has agreed to it. Its id is never given again.
    ///
    /// # Errors
    /// [`MembershipError`].
    async fn remove(&self, name: &str) -> Result<(), MembershipError>;
}

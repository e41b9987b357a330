//! What can be asked of the meta group. Every command is safe to send again. What depends on the world outside, such as who can be reached, its sender puts in.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::meta::{Difference, Placed, Settings};
use crate::ledger::ids::{EdgeId, ShardId};
use crate::ports::peers::NodeId;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// The first node makes the cluster. A founded cluster stays as it is.
    Found { node: NodeId, introduction: Introduction, settings: Settings },
    /// A node asks to become a member. The same uuid gets the same id again. `replaces` is the member with its name, if that does not answer.
    AddNode { introduction: Introduction, settings: Settings, replaces: Option<NodeId> },
    /// A member has started, and says where it is.
    Announce { node: NodeId, introduction: Introduction, settings: Settings },
    /// A node is to lead nothing.
    Drain { node: NodeId },
    /// A node is to be taken out for good.
    Remove { node: NodeId, reach: Reach },
    /// A leaving node holds nothing any more.
    Gone { node: NodeId },
    /// Where replicas are wanted. Void if nodes or settings have changed since `nodes_revision`.
    SetPlacement { nodes_revision: u64, placement: BTreeMap<ShardId, Placed>, meta_voters: Vec<NodeId> },
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    pub uuid: String,
    pub name: String,
    /// Where publishers and clients reach it.
    pub http: String,
    /// Where the other nodes reach it.
    pub cluster: String,
    /// This run of it.
    pub run: EdgeId,
}

/// Whether a node answers, as the sender of a command sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    Reachable,
    Unreachable,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// It is so now, or was before.
    Done,
    /// The node is a member under this id.
    Added { node: NodeId },
    /// The node is announced; these settings were others before, by name.
    Announced { changed: Option<Difference> },
    /// Nothing was changed.
    Refused(Refusal),
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    #[error("the cluster has not been founded yet; hint: try again in a second")]
    NotFounded,
    #[error("the command is not understood; hint: run the same version of engage on all nodes")]
    NotUnderstood,
    #[error(transparent)]
    Setting(#[from] Difference),
    #[error("another node with the name {name} is a member and answers; hint: choose another node.name")]
    NameTaken { name: String },
    #[error("this node was removed from the cluster; hint: wipe its data directory, then `engage join`")]
    Removed,
    #[error("node {node} is not known")]
    Unknown { node: NodeId },
    #[error("node {name} answers and is not drained; hint: `engage drain {name}` first")]
    NotDrained { name: String },
    #[error("no other node could take over from {name}; hint: join another node first")]
    LastNode { name: String },
    #[error("the cluster has {max} nodes, the most that it may have; hint: `engage remove` those that are gone")]
    TooManyNodes { max: usize },
    #[error("nodes have changed since the placement was made")]
    Stale,
}

//! How a join goes on, for whoever watches it. A node that joins tells each stage as it is reached; a stage may be told again, after a link broke.

use std::sync::Arc;

/// Tells how a join goes on. Called on the node's threads: must not block for long.
pub type Watcher = Arc<dyn Fn(Progress) + Send + Sync>;

/// A stage of a join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A link to this peer is being made; `attempt` counts from 1.
    Connecting { peer: String, attempt: u32 },
    /// It could not be reached, or broke off; it is tried again. `why` is for people.
    Retrying { peer: String, why: String },
    /// The cluster has taken the node in, under this id; or it was a member before.
    Accepted { node_id: u64, cluster_id: String },
    /// So many of the replicas that it is to hold have caught up.
    CaughtUp { done: u32, all: u32 },
    /// It serves.
    Ready,
}

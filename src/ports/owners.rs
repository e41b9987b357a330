//! The seam to what is known of owners: which node leads the shard of a user, and whether its word may still be believed.

use std::time::Duration;

use tokio::sync::watch;

use super::peers::NodeId;
use crate::ledger::ids::{EdgeId, ShardId, UserId};

/// Who owns a shard. Two that are equal are the same reign over the same unbroken link: what was said in it was said in order, and nothing of it is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    pub node: NodeId,
    /// The Raft term in which it took over.
    pub term: u64,
    /// Counts the links to that node; 0 for this node itself.
    pub link: u64,
}

/// What a node knows of the owners of all shards.
pub trait Owners: Send + Sync {
    /// This node.
    fn me(&self) -> NodeId;
    /// The shard of a user.
    fn shard_of(&self, user: &UserId) -> ShardId;
    /// The owner with the newest term; none while it is not known, can't be reached, or its lease has run out.
    fn owner_of(&self, shard: ShardId) -> Option<Owner>;
    /// Whether an owner's word may be acted on at this very moment: no newer term is known, and a majority stood behind it less than `cluster.lease` ago, by the
    /// monotonic clock of this node. Cheap; asked at each sending.
    fn is_valid(&self, shard: ShardId, term: u64) -> bool;
    /// How much is left of the lease that a connection had under the owner in this term, whatever has become of that owner since: until it ends, the ledger gives nothing
    /// away that the connection holds. Nothing of terms that are long gone.
    fn lease_left(&self, shard: ShardId, term: u64) -> Duration;
    /// Changes whenever an owner does.
    fn changed(&self) -> watch::Receiver<u64>;
    /// The name of the node that runs, or ran, as this edge.
    fn name_of_edge(&self, edge: EdgeId) -> Option<String>;
    /// The name of a node.
    fn name_of(&self, node: NodeId) -> Option<String>;
}

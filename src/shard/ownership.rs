//! What this node knows of who owns which shard, and the changes of members that the leader of a shard makes.

use tokio::sync::watch;

use super::change_error::ChangeError;
use super::error::ShardError;
use super::group::Owned;
use super::members::Members;
use super::shards::Shards;
use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;

impl Shards {
    /// The shards that this node owns, and how fresh that is. Cheap.
    #[must_use]
    pub fn ownership(&self) -> Vec<Owned> {
        self.groups.iter().filter_map(|group| group.owned()).collect()
    }

    /// Changes whenever this node begins or ceases to own a shard.
    #[must_use]
    pub fn ownership_changed(&self) -> watch::Receiver<u64> {
        self.ownership_changed.clone()
    }

    /// The last leader that this node's replica knows of, and its term. It may have died since.
    #[must_use]
    pub fn leader_hint(&self, shard: ShardId) -> Option<(NodeId, u64)> {
        let group = self.groups.peek(shard)?;
        group.core.look(|metrics| metrics.current_leader.map(|leader| (NodeId(leader), metrics.current_term)))
    }

    /// The newest term that this node's replica knows of; 0 where there is none.
    #[must_use]
    pub fn newest_term(&self, shard: ShardId) -> u64 {
        self.groups.peek(shard).map_or(0, |group| group.core.look(|metrics| metrics.current_term))
    }

    /// Whether this node is the only voter of every group: then there is nobody to wait for.
    ///
    /// # Errors
    /// [`ShardError::Raft`], where a group has failed.
    pub async fn is_alone(&self) -> Result<bool, ShardError> {
        for group in self.groups.iter() {
            if !group.core.is_alone().await? {
                return Ok(false);
            }
        }
        self.groups.meta.core.is_alone().await
    }

    /// The members of a shard, as this node's replica knows them; none while it knows of none.
    #[must_use]
    pub fn members(&self, shard: ShardId) -> Option<Members> {
        let group = self.groups.peek(shard)?;
        let users = if group.core.machine.is_broken() { 0 } else { group.ledger.read(|ledger| ledger.counts().users) };
        group.core.members().map(|members| Members { users, ..members })
    }

    /// Adds a node that follows the shard's log without a vote. Already a member: nothing to do.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn add_learner(&self, shard: ShardId, node: NodeId, name: &str) -> Result<(), ChangeError> {
        self.groups.shard(shard).ok_or(ChangeError::NoGroup)?.core.add_learner(node, name).await
    }

    /// Makes these nodes the voters of a shard: learners that have caught up, or voters by now. Voters that are not among them leave the group. The leader
    /// must stay.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn set_voters(&self, shard: ShardId, voters: &[NodeId]) -> Result<(), ChangeError> {
        self.groups.shard(shard).ok_or(ChangeError::NoGroup)?.core.set_voters(voters).await
    }

    /// Takes a learner out of a shard. No member any more: nothing to do.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn remove_learner(&self, shard: ShardId, node: NodeId) -> Result<(), ChangeError> {
        self.groups.shard(shard).ok_or(ChangeError::NoGroup)?.core.remove_learner(node).await
    }

    /// Has another voter lead a shard, and waits until it does: one that has answered lately and has nearly everything. Takes some ms; where the voter does not
    /// take the lead in time, this node runs for it again.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn transfer(&self, shard: ShardId, to: NodeId) -> Result<(), ChangeError> {
        self.groups.shard(shard).ok_or(ChangeError::NoGroup)?.transfer(to).await
    }
}

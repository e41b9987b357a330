//! Changes of a group's members, made by its leader, one at a time. Each can be broken off at any moment and asked for again.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use openraft::ChangeMembers;
use openraft::errors::{ChangeMembershipError, ClientWriteError, RaftError};
use tracing::info;

use super::change_error::ChangeError;
use super::members::Members;
use super::raft_group::RaftGroup;
use super::types::{Node, TypeConfig, group_name};
use crate::ports::peers::NodeId;

/// A learner that is further behind does not become a voter: commits might have to wait for it.
const LAG_MAX: u64 = 256;
/// Who has not answered for so many heartbeats does not count as alive.
const HEARTBEATS_MAX: u64 = 10;

impl RaftGroup {
    /// The members, as this node sees them; none while it knows of no members.
    pub fn members(&self) -> Option<Members> {
        self.look(Members::of)
    }

    /// Adds a node that follows the log without a vote. Already a member: nothing to do.
    pub async fn add_learner(&self, node: NodeId, name: &str) -> Result<(), ChangeError> {
        let _one = self.changing.try_lock().map_err(|_| ChangeError::Busy)?;
        if self.led_members()?.has(node) {
            return Ok(());
        }
        let learner = Node { name: name.to_owned() };
        self.change(self.raft.add_learner(node.0, learner, false)).await?;
        info!(shard = group_name(self.id), node = node.0, "learner added");
        Ok(())
    }

    /// Makes these nodes, learners or voters by now, the voters. Voters that are not among them leave. In one change, which goes through a joint state: a
    /// majority of both sides must be there.
    pub async fn set_voters(&self, voters: &[NodeId]) -> Result<(), ChangeError> {
        let _one = self.changing.try_lock().map_err(|_| ChangeError::Busy)?;
        let members = self.led_members()?;
        let wanted: BTreeSet<NodeId> = voters.iter().copied().collect();
        self.check_voters(&members, &wanted)?;
        if members.is_settled && members.voters.iter().copied().eq(wanted.iter().copied()) {
            return Ok(());
        }
        let ids: BTreeSet<u64> = wanted.iter().map(|node| node.0).collect();
        self.change(self.raft.change_membership(ChangeMembers::ReplaceAllVoters(ids.clone()), false)).await?;
        info!(shard = group_name(self.id), voters = ?ids, "voters changed");
        Ok(())
    }

    /// Takes a learner out. No member any more: nothing to do.
    pub async fn remove_learner(&self, node: NodeId) -> Result<(), ChangeError> {
        let _one = self.changing.try_lock().map_err(|_| ChangeError::Busy)?;
        let members = self.led_members()?;
        if members.voters.contains(&node) {
            return Err(ChangeError::Voter { node });
        }
        if !members.has(node) {
            return Ok(());
        }
        self.change(self.raft.change_membership(ChangeMembers::RemoveNodes(BTreeSet::from([node.0])), false)).await?;
        info!(shard = group_name(self.id), node = node.0, "learner removed");
        Ok(())
    }

    /// The members, if this node leads.
    pub fn led_members(&self) -> Result<Members, ChangeError> {
        if let Some(reason) = self.failure() {
            return Err(ChangeError::Failed(reason));
        }
        let members = self.members().ok_or(ChangeError::NotLeader { leader: None })?;
        if members.is_leader { Ok(members) } else { Err(ChangeError::NotLeader { leader: members.leader }) }
    }

    /// Whether a member has answered lately, and is no more than `lag_max` entries behind.
    pub fn is_close(&self, members: &Members, node: NodeId, lag_max: u64) -> bool {
        let answered_max_ms = HEARTBEATS_MAX * self.tuning.heartbeat_ms;
        let is_close =
            |lag: u64, answered_ms_ago: Option<u64>| lag <= lag_max && answered_ms_ago.is_some_and(|age_ms| age_ms <= answered_max_ms);
        node == self.me || members.follower(node).is_some_and(|follower| is_close(follower.lag, follower.answered_ms_ago))
    }

    fn check_voters(&self, members: &Members, wanted: &BTreeSet<NodeId>) -> Result<(), ChangeError> {
        if wanted.is_empty() {
            return Err(ChangeError::NoVoters);
        }
        if !wanted.contains(&self.me) {
            return Err(ChangeError::Leads);
        }
        for &node in wanted {
            if !members.has(node) {
                return Err(ChangeError::NotMember { node });
            }
            if !members.voters.contains(&node) && !self.is_close(members, node, LAG_MAX) {
                return Err(ChangeError::Lagging { node });
            }
        }
        // A joint state that has no majority could neither go on nor back.
        let away: Vec<NodeId> = wanted.iter().copied().filter(|node| !self.is_close(members, *node, u64::MAX)).collect();
        match away.first() {
            Some(&node) if 2 * (wanted.len() - away.len()) <= wanted.len() => Err(ChangeError::Lagging { node }),
            _ => Ok(()),
        }
    }

    async fn change<T>(
        &self,
        change: impl Future<Output = Result<T, RaftError<TypeConfig, ClientWriteError<TypeConfig>>>>,
    ) -> Result<(), ChangeError> {
        let timeout = Duration::from_millis(self.tuning.change_timeout_ms);
        let result = tokio::time::timeout(timeout, change).await.map_err(|_| ChangeError::TimedOut)?;
        result.map(drop).map_err(judge)
    }
}

fn judge(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> ChangeError {
    let error = match error {
        RaftError::APIError(error) => error,
        RaftError::Fatal(fatal) => return ChangeError::Failed(fatal.to_string()),
    };
    match error {
        ClientWriteError::ForwardToLeader(forward) => ChangeError::NotLeader { leader: forward.leader_id.map(NodeId) },
        ClientWriteError::LogEntryDiscarded(_) => ChangeError::TimedOut,
        ClientWriteError::PreconditionFailed(_) => ChangeError::Busy,
        ClientWriteError::ChangeMembershipError(error) => match error {
            ChangeMembershipError::InProgress(_) | ChangeMembershipError::UncommittedLeaderLog(_) => ChangeError::Busy,
            ChangeMembershipError::LearnerNotFound(error) => ChangeError::NotMember { node: NodeId(error.node_id) },
            ChangeMembershipError::EmptyMembership(_) => ChangeError::NoVoters,
            error => ChangeError::Failed(error.to_string()),
        },
    }
}

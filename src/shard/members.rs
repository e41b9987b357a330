//! Who belongs to a group, and how far each of them is: read off openraft's metrics. Changes nothing.

use std::collections::BTreeSet;

use openraft::{Instant, ServerState};
use serde::{Deserialize, Serialize};

use super::types::Metrics;
use crate::ports::ShardStatus;
use crate::ports::peers::NodeId;

/// The members of a group, as one node sees them. Only its leader knows how far the others are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members {
    /// The leader, if it is known. It may have died since.
    pub leader: Option<NodeId>,
    /// The node that was asked leads.
    pub is_leader: bool,
    pub term: u64,
    /// In a joint state those of both sides.
    pub voters: Vec<NodeId>,
    pub learners: Vec<NodeId>,
    /// The last entry that this node has applied, and the last that it has.
    pub applied_index: u64,
    pub last_index: u64,
    /// All members but the leader; empty where this node does not lead.
    pub followers: Vec<Follower>,
    /// A change of the voters is half done: to set them again finishes it.
    pub is_joint: bool,
    /// No change is under way.
    pub is_settled: bool,
    /// Users in the ledger of this node; 0 of the meta group.
    pub users: u64,
}

/// How far a member is behind its leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follower {
    pub node: NodeId,
    /// Entries that it is not known to have.
    pub lag: u64,
    /// How long ago the leader sent the last message that it has answered; none where it never did.
    pub answered_ms_ago: Option<u64>,
}

impl Members {
    /// None while the group has no members that this node knows of.
    pub(super) fn of(metrics: &Metrics) -> Option<Members> {
        let stored = &metrics.membership_config;
        let membership = stored.membership();
        let voters: Vec<NodeId> = membership.voter_ids().map(NodeId).collect();
        if voters.is_empty() {
            return None;
        }
        let is_joint = membership.get_joint_config().len() > 1;
        Some(Members {
            leader: metrics.current_leader.map(NodeId),
            is_leader: metrics.state == ServerState::Leader,
            term: metrics.current_term,
            voters,
            learners: membership.learner_ids().map(NodeId).collect(),
            applied_index: metrics.last_applied.map_or(0, |last| last.index),
            last_index: metrics.last_log_index.unwrap_or(0),
            followers: followers(metrics),
            is_joint,
            is_settled: !is_joint && metrics.committed_membership_config.log_id() == stored.log_id(),
            users: 0,
        })
    }

    /// A member other than the leader.
    #[must_use]
    pub fn follower(&self, node: NodeId) -> Option<&Follower> {
        self.followers.iter().find(|follower| follower.node == node)
    }

    /// Whether a node is a voter or a learner.
    #[must_use]
    pub fn has(&self, node: NodeId) -> bool {
        self.voters.contains(&node) || self.learners.contains(&node)
    }
}

fn followers(metrics: &Metrics) -> Vec<Follower> {
    let (Some(replication), Some(heartbeat)) = (&metrics.replication, &metrics.heartbeat) else { return Vec::new() };
    let next_index = metrics.last_log_index.map_or(0, |last| last + 1);
    let others = replication.iter().filter(|(node, _)| **node != metrics.id);
    others
        .map(|(node, matched)| Follower {
            node: NodeId(*node),
            lag: next_index.saturating_sub(matched.map_or(0, |matched| matched.index + 1)),
            answered_ms_ago: heartbeat.get(node).and_then(|at| *at).map(|at| whole_ms(at.elapsed())),
        })
        .collect()
}

/// A majority stood behind this node that long ago, if it leads; none where it is not known yet.
pub(super) fn quorum_age_ms(metrics: &Metrics) -> Option<u64> {
    let me = BTreeSet::from([metrics.id]);
    // openraft does not note when a node agreed with itself.
    if *metrics.membership_config.membership().get_joint_config() == [me] {
        return Some(0);
    }
    metrics.last_quorum_acked.map(|at| whole_ms(at.elapsed()))
}

/// Rounded up: what is told of an age must not be less than it is.
fn whole_ms(age: std::time::Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// What a shard's status tells of its members.
pub(super) fn fill(status: &mut ShardStatus, metrics: &Metrics) {
    status.leader = metrics.current_leader;
    status.term = metrics.current_term;
    status.snapshot_index = metrics.snapshot.map_or(0, |snapshot| snapshot.index);
    if let Some(members) = Members::of(metrics) {
        status.is_leader = members.is_leader;
        status.lag = members.followers.iter().map(|follower| (follower.node, follower.lag)).collect();
        status.voters = members.voters;
        status.learners = members.learners;
    }
}

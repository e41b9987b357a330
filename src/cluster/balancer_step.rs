//! The next step that brings one group to where it is wanted: a pure function of what is wanted and what its leader sees, so that the work can be broken off at any step
//! and gone on with by another node.
//!
//! learner → caught up → voters swapped in one joint change → leader moved → learners that nobody wants removed. A replacement comes first, then what it replaces goes.

use std::collections::{BTreeMap, BTreeSet};

use super::balancer_ops::{GroupMembers, Step};
use crate::ports::peers::NodeId;

/// A member that lacks no more entries than this is caught up: the rest comes within a round trip.
pub const CAUGHT_UP_LAG: u64 = 128;

/// How a group should be.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub voters: Vec<NodeId>,
    /// Who follows without a vote.
    pub learners: BTreeSet<NodeId>,
    /// Who should lead; any that may, if none is named.
    pub leader: Option<NodeId>,
}

/// How the nodes are.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub reachable: BTreeSet<NodeId>,
    pub may_lead: BTreeSet<NodeId>,
    /// What they are called in the memberships that the groups keep.
    pub names: BTreeMap<NodeId, String>,
}

/// What is to be done with a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is as it should be, or as near to it as it can be without nodes that can't be reached.
    Done,
    /// A learner is catching up.
    Wait,
    Do(Step),
}

/// What comes next.
#[must_use]
pub fn next_step(wanted: &Wanted, leader: NodeId, members: &GroupMembers, live: &Live) -> Next {
    let view = View { wanted, leader, members, live };
    if let Some(node) = view.to_add() {
        return Next::Do(Step::AddLearner { node, name: live.names.get(&node).cloned().unwrap_or_default() });
    }
    if let Some(step) = view.voters_step() {
        return Next::Do(step);
    }
    if let Some(to) = view.better_leader() {
        return Next::Do(Step::Transfer { to });
    }
    if let Some(node) = view.to_forget() {
        return Next::Do(Step::RemoveLearner { node });
    }
    if view.someone_catches_up() { Next::Wait } else { Next::Done }
}

struct View<'a> {
    wanted: &'a Wanted,
    leader: NodeId,
    members: &'a GroupMembers,
    live: &'a Live,
}

impl View<'_> {
    fn is_voter(&self, node: NodeId) -> bool {
        self.members.voters.contains(&node)
    }

    fn is_member(&self, node: NodeId) -> bool {
        self.is_voter(node) || self.members.learners.contains(&node)
    }

    fn is_reachable(&self, node: NodeId) -> bool {
        self.live.reachable.contains(&node)
    }

    fn is_caught_up(&self, node: NodeId) -> bool {
        node == self.leader || self.members.lags.get(&node).is_some_and(|lag| *lag <= CAUGHT_UP_LAG)
    }

    /// Somebody who should be in the group, is not, and answers.
    fn to_add(&self) -> Option<NodeId> {
        let mut wanted = self.wanted.voters.iter().chain(&self.wanted.learners).copied();
        wanted.find(|node| !self.is_member(*node) && self.is_reachable(*node))
    }

    /// A learner that nobody wants.
    fn to_forget(&self) -> Option<NodeId> {
        let is_wanted = |node: &NodeId| self.wanted.voters.contains(node) || self.wanted.learners.contains(node);
        self.members.learners.iter().copied().find(|node| !is_wanted(node) && !self.is_voter(*node))
    }

    /// Somebody wanted as a voter who answers and is on the way.
    fn someone_catches_up(&self) -> bool {
        self.wanted.voters.iter().any(|node| !self.is_voter(*node) && self.is_reachable(*node) && !self.is_caught_up(*node))
    }

    fn voters_step(&self) -> Option<Step> {
        let target = self.target()?;
        let is_there = same(&target, &self.members.voters);
        if is_there && !self.members.is_joint {
            return None;
        }
        if target.contains(&self.leader) {
            return Some(Step::SetVoters { voters: target });
        }
        // The leader goes too: first it hands over to one that stays.
        let staying = target.iter().copied().filter(|node| self.is_voter(*node));
        match self.fit_leader(staying) {
            Some(to) if !self.members.is_joint => Some(Step::Transfer { to }),
            Some(_) => Some(Step::SetVoters { voters: self.with_leader(target) }),
            // None of those that stay votes yet: the new ones come in beside the leader.
            None => {
                let both = self.with_leader(target);
                (!same(&both, &self.members.voters) || self.members.is_joint).then_some(Step::SetVoters { voters: both })
            }
        }
    }

    fn with_leader(&self, mut voters: Vec<NodeId>) -> Vec<NodeId> {
        voters.push(self.leader);
        voters
    }

    /// Who should vote now; none while it is better to wait. A change that is half done is never waited with: then those who vote go on.
    fn target(&self) -> Option<Vec<NodeId>> {
        let wanted = if self.someone_catches_up() { None } else { self.wanted_now() };
        wanted.or_else(|| self.members.is_joint.then(|| self.members.voters.clone()))
    }

    fn wanted_now(&self) -> Option<Vec<NodeId>> {
        let may_vote = |node: &NodeId| self.is_voter(*node) || (self.is_reachable(*node) && self.is_caught_up(*node));
        let mut target: Vec<NodeId> = self.wanted.voters.iter().copied().filter(may_vote).collect();
        // For those that can't come now, some that are to go stay, if they are of use.
        let lacking = self.wanted.voters.len() - target.len();
        let staying = self.members.voters.iter().copied().filter(|node| !self.wanted.voters.contains(node) && self.is_reachable(*node));
        target.extend(staying.take(lacking));
        (!target.is_empty() && self.has_live_majority(&target)).then_some(target)
    }

    fn has_live_majority(&self, voters: &[NodeId]) -> bool {
        voters.iter().filter(|node| self.is_reachable(**node)).count() * 2 > voters.len()
    }

    /// A voter that should lead instead of the one that does.
    fn better_leader(&self) -> Option<NodeId> {
        if self.wanted.leader == Some(self.leader) {
            return None;
        }
        if let Some(to) = self.fit_leader(self.wanted.leader.into_iter()) {
            return Some(to);
        }
        if self.live.may_lead.contains(&self.leader) {
            return None;
        }
        self.fit_leader(self.members.voters.iter().copied())
    }

    /// The first that could lead at once.
    fn fit_leader(&self, mut nodes: impl Iterator<Item = NodeId>) -> Option<NodeId> {
        let is_fit = |node: &NodeId| {
            *node != self.leader
                && self.is_voter(*node)
                && self.is_reachable(*node)
                && self.is_caught_up(*node)
                && self.live.may_lead.contains(node)
        };
        nodes.find(is_fit)
    }
}

fn same(one: &[NodeId], other: &[NodeId]) -> bool {
    let set = |nodes: &[NodeId]| nodes.iter().copied().collect::<BTreeSet<_>>();
    set(one) == set(other)
}

#[cfg(test)]
#[path = "balancer_step_tests.rs"]
mod tests;

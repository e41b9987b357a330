//! How this node sees itself and the others: who answers, what is ready, who is in which group. Reads the directory, changes nothing.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::balancer_ops::GroupMembers;
use super::directory::{Directory, Neighbour};
use super::meta::Standing;
use super::pulse::{About, Owned};
use crate::clock;
use crate::ledger::ids::ShardId;
use crate::ports::members::NodeState;
use crate::ports::owners::{Owner, Owners};
use crate::ports::peers::NodeId;

/// A shard that has no owner for longer has not merely been handed over, or lost its leader.
const HANDED_OVER_WITHIN_MS: u64 = 2_000;

impl Directory {
    /// What this node says of itself.
    #[must_use]
    pub fn own(&self) -> About {
        self.heard().own.clone()
    }

    /// The last word of another node that can be reached; none if it has not said any.
    #[must_use]
    pub fn neighbour(&self, node: NodeId) -> Option<Neighbour> {
        self.heard().nodes.get(&node).filter(|_| self.is_reachable(node)).cloned()
    }

    /// The nodes that this one has links to.
    #[must_use]
    pub fn linked(&self) -> Vec<NodeId> {
        self.known().links.keys().copied().collect()
    }

    /// Whether a node answers: there is a link to it. Links are watched over by themselves.
    #[must_use]
    pub fn is_reachable(&self, node: NodeId) -> bool {
        node == self.parts.me || self.known().links.contains_key(&node)
    }

    /// The members that answer, this node among them.
    #[must_use]
    pub fn reachable(&self) -> BTreeSet<NodeId> {
        let state = self.parts.meta.state();
        state.members().map(|(node, _)| node).filter(|node| self.is_reachable(*node)).collect()
    }

    /// What the owner of a shard says of it, and who that is; none while there is none.
    #[must_use]
    pub fn shard(&self, shard: ShardId) -> Option<(NodeId, Owned)> {
        let Owner { node, term, .. } = self.owner_of(shard)?;
        let heard = self.heard();
        let about = if node == self.parts.me { &heard.own } else { &heard.nodes.get(&node)?.about };
        about.owned.get(&shard).filter(|owned| owned.term == term).map(|owned| (node, owned.clone()))
    }

    /// Who is in a shard's group, by the word of its owner.
    #[must_use]
    pub fn members_of(&self, shard: ShardId) -> Option<(NodeId, GroupMembers)> {
        self.shard(shard).map(|(node, owned)| (node, owned.members))
    }

    /// Why this node can't serve now; nothing when it can.
    #[must_use]
    pub fn not_ready_reasons(&self) -> Vec<String> {
        let standing = self.parts.meta.state().standing(self.parts.me);
        let joined = match standing {
            Some(Standing::Ready) => None,
            Some(Standing::Draining) => Some("the node is draining"),
            Some(Standing::Leaving | Standing::Removed) => Some("the node is being removed from the cluster"),
            Some(Standing::Joining) | None => Some("the node has not joined yet"),
        };
        let stopping = self.is_stopping().then_some("the node is going away");
        let reasons = stopping.into_iter().chain(joined).map(str::to_owned);
        let ownerless = (0..self.parts.shard_count).filter(|shard| self.is_ownerless(ShardId(*shard)));
        reasons.chain(ownerless.map(|shard| format!("shard {shard} has no leader"))).collect()
    }

    pub(super) fn own_state(&self, now_ms: u64) -> NodeState {
        let standing = self.parts.meta.state().standing(self.parts.me);
        match standing {
            Some(Standing::Leaving | Standing::Removed) => return NodeState::Leaving,
            Some(Standing::Draining) => return NodeState::Draining,
            _ if self.is_stopping() => return NodeState::Draining,
            Some(Standing::Joining | Standing::Ready) | None => {}
        }
        if !self.has_joined.load(Ordering::Relaxed) {
            if !self.catching_up().is_complete() {
                return NodeState::Joining;
            }
            self.has_joined.store(true, Ordering::Relaxed);
        }
        let has_owners = (0..self.parts.shard_count).all(|shard| self.owner_at(ShardId(shard), now_ms).is_some());
        if has_owners { NodeState::Ready } else { NodeState::NotReady }
    }

    /// Whether a shard has no owner, and that is more than one giving way to the next: a moment in which calls wait, and no reason to send clients elsewhere.
    fn is_ownerless(&self, shard: ShardId) -> bool {
        let now_ms = clock::monotonic_ms();
        let seen = &self.owned_at_ms[usize::from(shard.0)];
        if self.owner_of(shard).is_some() {
            seen.store(now_ms, Ordering::Relaxed);
            return false;
        }
        match seen.load(Ordering::Relaxed) {
            0 => true,
            seen_ms => now_ms.saturating_sub(seen_ms) >= HANDED_OVER_WITHIN_MS,
        }
    }

    /// Notes which shards have owners.
    pub(super) fn note_owned(&self) {
        for shard in 0..self.parts.shard_count {
            self.is_ownerless(ShardId(shard));
        }
    }

    /// How far this node holds the replicas that it is to hold.
    #[must_use]
    pub fn catching_up(&self) -> CatchingUp {
        let (state, me) = (self.parts.meta.state(), self.parts.me);
        let is_planned = state.standing(me) == Some(Standing::Ready) && state.placement_revision == state.nodes_revision;
        let mut count = CatchingUp { is_planned, ..CatchingUp::default() };
        for (shard, _) in state.placement.iter().filter(|(_, placed)| placed.voters.contains(&me)) {
            count.all += 1;
            let members = self.members_of(*shard).map(|(_, members)| members).unwrap_or_default();
            count.done += u32::from(members.voters.contains(&me));
        }
        count
    }
}

/// How far a node holds the replicas that it is to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CatchingUp {
    /// The cluster has decided what this node is to hold.
    pub is_planned: bool,
    /// Replicas that have caught up, and vote.
    pub done: u32,
    /// Replicas that it is to hold.
    pub all: u32,
}

impl CatchingUp {
    /// It holds all of them.
    #[must_use]
    pub fn is_complete(self) -> bool {
        self.is_planned && self.done == self.all
    }
}

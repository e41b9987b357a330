//! How this node sees itself and the others: who answers, what is ready, who is in which group. Reads the directory, changes nothing.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::balancer_ops::Members;
use super::directory::{Directory, Neighbour};
use super::meta::{Standing, State};
use super::pulse::{About, NodeState, Owned, interval};
use crate::clock;
use crate::ledger::ids::ShardId;
use crate::ports::owners::{Owner, Owners};
use crate::ports::peers::NodeId;

impl Directory {
    /// What this node says of itself.
    #[must_use]
    pub fn own(&self) -> About {
        self.heard().own.clone()
    }

    /// The last word of another node, if it still counts: it can be reached.
    #[must_use]
    pub fn neighbour(&self, node: NodeId) -> Option<Neighbour> {
        let latest = self.heard().nodes.get(&node).cloned()?;
        let silent_ms = clock::monotonic_ms().saturating_sub(latest.heard_at_ms);
        let bound_ms = 3 * interval(self.parts.lease_ms).as_millis() as u64 + 500;
        (silent_ms <= bound_ms && self.is_linked(node)).then_some(latest)
    }

    /// The members that answer, this node among them.
    #[must_use]
    pub fn reachable(&self) -> BTreeSet<NodeId> {
        let members: Vec<NodeId> = self.parts.meta.state().members().map(|(node, _)| node).collect();
        members.into_iter().filter(|node| *node == self.parts.me || self.neighbour(*node).is_some()).collect()
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
    pub fn members_of(&self, shard: ShardId) -> Option<(NodeId, Members)> {
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
        let ownerless = (0..self.parts.shard_count).filter(|shard| self.owner_of(ShardId(*shard)).is_none());
        reasons.chain(ownerless.map(|shard| format!("shard {shard} has no leader"))).collect()
    }

    pub(super) fn own_state(&self, now_ms: u64) -> NodeState {
        let state = self.parts.meta.state();
        let standing = state.standing(self.parts.me);
        let is_draining = matches!(standing, Some(Standing::Draining | Standing::Leaving | Standing::Removed));
        if self.is_stopping() || is_draining {
            return NodeState::Draining;
        }
        if !self.has_joined.load(Ordering::Relaxed) {
            if standing != Some(Standing::Ready) || !self.holds_what_is_wanted(&state) {
                return NodeState::Joining;
            }
            self.has_joined.store(true, Ordering::Relaxed);
        }
        let has_owners = (0..self.parts.shard_count).all(|shard| self.owner_at(ShardId(shard), now_ms).is_some());
        if has_owners { NodeState::Ready } else { NodeState::NotReady }
    }

    fn holds_what_is_wanted(&self, state: &State) -> bool {
        let me = self.parts.me;
        let mut wanted = state.placement.iter().filter(|(_, placed)| placed.voters.contains(&me));
        wanted.all(|(shard, _)| self.members_of(*shard).is_some_and(|(_, members)| members.voters.contains(&me)))
    }
}

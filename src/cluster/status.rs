//! The cluster as this node sees it, put together from what the nodes say of themselves. Changes nothing but through [`Membership`].

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::directory::Directory;
use super::membership::Membership;
use super::meta::{Member, Standing, State};
use super::pulse::Owned;
use crate::ledger::ids::ShardId;
use crate::ports::members::{ClusterView, Members, MembershipError, NodeState, NodeView, ShardView};
use crate::ports::peers::NodeId;
use crate::ports::{Read, ShardStatus};

/// Implements [`Members`].
pub struct ClusterStatus {
    directory: Arc<Directory>,
    membership: Arc<Membership>,
    /// The shards of this node: what is known of a shard that has no owner.
    local: Arc<dyn Read>,
}

impl ClusterStatus {
    /// Puts the parts together.
    #[must_use]
    pub fn new(directory: Arc<Directory>, membership: Arc<Membership>, local: Arc<dyn Read>) -> ClusterStatus {
        ClusterStatus { directory, membership, local }
    }

    fn shards(&self, state: &State) -> Vec<ShardView> {
        let local: BTreeMap<ShardId, ShardStatus> = self.local.status().into_iter().map(|status| (status.shard, status)).collect();
        let shards = (0..self.directory.shard_count()).map(ShardId);
        shards
            .map(|shard| match self.directory.shard(shard) {
                Some((leader, owned)) => owned_shard(shard, leader, owned),
                None => ownerless(shard, state, local.get(&shard)),
            })
            .collect()
    }

    fn node(&self, (id, member): (NodeId, &Member), shards: &[ShardView]) -> NodeView {
        let is_me = id == self.directory.node();
        let about = if is_me { Some(self.directory.own()) } else { self.directory.neighbour(id).map(|neighbour| neighbour.about) };
        let word = about.as_ref().map(|about| about.state);
        let count = |is_counted: &dyn Fn(&ShardView) -> bool| {
            u32::try_from(shards.iter().filter(|shard| is_counted(shard)).count()).unwrap_or(u32::MAX)
        };
        NodeView {
            name: member.name.clone(),
            id,
            http: member.http.clone(),
            cluster: member.cluster.clone(),
            state: state_of(member.standing, word),
            leaders: count(&|shard| shard.leader == Some(id)),
            replicas: count(&|shard| shard.voters.contains(&id) || shard.learners.contains(&id)),
            connections: about.map(|about| about.connection_count),
        }
    }
}

fn state_of(standing: Standing, word: Option<NodeState>) -> NodeState {
    match (standing, word) {
        (Standing::Leaving | Standing::Removed, _) => NodeState::Leaving,
        (Standing::Joining, _) => NodeState::Joining,
        (_, None) => NodeState::Unreachable,
        (Standing::Draining, Some(_)) => NodeState::Draining,
        (Standing::Ready, Some(word)) => word,
    }
}

fn owned_shard(shard: ShardId, leader: NodeId, owned: Owned) -> ShardView {
    let Owned { term, members, applied_index, user_count, .. } = owned;
    // Who has not answered yet lacks nobody knows how much.
    let others: Vec<_> = members.voters.iter().chain(&members.learners).filter(|node| **node != leader).collect();
    let lags: Option<Vec<u64>> = others.iter().map(|node| members.lags.get(*node).copied()).collect();
    let lag = lags.map(|lags| lags.into_iter().max().unwrap_or(0));
    ShardView {
        shard,
        leader: Some(leader),
        term,
        voters: members.voters,
        learners: members.learners,
        applied_index,
        users: user_count,
        lag,
    }
}

/// What is known of a shard that nobody is known to own.
fn ownerless(shard: ShardId, state: &State, local: Option<&ShardStatus>) -> ShardView {
    ShardView {
        shard,
        leader: None,
        term: local.map_or(0, |local| local.term),
        voters: state.placement.get(&shard).map(|placed| placed.voters.clone()).unwrap_or_default(),
        learners: Vec::new(),
        applied_index: local.map_or(0, |local| local.applied_index),
        users: local.map_or(0, |local| local.counts.users),
        lag: None,
    }
}

#[async_trait]
impl Members for ClusterStatus {
    fn view(&self) -> ClusterView {
        let state = self.directory.meta().state();
        if state.standing(self.directory.node()).is_none() {
            return ClusterView::default();
        }
        let shards = self.shards(&state);
        let nodes = state.members().map(|member| self.node(member, &shards)).collect();
        ClusterView { cluster_id: self.membership.parts.cluster_id.clone(), nodes, shards }
    }

    fn not_ready(&self) -> Vec<String> {
        self.directory.not_ready_reasons()
    }

    async fn drain(&self, name: &str) -> Result<(), MembershipError> {
        self.membership.drain_named(name).await
    }

    async fn remove(&self, name: &str) -> Result<(), MembershipError> {
        self.membership.remove_named(name).await
    }
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;

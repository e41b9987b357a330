//! Where replicas and leaders should lie: a pure function of the nodes and of where they are wanted now. It moves as little as it can.
//!
//! A node that drains keeps its replicas, gets no further ones, and is wanted as a leader nowhere; a node that leaves gets nothing. Over the nodes that may lead, replicas
//! and leaders are even within one.

use std::collections::{BTreeMap, BTreeSet};

use super::meta::{Placed, Standing, State};
use super::placement_leaders;
use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;

/// Most voters of the meta group.
const META_VOTERS_MAX: usize = 5;

/// What a placement is made for.
#[derive(Clone, Debug, Default)]
pub struct Nodes {
    /// May hold replicas and lead.
    pub ready: BTreeSet<NodeId>,
    /// Keep what replicas they have.
    pub draining: BTreeSet<NodeId>,
}

/// How much is to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub shards: u16,
    /// Replicas of each shard, where there are as many nodes.
    pub replication: u16,
}

/// Where replicas are wanted, by shard.
pub type Placement = BTreeMap<ShardId, Placed>;

impl Nodes {
    /// The nodes of a cluster that count.
    #[must_use]
    pub fn of(state: &State) -> Nodes {
        let with = |standing| state.members().filter(|(_, member)| member.standing == standing).map(|(id, _)| id).collect();
        Nodes { ready: with(Standing::Ready), draining: with(Standing::Draining) }
    }

    fn may_hold(&self, node: NodeId) -> bool {
        self.ready.contains(&node) || self.draining.contains(&node)
    }
}

/// Where the replicas and leaders of all shards should lie. Without a node that may lead, all stays as it is.
#[must_use]
pub fn place(nodes: &Nodes, size: Size, current: &Placement) -> Placement {
    if nodes.ready.is_empty() {
        return current.clone();
    }
    let mut board = Board::keep(nodes, size, current);
    board.fill(usize::from(size.replication.max(1)));
    board.even();
    let voters: BTreeMap<ShardId, Vec<NodeId>> = board.voters;
    let leaders = placement_leaders::choose(&nodes.ready, &voters, |shard| current.get(&shard).and_then(|placed| placed.leader));
    voters.into_iter().map(|(shard, voters)| (shard, Placed { leader: leaders.get(&shard).copied(), voters })).collect()
}

/// The voters that the meta group should have: 1, 3 or 5, as there are nodes; those it has go on.
#[must_use]
pub fn meta_voters(nodes: &Nodes, current: &[NodeId]) -> Vec<NodeId> {
    let mut wanted: Vec<NodeId> = current.iter().copied().filter(|node| nodes.ready.contains(node)).collect();
    let draining = current.iter().copied().filter(|node| nodes.draining.contains(node));
    let fresh = nodes.ready.iter().copied().filter(|node| !current.contains(node));
    let draining: Vec<NodeId> = draining.collect();
    // One that drains may be taken out soon, so others go before it.
    wanted.extend(fresh.chain(draining));
    let count = wanted.len().min(META_VOTERS_MAX);
    let odd = if count.is_multiple_of(2) { count.saturating_sub(1) } else { count };
    if odd == 0 {
        return current.to_vec();
    }
    wanted.truncate(odd);
    wanted
}

/// A placement in the making.
struct Board<'a> {
    nodes: &'a Nodes,
    voters: BTreeMap<ShardId, Vec<NodeId>>,
    /// Which replicas lead; they are moved last.
    leaders: BTreeMap<ShardId, NodeId>,
    /// How many replicas each node holds.
    loads: BTreeMap<NodeId, usize>,
}

impl<'a> Board<'a> {
    /// What of the current placement can stay.
    fn keep(nodes: &'a Nodes, size: Size, current: &Placement) -> Board<'a> {
        let loads = nodes.ready.iter().chain(&nodes.draining).map(|node| (*node, 0)).collect();
        let mut board = Board { nodes, voters: BTreeMap::new(), leaders: BTreeMap::new(), loads };
        for shard in (0..size.shards).map(ShardId) {
            let placed = current.get(&shard);
            let mut kept: Vec<NodeId> = Vec::new();
            for node in placed.into_iter().flat_map(|placed| &placed.voters) {
                if nodes.may_hold(*node) && !kept.contains(node) {
                    kept.push(*node);
                    board.add_load(*node);
                }
            }
            board.leaders.extend(placed.and_then(|placed| placed.leader).map(|leader| (shard, leader)));
            board.voters.insert(shard, kept);
        }
        board
    }

    /// Gives each shard as many replicas as it should have, and at least one that may lead.
    fn fill(&mut self, replication: usize) {
        let shards: Vec<ShardId> = self.voters.keys().copied().collect();
        for &shard in &shards {
            while self.voters[&shard].len() > replication {
                self.drop_one(shard);
            }
        }
        for &shard in &shards {
            while self.voters[&shard].len() < replication {
                let Some(node) = self.emptiest_without(shard) else { break };
                self.put(shard, node);
            }
            if !self.voters[&shard].iter().any(|node| self.nodes.ready.contains(node)) {
                self.drop_one(shard);
                let node = self.emptiest_without(shard).expect("there is a node that may lead, and none of them holds it");
                self.put(shard, node);
            }
        }
    }

    /// Moves replicas from the fullest to the emptiest until they differ by one at most.
    fn even(&mut self) {
        loop {
            let ready = || self.nodes.ready.iter().map(|node| (self.loads[node], *node));
            let (Some((most, fullest)), Some((least, emptiest))) =
                (ready().max_by_key(|(load, node)| (*load, std::cmp::Reverse(*node))), ready().min())
            else {
                return;
            };
            if most <= least + 1 {
                return;
            }
            let shard = self.movable(fullest, emptiest).expect("the fuller of two nodes holds a shard that the other does not");
            self.take(shard, fullest);
            self.put(shard, emptiest);
        }
    }

    /// A shard of one node that another does not hold; rather one that the first is not wanted to lead.
    fn movable(&self, from: NodeId, to: NodeId) -> Option<ShardId> {
        let shards = self.voters.iter().filter(|(_, voters)| voters.contains(&from) && !voters.contains(&to)).map(|(shard, _)| *shard);
        shards.min_by_key(|shard| self.leaders.get(shard) == Some(&from))
    }

    /// The node that may lead, does not hold this shard, and holds the fewest replicas.
    fn emptiest_without(&self, shard: ShardId) -> Option<NodeId> {
        let voters = &self.voters[&shard];
        let without = self.nodes.ready.iter().filter(|node| !voters.contains(node));
        // Between nodes that hold as many, the choice is mixed, so that no two nodes hold all the same shards: what one loses then goes to all others.
        without.min_by_key(|node| (self.loads[*node], mix(shard, **node))).copied()
    }

    /// Takes one replica of a shard away: of a node that drains, else of the fullest.
    fn drop_one(&mut self, shard: ShardId) {
        let leader = self.leaders.get(&shard);
        let rank = |node: &&NodeId| (self.nodes.draining.contains(*node), Some(*node) != leader, self.loads[*node]);
        if let Some(node) = self.voters[&shard].iter().max_by_key(rank).copied() {
            self.take(shard, node);
        }
    }

    fn put(&mut self, shard: ShardId, node: NodeId) {
        self.voters.entry(shard).or_default().push(node);
        self.add_load(node);
    }

    fn take(&mut self, shard: ShardId, node: NodeId) {
        self.voters.entry(shard).or_default().retain(|voter| *voter != node);
        *self.loads.get_mut(&node).expect("who holds a replica is counted") -= 1;
    }

    fn add_load(&mut self, node: NodeId) {
        *self.loads.get_mut(&node).expect("who holds a replica is counted") += 1;
    }
}

/// A number for a shard and a node, spread evenly and the same everywhere.
fn mix(shard: ShardId, node: NodeId) -> u64 {
    let mut bytes = [0; 10];
    bytes[..2].copy_from_slice(&shard.0.to_le_bytes());
    bytes[2..].copy_from_slice(&node.0.to_le_bytes());
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;

//! Which replica of each shard should lead, so that leaders are as even over the nodes as the replicas allow, and as few as possible move.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;

/// Who leads which shard. A shard none of whose voters may lead is left out.
pub(super) type Leaders = BTreeMap<ShardId, NodeId>;

/// Chooses leaders among the voters that may lead; `current` goes on where it can.
pub(super) fn choose(
    may_lead: &BTreeSet<NodeId>,
    voters: &BTreeMap<ShardId, Vec<NodeId>>,
    current: impl Fn(ShardId) -> Option<NodeId>,
) -> Leaders {
    let mut choice = Choice::new(may_lead, voters);
    for shard in choice.candidates.keys().copied().collect::<Vec<_>>() {
        if let Some(leader) = current(shard).filter(|leader| choice.candidates[&shard].contains(leader)) {
            choice.set(shard, leader);
        }
    }
    for shard in choice.candidates.keys().copied().collect::<Vec<_>>() {
        if !choice.leaders.contains_key(&shard) {
            let leader = choice.candidates[&shard].iter().min_by_key(|node| (choice.loads[*node], **node)).copied();
            choice.set(shard, leader.expect("a shard without candidates is left out"));
        }
    }
    // Each round brings two loads closer together, so it ends.
    while choice.even_once() {}
    choice.leaders
}

struct Choice {
    /// The voters of each shard that may lead it; invariant: not empty.
    candidates: BTreeMap<ShardId, Vec<NodeId>>,
    leaders: Leaders,
    loads: BTreeMap<NodeId, usize>,
}

impl Choice {
    fn new(may_lead: &BTreeSet<NodeId>, voters: &BTreeMap<ShardId, Vec<NodeId>>) -> Choice {
        let able = |voters: &Vec<NodeId>| voters.iter().copied().filter(|node| may_lead.contains(node)).collect::<Vec<_>>();
        let candidates = voters.iter().map(|(shard, voters)| (*shard, able(voters))).filter(|(_, able)| !able.is_empty()).collect();
        Choice { candidates, leaders: BTreeMap::new(), loads: may_lead.iter().map(|node| (*node, 0)).collect() }
    }

    fn set(&mut self, shard: ShardId, leader: NodeId) {
        if let Some(before) = self.leaders.insert(shard, leader) {
            *self.loads.get_mut(&before).expect("who leads is counted") -= 1;
        }
        *self.loads.get_mut(&leader).expect("who leads is counted") += 1;
    }

    /// Hands one leadership on from a node to one that leads two less, over as few others as possible. Where no node can, the loads are as even as they can be.
    fn even_once(&mut self) -> bool {
        let mut nodes: Vec<NodeId> = self.loads.keys().copied().collect();
        nodes.sort_by_key(|node| (std::cmp::Reverse(self.loads[node]), *node));
        for from in nodes {
            if let Some(path) = self.path_down(from) {
                for (shard, to) in path {
                    self.set(shard, to);
                }
                return true;
            }
        }
        false
    }

    /// The shards to hand on, and to whom, so that a node leads one less and one that leads two less leads one more.
    fn path_down(&self, from: NodeId) -> Option<Vec<(ShardId, NodeId)>> {
        let enough = self.loads[&from].checked_sub(2)?;
        let mut came_by: BTreeMap<NodeId, (NodeId, ShardId)> = BTreeMap::new();
        let mut waiting = VecDeque::from([from]);
        while let Some(node) = waiting.pop_front() {
            if node != from && self.loads[&node] <= enough {
                return Some(walk_back(&came_by, node, from));
            }
            for (shard, _) in self.leaders.iter().filter(|(_, leader)| **leader == node) {
                for next in &self.candidates[shard] {
                    if *next != from && !came_by.contains_key(next) && *next != node {
                        came_by.insert(*next, (node, *shard));
                        waiting.push_back(*next);
                    }
                }
            }
        }
        None
    }
}

fn walk_back(came_by: &BTreeMap<NodeId, (NodeId, ShardId)>, to: NodeId, from: NodeId) -> Vec<(ShardId, NodeId)> {
    let mut path = Vec::new();
    let mut node = to;
    while node != from {
        let (before, shard) = came_by[&node];
        path.push((shard, node));
        node = before;
    }
    path
}

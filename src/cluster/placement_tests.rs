//! What a placement promises, for random clusters and random changes of them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// One change of a cluster.
#[derive(Clone, Debug)]
enum Change {
    Add,
    /// By place among the nodes.
    Remove(usize),
    Drain(usize),
    Return(usize),
    Replicate(u16),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => Just(Change::Add),
        2 => (0_usize..8).prop_map(Change::Remove),
        1 => (0_usize..8).prop_map(Change::Drain),
        1 => (0_usize..8).prop_map(Change::Return),
        1 => (1_u16..6).prop_map(Change::Replicate),
    ]
}

struct World {
    nodes: Nodes,
    size: Size,
    placement: Placement,
    next: u64,
}

impl World {
    fn of(node_count: u64, size: Size) -> World {
        let nodes = Nodes { ready: (1..=node_count).map(NodeId).collect(), draining: BTreeSet::new() };
        let placement = place(&nodes, size, &Placement::new());
        World { nodes, size, placement, next: node_count + 1 }
    }

    fn change(&mut self, change: &Change) {
        let nth = |nodes: &BTreeSet<NodeId>, nth: usize| nodes.iter().nth(nth % nodes.len().max(1)).copied();
        match change {
            Change::Add => {
                self.nodes.ready.insert(NodeId(self.next));
                self.next += 1;
            }
            Change::Remove(place) => {
                let all: BTreeSet<_> = self.nodes.ready.union(&self.nodes.draining).copied().collect();
                let node = nth(&all, *place).expect("there is a node");
                if !self.nodes.draining.remove(&node) && self.nodes.ready.len() > 1 {
                    self.nodes.ready.remove(&node);
                }
            }
            Change::Drain(place) if self.nodes.ready.len() > 1 => {
                let node = nth(&self.nodes.ready, *place).expect("there is a node");
                self.nodes.ready.remove(&node);
                self.nodes.draining.insert(node);
            }
            Change::Drain(_) => {}
            Change::Return(place) => {
                if let Some(node) = nth(&self.nodes.draining, *place) {
                    self.nodes.draining.remove(&node);
                    self.nodes.ready.insert(node);
                }
            }
            Change::Replicate(count) => self.size.replication = *count,
        }
        self.placement = place(&self.nodes, self.size, &self.placement);
    }

    fn check(&self) {
        let Nodes { ready, draining } = &self.nodes;
        assert_eq!(self.placement.len(), usize::from(self.size.shards));
        for (shard, Placed { voters, leader }) in &self.placement {
            let distinct: BTreeSet<_> = voters.iter().collect();
            assert_eq!(distinct.len(), voters.len(), "shard {shard} has two replicas on one node");
            assert!(voters.iter().all(|node| ready.contains(node) || draining.contains(node)), "shard {shard} lies on a node that is gone");
            let held_by_draining = voters.iter().filter(|node| draining.contains(node)).count();
            let possible = usize::from(self.size.replication).min(ready.len() + held_by_draining);
            assert_eq!(voters.len(), possible, "shard {shard} could have more replicas");
            assert!(leader.is_some_and(|leader| ready.contains(&leader) && voters.contains(&leader)), "shard {shard} has no leader");
        }
        assert!(spread(&self.loads()) <= 1, "replicas: {:?}", self.loads());
        if draining.is_empty() {
            assert!(spread(&self.leaders()) <= 1, "leaders: {:?}", self.leaders());
        }
        assert_eq!(place(&self.nodes, self.size, &self.placement), self.placement, "a second time moves something");
    }

    fn count(&self, nodes: impl Iterator<Item = NodeId>) -> BTreeMap<NodeId, usize> {
        let mut counts: BTreeMap<NodeId, usize> = self.nodes.ready.iter().map(|node| (*node, 0)).collect();
        for node in nodes {
            if let Some(count) = counts.get_mut(&node) {
                *count += 1;
            }
        }
        counts
    }

    fn loads(&self) -> BTreeMap<NodeId, usize> {
        self.count(self.placement.values().flat_map(|placed| placed.voters.iter().copied()))
    }

    fn leaders(&self) -> BTreeMap<NodeId, usize> {
        self.count(self.placement.values().filter_map(|placed| placed.leader))
    }

    fn replicas(&self) -> BTreeSet<(ShardId, NodeId)> {
        self.placement.iter().flat_map(|(shard, placed)| placed.voters.iter().map(|node| (*shard, *node))).collect()
    }
}

fn spread(counts: &BTreeMap<NodeId, usize>) -> usize {
    counts.values().max().unwrap_or(&0) - counts.values().min().unwrap_or(&0)
}

proptest! {
    #[test]
    fn replicas_and_leaders_stay_even_whatever_changes(
        node_count in 1_u64..7,
        shards in 1_u16..40,
        replication in 1_u16..6,
        changes in prop::collection::vec(change(), 0..12),
    ) {
        let mut world = World::of(node_count, Size { shards, replication });
        world.check();
        for change in &changes {
            world.change(change);
            world.check();
        }
    }

    #[test]
    fn a_node_more_moves_no_more_than_its_fair_share(node_count in 3_u64..9, shards in 1_u16..64, replication in 1_u16..4) {
        let mut world = World::of(node_count, Size { shards, replication });
        let before = world.replicas();
        world.change(&Change::Add);
        let moved: Vec<_> = world.replicas().difference(&before).copied().collect();
        let fair_share = (usize::from(shards) * usize::from(replication)).div_ceil(node_count as usize + 1);
        prop_assert!(moved.len() <= fair_share, "{} moved, {fair_share} is fair", moved.len());
        prop_assert!(moved.iter().all(|(_, node)| node.0 == node_count + 1), "something moved between old nodes");
    }

    #[test]
    fn a_node_less_moves_little_more_than_what_it_held(node_count in 4_u64..9, shards in 1_u16..64, replication in 1_u16..4, gone in 0_usize..4) {
        let mut world = World::of(node_count, Size { shards, replication });
        let before = world.replicas();
        world.change(&Change::Remove(gone));
        let after = world.replicas();
        let lost = before.iter().filter(|(_, node)| !world.nodes.ready.contains(node)).count();
        let moved = after.difference(&before).count();
        prop_assert!(moved <= lost + lost / 4 + node_count as usize, "{moved} moved, {lost} were lost");
    }

    #[test]
    fn the_meta_group_has_an_odd_number_of_voters_and_keeps_those_it_has(ready in 1_u64..9, draining in 0_u64..3, current in prop::collection::btree_set(1_u64..12, 0..6)) {
        let nodes = Nodes { ready: (1..=ready).map(NodeId).collect(), draining: (ready + 1..=ready + draining).map(NodeId).collect() };
        let current: Vec<NodeId> = current.into_iter().map(NodeId).collect();
        let voters = meta_voters(&nodes, &current);
        prop_assert!([1, 3, 5].contains(&voters.len()));
        prop_assert!(voters.iter().all(|node| nodes.may_hold(*node)));
        prop_assert_eq!(&meta_voters(&nodes, &voters), &voters);
        let kept = current.iter().filter(|node| nodes.ready.contains(node) && voters.contains(node)).count();
        prop_assert_eq!(kept, current.iter().filter(|node| nodes.ready.contains(node)).count().min(voters.len()));
    }
}

#[test]
fn a_shard_whose_only_replica_drains_moves_to_a_node_that_may_lead() {
    let mut world = World::of(2, Size { shards: 6, replication: 1 });
    world.change(&Change::Drain(0));
    world.check();
    assert_eq!(world.leaders(), BTreeMap::from([(NodeId(2), 6)]));
}

#[test]
fn a_draining_node_keeps_its_replicas_and_leads_nothing() {
    let mut world = World::of(3, Size { shards: 16, replication: 3 });
    let before = world.replicas();
    world.change(&Change::Drain(1));
    world.check();
    assert_eq!(world.replicas(), before);
    assert!(world.placement.values().all(|placed| placed.leader != Some(NodeId(2))));
    assert_eq!(world.leaders(), BTreeMap::from([(NodeId(1), 8), (NodeId(3), 8)]));
}

#[test]
fn without_a_node_that_may_lead_all_stays_as_it_is() {
    let world = World::of(3, Size { shards: 4, replication: 3 });
    let nodes = Nodes { ready: BTreeSet::new(), draining: world.nodes.ready.clone() };
    assert_eq!(place(&nodes, world.size, &world.placement), world.placement);
}

//! The plans of 10,000 seeds: they keep the rules, and between them nothing is left out. The rules are checked here by walking through a plan, not by the code that the
//! generator asks.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::Plan;
use crate::plan::cluster::Storage;
use crate::plan::fault::{Fault, Kind};

const SEEDS: u64 = 10_000;

/// What is left of a cluster as a schedule goes on.
struct Walk<'a> {
    plan: &'a Plan,
    /// Places that are not empty, and since when.
    members: BTreeMap<usize, u64>,
    opened: usize,
    destroyed_ms: Vec<u64>,
    /// Until when a place is being stopped and started.
    busy_ms: BTreeMap<usize, u64>,
}

impl Walk<'_> {
    fn of(plan: &Plan) -> Walk<'_> {
        let opened = plan.cluster.nodes.len();
        Walk { plan, members: (0..opened).map(|place| (place, 0)).collect(), opened, destroyed_ms: Vec::new(), busy_ms: BTreeMap::new() }
    }

    fn all(mut self) {
        let mut last_ms = 0;
        for timed in &self.plan.faults {
            let (at_ms, ends_ms) = (timed.at_ms, timed.ends_ms());
            assert!(at_ms >= last_ms && ends_ms <= self.plan.safety_ms, "{timed:?} in {}", self.plan.seed);
            last_ms = at_ms;
            for place in timed.fault.places() {
                assert!(self.members.contains_key(&place), "{timed:?} names an empty place in {}", self.plan.seed);
            }
            self.busy(&timed.fault, at_ms, ends_ms);
            self.change(&timed.fault, at_ms, ends_ms);
        }
    }

    /// A node that is being started is not stopped by another fault.
    fn busy(&mut self, fault: &Fault, at_ms: u64, ends_ms: u64) {
        let places: Vec<usize> = match fault.kind() {
            Kind::Crash | Kind::Pause | Kind::Drain | Kind::Wipe | Kind::Remove => fault.places(),
            Kind::CrashAll | Kind::Rolling => self.members.keys().copied().collect(),
            _ => Vec::new(),
        };
        for place in places {
            let busy_ms = self.busy_ms.insert(place, ends_ms).unwrap_or(0);
            assert!(busy_ms <= at_ms, "{fault:?} at {at_ms} stops a node twice in {}", self.plan.seed);
        }
    }

    fn change(&mut self, fault: &Fault, at_ms: u64, ends_ms: u64) {
        let grown = |walk: &Self| walk.members.values().filter(|since_ms| **since_ms == 0 || **since_ms + 8_000 <= at_ms).count();
        let in_memory = |place: &usize| self.plan.cluster.nodes.get(*place).is_some_and(|node| node.storage == Storage::Memory);
        let loses_a_disk = match fault {
            Fault::Join => {
                self.members.insert(self.opened, at_ms);
                self.opened += 1;
                false
            }
            Fault::Remove { node } => {
                assert!(grown(self) >= 4, "{fault:?} at {at_ms} leaves too few in {}", self.plan.seed);
                self.members.remove(node);
                true
            }
            Fault::Wipe { .. } => true,
            Fault::Crash { node, .. } | Fault::Drain { node, .. } => in_memory(node),
            Fault::CrashAll { .. } | Fault::Rolling { .. } => self.members.keys().any(in_memory),
            _ => false,
        };
        if loses_a_disk {
            assert!(grown(self) + usize::from(matches!(fault, Fault::Remove { .. })) >= 3, "{fault:?} at {at_ms} in {}", self.plan.seed);
            let is_repaired = self.destroyed_ms.last().is_none_or(|last_ms| last_ms + 16_000 <= at_ms);
            assert!(is_repaired && self.destroyed_ms.len() < 2, "{fault:?} at {at_ms} is too much in {}", self.plan.seed);
            self.destroyed_ms.push(ends_ms);
        }
    }
}

#[test]
fn ten_thousand_plans_keep_the_rules() {
    for seed in 0..SEEDS {
        Walk::of(&Plan::of(seed)).all();
    }
}

#[test]
fn ten_thousand_plans_leave_nothing_out() {
    let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
    let (mut overlaps, mut nodes, mut shards, mut empty) = (0, BTreeSet::new(), BTreeSet::new(), 0);
    for seed in 0..SEEDS {
        let plan = Plan::of(seed);
        plan.faults.iter().for_each(|timed| *kinds.entry(timed.fault.kind()).or_default() += 1);
        overlaps += u64::from(plan.faults.windows(2).any(|pair| pair[0].ends_ms() > pair[1].at_ms));
        nodes.insert(plan.cluster.nodes.len());
        shards.insert(plan.cluster.shards);
        empty += u64::from(plan.faults.is_empty());
        assert!((2..=6).contains(&plan.population.users) && (1..=3).contains(&plan.population.devices_max), "{seed}");
        assert!((20_000..=60_000).contains(&plan.safety_ms) && plan.cluster.lease_ms > 2 * plan.cluster.election_max_ms, "{seed}");
    }
    for kind in Kind::ALL {
        // Often enough that 50 seeds have it.
        assert!(kinds.get(&kind).is_some_and(|count| *count > SEEDS / 10), "{kind}: {kinds:?}");
    }
    assert!(overlaps > SEEDS / 2, "only {overlaps} plans have faults that overlap");
    assert!(empty < SEEDS / 50, "{empty} plans have no faults");
    assert_eq!((nodes, shards), (BTreeSet::from([1, 3, 4, 5]), BTreeSet::from([1, 2, 3])));
}

#[test]
fn a_plan_without_some_kinds_is_otherwise_the_same() {
    for seed in 0..200 {
        let whole = Plan::of(seed);
        let tame = Plan::of(seed).keeping(|kind| kind != Kind::Crash && kind != Kind::Join);
        assert!(tame.faults.iter().all(|timed| whole.faults.contains(timed)), "{seed}");
        let places = whole.cluster.nodes.len();
        assert!(tame.faults.iter().all(|timed| timed.fault.places().iter().all(|place| *place < places)), "{seed}");
        assert_eq!(Plan { faults: Vec::new(), ..whole }, Plan { faults: Vec::new(), ..tame });
    }
}

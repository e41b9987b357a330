//! What is broken at a moment, and whether that leaves a majority of any three nodes that see each other. Makes nothing.

use std::collections::BTreeSet;

use engage::history::record::Fault;

use crate::blow::Blow;
use crate::scenario::SEATS;
use crate::support::network::Place;

/// What is broken now.
#[derive(Default)]
pub struct Wounds {
    pub down: BTreeSet<Place>,
    /// Of those that are down: on their disks, nothing is left.
    pub wiped: BTreeSet<Place>,
    pub paused: BTreeSet<Place>,
    /// From, to.
    pub cut: BTreeSet<(Place, Place)>,
    /// What ends in the history, of which node, when all is healed.
    pub ends: Vec<(Place, Fault)>,
    pub has_no_majority: bool,
}

impl Wounds {
    /// A blow is about to be dealt to one, or, where it takes two, to both.
    pub fn add(&mut self, blow: Blow, (victim, other): (Place, Place), members: &[Place]) {
        // Those who are about to leave, and those who are about to come, too.
        let others = (0..SEATS).filter(|place| *place != victim);
        match blow {
            Blow::Kill | Blow::BrokenDisk => {
                self.down.insert(victim);
            }
            Blow::KillAll => self.down.extend(members),
            Blow::Wipe => {
                self.down.insert(victim);
                self.wiped.insert(victim);
            }
            Blow::Pause => {
                self.paused.insert(victim);
            }
            Blow::Cut => self.cut.extend(others.flat_map(|other| [(victim, other), (other, victim)])),
            Blow::CutIn => self.cut.extend(others.map(|other| (other, victim))),
            Blow::CutOut => self.cut.extend(others.map(|other| (victim, other))),
            Blow::PartialCut => self.cut.extend([(victim, other), (other, victim)]),
            Blow::Stutter | Blow::CutClients | Blow::Loss | Blow::Narrow | Blow::ClockJump | Blow::SlowDisk => {}
        }
    }

    /// Whether all but one at most are up and hear each other: then whatever three hold a shard, two of them can go on.
    pub fn leave_a_majority(&self, members: &[Place]) -> bool {
        let is_up = |place: &Place| !self.down.contains(place) && !self.paused.contains(place);
        let agree = |group: &[Place]| {
            let pairs = group.iter().flat_map(|from| group.iter().map(move |to| (*from, *to)));
            group.iter().all(is_up) && pairs.into_iter().all(|pair| !self.cut.contains(&pair))
        };
        let without = |missing: Place| members.iter().copied().filter(|place| *place != missing).collect::<Vec<_>>();
        agree(members) || members.iter().any(|missing| agree(&without(*missing)))
    }
}

#[test]
fn a_majority_is_left_by_one_wound_and_not_by_two() {
    let members = [0, 1, 2];
    for blow in [Blow::Kill, Blow::Pause, Blow::Cut, Blow::CutIn, Blow::CutOut, Blow::PartialCut, Blow::Wipe] {
        let mut wounds = Wounds::default();
        wounds.add(blow, (0, 1), &members);
        assert!(wounds.leave_a_majority(&members), "{blow:?}");
        wounds.add(Blow::Kill, (2, 1), &members);
        assert!(!wounds.leave_a_majority(&members), "{blow:?} and a kill");
    }
    let mut wounds = Wounds::default();
    wounds.add(Blow::KillAll, (0, 1), &members);
    assert!(!wounds.leave_a_majority(&members));
}

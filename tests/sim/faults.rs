//! Carries out the faults of a plan, each at its time, and ends each at its own.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engage::history::fault::Fault as Noted;

use crate::coverage;
use crate::host::Host;
use crate::net::Net;
use crate::operator;
use crate::outside::Outside;
use crate::places::Places;
use crate::plan::Plan;
use crate::plan::cluster::{NodePlan, Storage};
use crate::plan::fault::{Fault, Way};

/// What is still to be done, by time.
pub struct Agenda {
    acts: BTreeMap<(u64, u64), Act>,
    next: u64,
    net: Net,
    outside: Outside,
}

/// Something that is done at a moment.
enum Act {
    Begin(Fault),
    Resume(usize),
    /// These ways are open again, and these nodes well.
    Open(Vec<(usize, usize)>),
    EndDelay(usize),
    EndLoss(usize),
    EndSlow(usize),
    Stop {
        node: usize,
        back_after_us: u64,
    },
}

impl Agenda {
    pub fn of(plan: &Plan, net: Net, outside: Outside) -> Agenda {
        let mut agenda = Agenda { acts: BTreeMap::new(), next: 0, net, outside };
        for timed in &plan.faults {
            agenda.add(timed.at_ms * 1_000, Act::Begin(timed.fault.clone()));
        }
        agenda
    }

    fn add(&mut self, at_us: u64, act: Act) {
        self.next += 1;
        self.acts.insert((at_us, self.next), act);
    }

    /// Does what is due.
    pub fn act(&mut self, places: &mut Places, now: u64, people: &Host) {
        while let Some(first) = self.acts.first_entry().filter(|first| first.key().0 <= now) {
            let act = first.remove();
            self.carry_out(act, places, now, people);
        }
    }

    /// Ends all that goes on, and begins nothing any more.
    pub fn end_all(&mut self, places: &mut Places, now: u64, people: &Host) {
        while let Some((_, act)) = self.acts.pop_first() {
            if !matches!(act, Act::Begin(_)) {
                self.carry_out(act, places, now, people);
            }
        }
        places.start_all(now);
    }

    fn carry_out(&mut self, act: Act, places: &mut Places, now: u64, people: &Host) {
        match act {
            Act::Begin(fault) => self.begin(&fault, places, now, people),
            Act::Resume(node) => places.resume(node, now),
            Act::Open(ways) => {
                {
                    let cuts = &mut self.net.state().weather.cuts;
                    for way in &ways {
                        if let Some(at) = cuts.iter().position(|cut| cut == way) {
                            cuts.remove(at);
                        }
                    }
                }
                self.note_all(places, &ways, now, Noted::Heal);
                places.note_majority(now);
            }
            Act::EndDelay(node) => {
                self.net.state().weather.delays.remove(&node);
                places.note(now, &places.name(node), Noted::Heal);
            }
            Act::EndLoss(node) => {
                self.net.state().weather.losses.remove(&node);
                places.note(now, &places.name(node), Noted::Heal);
            }
            Act::EndSlow(node) => {
                places.slow_disk(node, None);
                places.note(now, &places.name(node), Noted::Heal);
            }
            Act::Stop { node, back_after_us } => places.stop(node, now, back_after_us),
        }
    }

    fn begin(&mut self, fault: &Fault, places: &mut Places, now: u64, people: &Host) {
        coverage::count(fault.kind().counter());
        let ends = now + fault.length_ms() * 1_000;
        match *fault {
            Fault::Crash { node, keeps_unsynced, .. } => {
                places.crash(node, now, keeps_unsynced);
                places.start_at(ends, node);
            }
            Fault::CrashAll { keeps_unsynced, .. } => {
                let up: Vec<usize> = (0..places.count()).filter(|node| places.is_up(*node)).collect();
                for node in up {
                    places.crash(node, now, keeps_unsynced);
                    places.start_at(ends, node);
                }
            }
            Fault::Wipe { node, .. } => {
                // As long as the others don't hold all, this would be the loss of a majority for good, which nothing is promised for.
                if places.can_lose(node) {
                    places.wipe(node, now);
                } else {
                    coverage::count("wipe_spared");
                    places.crash(node, now, false);
                }
                places.start_at(ends, node);
            }
            Fault::Pause { node, .. } => {
                places.pause(node, now);
                self.add(ends, Act::Resume(node));
            }
            Fault::Cut { .. } | Fault::CutBoth { .. } | Fault::Split { .. } | Fault::Partial { .. } | Fault::Isolate { .. } => {
                let ways = ways_of(fault, places.count());
                self.cut(places, (now, ends), ways);
            }
            Fault::Delay { node, delay_ms, .. } => {
                self.net.state().weather.delays.insert(node, delay_ms * 1_000);
                places.note(now, &places.name(node), Noted::Delay);
                self.add(ends, Act::EndDelay(node));
            }
            Fault::Loss { node, per_mille, .. } => {
                self.net.state().weather.losses.insert(node, per_mille);
                places.note(now, &places.name(node), Noted::Loss);
                self.add(ends, Act::EndLoss(node));
            }
            Fault::BreakLink { a, b } => self.break_link(places, now, [a, b]),
            Fault::DropClients { node } => {
                places.note(now, &places.name(node), Noted::DropClients);
                places.drop_clients(node, now);
            }
            Fault::SlowDisk { node, sync_ms, .. } => {
                places.slow_disk(node, Some(Duration::from_millis(sync_ms)));
                places.note(now, &places.name(node), Noted::SlowDisk);
                self.add(ends, Act::EndSlow(node));
            }
            Fault::ClockJump { node, by_ms } => {
                places.note(now, &places.name(node), Noted::ClockJump);
                places.jump(node, by_ms);
            }
            Fault::Join | Fault::Drain { .. } | Fault::Remove { .. } => self.operate(fault, places, now, people),
            Fault::Rolling { down_ms, each_ms, nodes } => {
                for node in 0..nodes.min(places.count()) {
                    self.add(now + node as u64 * each_ms * 1_000, Act::Stop { node, back_after_us: down_ms * 1_000 });
                }
            }
        }
    }

    fn break_link(&self, places: &Places, now: u64, [a, b]: [usize; 2]) {
        self.net.break_between(a, b);
        for node in [a, b] {
            places.note(now, &places.name(node), Noted::Loss);
            places.note(now, &places.name(node), Noted::Heal);
        }
    }

    /// What operators do.
    fn operate(&mut self, fault: &Fault, places: &mut Places, now: u64, people: &Host) {
        let ends = now + fault.length_ms() * 1_000;
        match *fault {
            Fault::Join => {
                let node = places.open(NodePlan { storage: Storage::Disk, wall_skew_ms: 0, sync_us: 500, sync_jitter_us: 500 });
                places.note(now, &places.name(node), Noted::Join);
                places.start_at(now, node);
            }
            Fault::Drain { node, .. } => {
                let (name, outside) = (places.name(node), self.outside.clone());
                places.note(now, &name, Noted::Drain);
                let until = Rc::new(move || crate::post::now_us() >= ends);
                people.within(async { drop(tokio::task::spawn_local(operator::drain(outside, name, until))) });
                self.add(ends, Act::Stop { node, back_after_us: 500_000 });
            }
            Fault::Remove { node } => {
                let (name, outside) = (places.name(node), self.outside.clone());
                places.note(now, &name, Noted::Remove);
                people.within(async { drop(tokio::task::spawn_local(operator::remove(outside, name, Rc::new(|| false)))) });
            }
            _ => unreachable!("no operator does that"),
        }
    }

    fn cut(&mut self, places: &mut Places, (now, ends): (u64, u64), ways: Vec<(usize, usize)>) {
        self.net.state().weather.cuts.extend(ways.iter().copied());
        let is_both = ways.iter().all(|(from, to)| ways.contains(&(*to, *from)));
        self.note_all(places, &ways, now, if is_both { Noted::Cut } else { Noted::CutOneWay });
        places.note_majority(now);
        self.add(ends, Act::Open(ways));
    }

    /// Notes it of each place that these ways concern.
    fn note_all(&self, places: &Places, ways: &[(usize, usize)], now: u64, kind: Noted) {
        for node in 0..places.count() {
            if ways.iter().any(|(from, to)| *from == node || *to == node) {
                places.note(now, &places.name(node), kind);
            }
        }
    }
}

/// What a fault cuts: who is not heard by whom.
fn ways_of(fault: &Fault, count: usize) -> Vec<(usize, usize)> {
    match *fault {
        Fault::Cut { from, to, .. } => vec![(from, to)],
        Fault::CutBoth { a, b, .. } => vec![(a, b), (b, a)],
        Fault::Split { ref side, .. } => {
            let rest = (0..count).filter(|node| !side.contains(node));
            rest.flat_map(|other| side.iter().flat_map(move |node| [(*node, other), (other, *node)])).collect()
        }
        Fault::Partial { bridge, .. } => {
            let others: Vec<usize> = (0..count).filter(|node| *node != bridge).collect();
            others.iter().flat_map(|a| others.iter().filter(move |b| a != *b).map(move |b| (*a, *b))).collect()
        }
        Fault::Isolate { node, way, .. } => {
            let others = (0..count).filter(|other| *other != node);
            let of_one = |other: usize| match way {
                Way::In => vec![(other, node)],
                Way::Out => vec![(node, other)],
                Way::Both => vec![(node, other), (other, node)],
            };
            others.flat_map(of_one).collect()
        }
        _ => Vec::new(),
    }
}

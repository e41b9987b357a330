//! A storm: blow after blow, chosen by a seed, on a cluster under load; and the calm after each, when all is healed and the cluster must become whole.

use std::collections::BTreeMap;
use std::time::Duration;

use engage::clock;
use engage::history::record::Fault;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::blow::Blow;
use crate::clocks::Clock;
use crate::disks::Disk;
use crate::ground::Sender;
use crate::load::Load;
use crate::scenario::{CLOCKS_OFF_S, SEATS, Stage};
use crate::support::cluster::Cluster;
use crate::support::network::Place;
use crate::support::wait::{self, pass};
use crate::wounds::Wounds;

/// How long a blow lasts, in ms: shorter and, where there is time, longer than an election and the lease.
const LASTS_MIN_MS: u64 = 300;
const LASTS_MAX_MS: std::ops::RangeInclusive<u64> = 1_500..=5_000;
/// So many blows are to find room in a storm.
const BLOWS: u32 = 6;
/// How long it is calm between two, in ms.
const CALM_MS: std::ops::Range<u64> = 200..1_500;
/// How often a second one comes before the first is over.
const SECOND: f64 = 0.35;

/// A sync on a slow disk takes so much longer, in ms: from a bad day to a dying one.
const SLOW_MS: std::ops::Range<u32> = 20..400;
/// So many of a hundred packets are lost.
const LOST_PERCENT: std::ops::Range<u8> = 5..30;
/// What is left of a line.
const NARROW_KBIT: std::ops::Range<u32> = 200..2_000;

/// A storm over a cluster.
pub struct Storm<'a> {
    pub cluster: &'a mut Cluster,
    load: &'a Load,
    stage: &'a Stage,
    random: StdRng,
    wounds: Wounds,
    /// No blow lasts longer, in ms.
    lasts_max_ms: u64,
    /// How many times each blow was dealt.
    pub dealt: BTreeMap<Blow, usize>,
}

impl<'a> Storm<'a> {
    /// Gathers; nothing has happened yet. Its choices come from the seed of the load.
    pub fn over(cluster: &'a mut Cluster, load: &'a Load, stage: &'a Stage) -> Storm<'a> {
        let random = StdRng::seed_from_u64(load.seed());
        let lasts_max_ms = *LASTS_MAX_MS.end();
        Storm { cluster, load, stage, random, wounds: Wounds::default(), lasts_max_ms, dealt: BTreeMap::new() }
    }

    /// Deals each blow of the menu once, in any order, and then any of them until the time is over.
    pub async fn rage(&mut self, menu: &[Blow], span: Duration) {
        let until = clock::monotonic() + span;
        let share_ms = u64::try_from((span / BLOWS).as_millis()).unwrap_or(u64::MAX);
        self.lasts_max_ms = share_ms.clamp(*LASTS_MAX_MS.start(), *LASTS_MAX_MS.end());
        let mut first: Vec<Blow> = menu.to_vec();
        while !first.is_empty() || clock::monotonic() < until {
            let blow = if first.is_empty() {
                menu[self.random.random_range(0..menu.len())]
            } else {
                first.swap_remove(self.random.random_range(0..first.len()))
            };
            self.deal(blow).await;
            self.last().await;
            let second = menu[self.random.random_range(0..menu.len())];
            if !blow.is_alone() && !second.is_alone() && self.random.random_bool(SECOND) {
                self.deal(second).await;
                self.last().await;
            }
            self.mend().await;
            pass(Duration::from_millis(self.random.random_range(CALM_MS))).await;
        }
    }

    /// Lets what is broken be broken for a while.
    pub async fn last(&mut self) {
        pass(Duration::from_millis(self.random.random_range(LASTS_MIN_MS..self.lasts_max_ms))).await;
    }

    /// Deals a blow to any node that stands.
    pub async fn deal(&mut self, blow: Blow) {
        let standing = self.standing();
        if standing.is_empty() {
            return;
        }
        let victim = standing[self.random.random_range(0..standing.len())];
        self.deal_to(blow, victim).await;
    }

    /// Deals any blow of the menu to any node that stands, but not to one.
    pub async fn deal_from(&mut self, menu: &[Blow], spared: Option<Place>) {
        let blow = menu[self.random.random_range(0..menu.len())];
        let standing: Vec<Place> = self.standing().into_iter().filter(|place| Some(*place) != spared).collect();
        let victim = standing[self.random.random_range(0..standing.len())];
        self.deal_to(blow, victim).await;
    }

    /// The members that run.
    fn standing(&self) -> Vec<Place> {
        let members = self.cluster.belonging();
        self.cluster.running().into_iter().filter(|place| members.contains(place)).collect()
    }

    /// Deals a blow to a node that stands.
    pub async fn deal_to(&mut self, blow: Blow, victim: Place) {
        *self.dealt.entry(blow).or_default() += 1;
        let others: Vec<Place> = self.cluster.belonging().into_iter().filter(|place| *place != victim).collect();
        let other = others[self.random.random_range(0..others.len())];
        println!("  {} {} ({})", blow.name(), self.cluster.name(victim), self.cluster.name(other));
        self.wounds.add(blow, (victim, other), &self.cluster.belonging());
        self.note(blow, (victim, other));
        match blow {
            Blow::Kill => self.cluster.member_mut(victim).kill(),
            Blow::KillAll => self.kill_all(),
            Blow::Wipe => {
                self.cluster.member_mut(victim).kill();
                self.cluster.member(victim).wipe();
            }
            Blow::Pause => self.cluster.member_mut(victim).pause(),
            Blow::Stutter => self.stutter(victim).await,
            Blow::Cut | Blow::CutIn | Blow::CutOut | Blow::PartialCut => self.cut(),
            Blow::CutClients => {
                self.stage.ground().cut(Sender::Clients, victim);
                self.stage.ground().cut_clients_off_from(victim);
            }
            Blow::Loss => self.lose(victim),
            Blow::Narrow => self.stage.ground().narrow(victim, self.random.random_range(NARROW_KBIT)),
            Blow::ClockJump => self.jump(victim),
            Blow::SlowDisk => self.stage.disks().set(victim, Disk::Slow { ms: self.random.random_range(SLOW_MS) }),
            Blow::BrokenDisk => self.break_disk(victim).await,
        }
    }

    /// Says in the history what is about to happen, before it does.
    fn note(&mut self, blow: Blow, (victim, other): (Place, Place)) {
        let members = self.cluster.belonging();
        if !self.wounds.leave_a_majority(&members) && !self.wounds.has_no_majority {
            self.wounds.has_no_majority = true;
            self.load.fault("all", Fault::NoMajority);
        }
        let struck = match blow {
            Blow::PartialCut => vec![victim, other],
            Blow::KillAll => members,
            _ => vec![victim],
        };
        for (place, (begin, end)) in struck.iter().flat_map(|place| blow.in_history().iter().map(|fault| (*place, *fault))) {
            self.load.fault(&self.cluster.name(place), begin);
            self.wounds.ends.extend(end.map(|end| (place, end)));
        }
    }

    fn kill_all(&mut self) {
        for place in self.cluster.running() {
            self.cluster.member_mut(place).kill();
        }
    }

    async fn stutter(&mut self, victim: Place) {
        for _ in 0..self.random.random_range(3..12) {
            self.cluster.member_mut(victim).pause();
            pass(Duration::from_millis(self.random.random_range(30..600))).await;
            self.cluster.member_mut(victim).resume();
            pass(Duration::from_millis(self.random.random_range(10..200))).await;
        }
    }

    fn cut(&self) {
        for (from, to) in &self.wounds.cut {
            self.stage.ground().cut(Sender::Node(*from), *to);
        }
    }

    fn lose(&mut self, victim: Place) {
        let percent = self.random.random_range(LOST_PERCENT);
        for other in (0..SEATS).filter(|other| *other != victim) {
            self.stage.ground().lose(Sender::Node(other), victim, percent);
            self.stage.ground().lose(Sender::Node(victim), other, percent);
        }
    }

    fn jump(&mut self, victim: Place) {
        let clock = match self.random.random_range(0..6) {
            0 => Clock::Off(CLOCKS_OFF_S),
            1 => Clock::Off(-CLOCKS_OFF_S),
            2 => Clock::Drifts(f64::from(self.random.random_range(5..20)) / 10.0),
            _ => Clock::Off(self.random.random_range(-CLOCKS_OFF_S..CLOCKS_OFF_S)),
        };
        println!("  {clock:?}");
        self.stage.clocks().set(victim, clock);
    }

    /// A node that can't write ends, rather than promise what it can't keep.
    async fn break_disk(&mut self, victim: Place) {
        self.stage.disks().set(victim, Disk::Broken);
        let member = self.cluster.member_mut(victim);
        wait::until("the node on a broken disk ends", || std::future::ready(member.has_stopped())).await;
    }

    /// Heals all, and waits until the cluster is whole.
    pub async fn mend(&mut self) {
        self.heal().await;
        self.cluster.whole().await;
        self.tell_of_the_end();
    }

    /// Heals all, and waits until each node is ready.
    pub async fn heal(&mut self) {
        self.stage.heal();
        let wounds = &self.wounds;
        for place in &wounds.paused {
            // It may have been killed since.
            if !wounds.down.contains(place) {
                self.cluster.member_mut(*place).resume();
            }
        }
        let returning: Vec<Place> = wounds.down.difference(&wounds.wiped).copied().collect();
        returning.into_iter().for_each(|place| self.cluster.restart_without_waiting(place));
        for place in wounds.wiped.clone() {
            self.cluster.join(place);
        }
        for place in wounds.down.clone() {
            self.cluster.ready(place).await;
        }
    }

    /// Says in the history that all is as it was.
    pub fn tell_of_the_end(&mut self) {
        let wounds = std::mem::take(&mut self.wounds);
        for (place, end) in wounds.ends {
            self.load.fault(&self.cluster.name(place), end);
        }
        if wounds.has_no_majority {
            self.load.fault("all", Fault::Majority);
        }
    }
}

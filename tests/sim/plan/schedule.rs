//! Draws the schedule of faults. It draws, and keeps what the rules allow: what is allowed is written in one place only.

use rand::RngExt;
use rand::rngs::StdRng;

use super::cluster::ClusterPlan;
use super::fault::{Fault, Kind, Place, Timed, Way};
use super::rules::{self, FIRST_MS};

/// Tries for each fault that is wanted.
const TRIES: usize = 6;

/// What a run is mostly about: a seed that does a little of everything seldom gets deep into anything. Kinds with weights.
const THEMES: &[&[(Kind, u32)]] = &[
    // A bit of all.
    &[
        (Kind::Crash, 4),
        (Kind::CrashAll, 1),
        (Kind::Pause, 3),
        (Kind::Cut, 2),
        (Kind::CutBoth, 2),
        (Kind::Split, 2),
        (Kind::Partial, 1),
        (Kind::Isolate, 3),
        (Kind::Delay, 2),
        (Kind::Loss, 2),
        (Kind::BreakLink, 2),
        (Kind::DropClients, 2),
        (Kind::SlowDisk, 2),
        (Kind::ClockJump, 1),
        (Kind::Join, 2),
        (Kind::Drain, 2),
        (Kind::Remove, 2),
        (Kind::Wipe, 2),
        (Kind::Rolling, 1),
    ],
    // Nodes die.
    &[
        (Kind::Crash, 8),
        (Kind::CrashAll, 3),
        (Kind::Pause, 3),
        (Kind::SlowDisk, 3),
        (Kind::DropClients, 1),
        (Kind::Wipe, 2),
        (Kind::Rolling, 1),
    ],
    // Nobody hears anybody.
    &[
        (Kind::Cut, 5),
        (Kind::CutBoth, 4),
        (Kind::Split, 4),
        (Kind::Partial, 3),
        (Kind::Isolate, 6),
        (Kind::Delay, 3),
        (Kind::Loss, 3),
        (Kind::BreakLink, 3),
        (Kind::Pause, 2),
        (Kind::Crash, 1),
    ],
    // Clocks, and all that is slow.
    &[
        (Kind::ClockJump, 4),
        (Kind::Pause, 5),
        (Kind::SlowDisk, 4),
        (Kind::Delay, 4),
        (Kind::Crash, 3),
        (Kind::Isolate, 2),
        (Kind::DropClients, 1),
    ],
    // Nodes come and go.
    &[
        (Kind::Join, 5),
        (Kind::Drain, 5),
        (Kind::Remove, 5),
        (Kind::Wipe, 5),
        (Kind::Rolling, 3),
        (Kind::Crash, 4),
        (Kind::Isolate, 2),
        (Kind::Loss, 2),
        (Kind::Delay, 1),
    ],
];

/// The schedule of a run, in the order of time.
pub fn draw(rng: &mut StdRng, cluster: &ClusterPlan, safety_ms: u64) -> Vec<Timed> {
    let theme = THEMES[[0, 0, 1, 2, 3, 4][rng.random_range(0..6)]];
    let wanted = usize::try_from(safety_ms / rng.random_range(2_000..8_000)).expect("a run is short").max(2);
    let moments: Vec<u64> = (0..3).map(|_| rng.random_range(FIRST_MS..safety_ms)).collect();
    let mut draft = Draft { rng, cluster, safety_ms, moments, faults: Vec::new() };
    let (members, others): (Vec<Kind>, Vec<Kind>) = (0..wanted).map(|_| draft.kind(theme)).partition(|kind| changes_members(*kind));
    // Who is a member when is what all other faults depend on.
    for kind in members.into_iter().chain(others) {
        draft.place(kind);
    }
    draft.faults
}

fn changes_members(kind: Kind) -> bool {
    matches!(kind, Kind::Join | Kind::Remove | Kind::Wipe)
}

struct Draft<'a> {
    rng: &'a mut StdRng,
    cluster: &'a ClusterPlan,
    safety_ms: u64,
    /// Much happens around these, so that faults overlap.
    moments: Vec<u64>,
    faults: Vec<Timed>,
}

impl Draft<'_> {
    fn kind(&mut self, theme: &[(Kind, u32)]) -> Kind {
        let mut drawn = self.rng.random_range(0..theme.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in theme {
            match drawn.checked_sub(*weight) {
                Some(rest) => drawn = rest,
                None => return *kind,
            }
        }
        unreachable!("the weights are summed up above")
    }

    /// Adds a fault of this kind, if the rules leave room for one.
    fn place(&mut self, kind: Kind) {
        for _ in 0..TRIES {
            let at_ms = self.moment();
            let Some(fault) = self.fault(kind, at_ms) else { continue };
            let mut faults = self.faults.clone();
            let index = faults.partition_point(|timed| timed.at_ms <= at_ms);
            faults.insert(index, Timed { at_ms, fault });
            if rules::hold_for(self.cluster, self.safety_ms, &faults).is_ok() {
                self.faults = faults;
                return;
            }
        }
    }

    fn moment(&mut self) -> u64 {
        let anywhere = self.rng.random_range(FIRST_MS..self.safety_ms);
        let moment = self.moments[self.rng.random_range(0..self.moments.len())];
        let near = moment + self.rng.random_range(0..3_000);
        if self.rng.random_ratio(1, 2) { anywhere } else { near.min(self.safety_ms) }
    }

    /// Short ones are frequent, long ones happen.
    fn length(&mut self) -> u64 {
        let longest = [800, 2_500, 6_000, rules::LENGTH_MAX_MS][self.rng.random_range(0..4)];
        self.rng.random_range(100..=longest)
    }

    fn fault(&mut self, kind: Kind, at_ms: u64) -> Option<Fault> {
        let open = rules::places(self.cluster, &self.faults, at_ms, at_ms);
        if open.is_empty() {
            return None;
        }
        let node = open[self.rng.random_range(0..open.len())];
        let other = open[self.rng.random_range(0..open.len())];
        let ms = self.length();
        let fault = match kind {
            Kind::Crash => Fault::Crash { node, down_ms: ms, keeps_unsynced: self.rng.random_ratio(1, 3) },
            Kind::CrashAll => Fault::CrashAll { down_ms: ms.min(6_000), keeps_unsynced: self.rng.random_ratio(1, 3) },
            Kind::Pause => Fault::Pause { node, ms },
            Kind::Cut => Fault::Cut { from: node, to: other, ms },
            Kind::CutBoth => Fault::CutBoth { a: node, b: other, ms },
            Kind::Split => Fault::Split { side: self.side(&open), ms },
            Kind::Partial => Fault::Partial { bridge: node, ms },
            Kind::Isolate => Fault::Isolate { node, ms, way: [Way::In, Way::Out, Way::Both][self.rng.random_range(0..3)] },
            Kind::Delay => Fault::Delay { node, ms, delay_ms: self.rng.random_range(5..=400) },
            Kind::Loss => Fault::Loss { node, ms, per_mille: self.rng.random_range(2..=100) },
            Kind::BreakLink => Fault::BreakLink { a: node, b: other },
            Kind::DropClients => Fault::DropClients { node },
            Kind::SlowDisk => Fault::SlowDisk { node, ms, sync_ms: self.rng.random_range(10..=1_000) },
            Kind::ClockJump => Fault::ClockJump { node, by_ms: self.jump() },
            Kind::Join => Fault::Join,
            Kind::Drain => Fault::Drain { node, ms: ms.max(2_000) },
            Kind::Remove => Fault::Remove { node },
            Kind::Wipe => Fault::Wipe { node, down_ms: ms },
            Kind::Rolling => {
                let each_ms = self.rng.random_range(2_000..=5_000);
                Fault::Rolling { down_ms: self.rng.random_range(100..=1_500), each_ms, nodes: open.len() }
            }
        };
        Some(fault)
    }

    /// Some of the nodes, but not all.
    fn side(&mut self, open: &[Place]) -> Vec<Place> {
        let mut side: Vec<Place> = open.iter().copied().filter(|_| self.rng.random_ratio(1, 2)).collect();
        if side.is_empty() || side.len() == open.len() {
            side = vec![open[self.rng.random_range(0..open.len())]];
        }
        side
    }

    /// As far as an hour, forth or back; near ones are as frequent as far ones.
    fn jump(&mut self) -> i64 {
        let farthest = [500, 5_000, 60_000, rules::JUMP_MAX_MS.cast_signed()][self.rng.random_range(0..4)];
        let by_ms = self.rng.random_range(farthest / 4..=farthest);
        if self.rng.random_ratio(1, 2) { by_ms } else { -by_ms }
    }
}

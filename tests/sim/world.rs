//! The world of a run: hosts, network, disks and clocks, and what the faults do to them. It lets each host run for a tick in turn, delivers what is due, and ends when all that
//! was accepted is settled.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use engage::dice;
use engage::history::record::{Run, What};
use engage::history::recorder::Recorder;
use engage::history::{file, judge};
use engage::ledger::ids::ShardId;
use serde::{Deserialize, Serialize};

use crate::closing::{self, Left};
use crate::coverage;
use crate::crowd::Crowd;
use crate::faults::Agenda;
use crate::host::Host;
use crate::net::Net;
use crate::outside::Outside;
use crate::person;
use crate::places::Places;
use crate::plan::Plan;
use crate::planted::{self, Planted};
use crate::post::OUTSIDE;
use crate::publisher;
use crate::trace;

/// A host runs that long before the next one's turn.
const TICK: Duration = Duration::from_millis(2);
const TICK_US: u64 = 2_000;
/// How often the network looks after its links.
const TEND_US: u64 = 10_000;
/// A run that is not over by then, in virtual time after its faults, does not settle.
const CLOSING_MAX_US: u64 = 400_000_000;
/// Replicas that are not level by then are compared as they are.
const LEVEL_US: u64 = 20_000_000;

static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What a run is asked for beside its plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Keeps the history in this file, as JSONL.
    pub history: Option<PathBuf>,
    /// Breaks a promise in the history before it is judged.
    pub planted: Option<Planted>,
}

/// What a run was.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub violations: Vec<String>,
    pub counts: BTreeMap<String, u64>,
    pub trace_hash: u64,
    pub virtual_ms: u64,
    pub events: u64,
}

/// Runs a plan.
pub fn run(plan: Plan, options: Options) -> Report {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let what = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
        let text = format!("a panic at {at}: {}", what.unwrap_or("without a text"));
        eprintln!("{text}\n{}", std::backtrace::Backtrace::capture());
        PANICS.lock().expect("nobody panics over panics").push(text);
    }));
    dice::simulate(plan.seed);
    let mut world = World::new(plan);
    let left = world.play();
    world.compare_replicas();
    world.report(left, &options)
}

/// What is told to the people of a run, and by them.
#[derive(Default)]
struct Signals {
    /// All faults are over.
    is_calm: Cell<bool>,
    left: RefCell<Option<Left>>,
}

struct World {
    safety_us: u64,
    now_us: u64,
    net: Net,
    history: Recorder,
    people: Host,
    signals: Rc<Signals>,
    places: Places,
    agenda: Agenda,
}

impl World {
    fn new(plan: Plan) -> World {
        let net = Net::new(plan.cluster.link.clone(), plan.seed ^ 0x6e65_7477);
        let outside = Outside::new(net.clone());
        let cluster = &plan.cluster;
        let run = Run {
            lease_ms: cluster.lease_ms,
            request_timeout_ms: cluster.request_timeout_ms,
            seed: plan.seed,
            wall_ms: u64::try_from(crate::places::WALL_MS).expect("it is after 1970"),
            ..Run::default()
        };
        let history = Recorder::begin_at(run, crate::post::now_us);
        let crowd = Crowd::new(outside.clone(), history.clone(), plan.population.clone());
        let signals = Rc::new(Signals::default());
        let people = {
            let (outside, signals, seed) = (outside.clone(), Rc::clone(&signals), plan.seed);
            Host::start(OUTSIDE, ("outside", crate::places::WALL_MS), |mut letters| async move {
                let reads = outside.clone();
                tokio::task::spawn_local(async move {
                    while let Some(letter) = letters.recv().await {
                        reads.take(letter);
                    }
                });
                populate(crowd, signals, seed).await;
            })
        };
        let places = Places::new(&plan, net.clone(), outside.clone(), history.clone());
        let agenda = Agenda::of(&plan, net.clone(), outside.clone());
        World { safety_us: plan.safety_ms * 1_000, now_us: 0, net, history, people, signals, places, agenda }
    }

    /// Lets everything happen. None: it did not end.
    fn play(&mut self) -> Option<Left> {
        let mut calm_us = None;
        loop {
            if self.now_us >= self.safety_us && calm_us.is_none() {
                self.agenda.end_all(&mut self.places, self.now_us, &self.people);
                calm_us = Some(self.now_us);
                self.signals.is_calm.set(true);
            }
            self.agenda.act(&mut self.places, self.now_us, &self.people);
            self.tick();
            let left = self.signals.left.borrow_mut().take();
            if left.is_some() {
                return left;
            }
            if calm_us.is_some_and(|calm_us| self.now_us > calm_us + CLOSING_MAX_US) || !PANICS.lock().expect("unpoisoned").is_empty() {
                return None;
            }
        }
    }

    fn tick(&mut self) {
        while let Some((to, letter)) = { self.net.state().post.next_due(self.now_us) } {
            match to {
                OUTSIDE => self.people.deliver(letter),
                to => self.places.deliver(to, letter),
            }
        }
        self.people.run(self.now_us, TICK);
        self.places.run(self.now_us, TICK);
        self.now_us += TICK_US;
        crate::post::set_now(self.now_us);
        if self.now_us.is_multiple_of(TEND_US) {
            self.net.tend();
        }
    }

    /// Waits until the replicas of each shard are level, and notes what they hold.
    fn compare_replicas(&mut self) {
        let until_us = self.now_us + LEVEL_US;
        loop {
            let states = self.places.replicas();
            let mut indexes: BTreeMap<ShardId, Vec<u64>> = BTreeMap::new();
            states.iter().for_each(|(_, state)| indexes.entry(state.shard).or_default().push(state.applied_index));
            let is_level = indexes.values().all(|of_shard| of_shard.iter().all(|index| *index == of_shard[0]));
            if (is_level && !states.is_empty()) || self.now_us > until_us || !PANICS.lock().expect("unpoisoned").is_empty() {
                coverage::add("replicas_compared", states.len() as u64);
                if !is_level {
                    coverage::count("replicas_not_level");
                }
                for (node, state) in states {
                    let state_hash = format!("{:016x}", state.state_hash);
                    self.history
                        .note_at(self.now_us, What::Replica { node, shard: state.shard.0, applied_index: state.applied_index, state_hash });
                }
                return;
            }
            for _ in 0..50 {
                self.agenda.act(&mut self.places, self.now_us, &self.people);
                self.tick();
            }
        }
    }

    fn report(self, left: Option<Left>, options: &Options) -> Report {
        let mut entries = self.history.entries();
        if let Some(planted) = options.planted {
            planted::plant(planted, &mut entries);
        }
        if let Some(path) = &options.history {
            file::write(path, &entries).unwrap_or_else(|error| panic!("{} can't be written: {error}", path.display()));
        }
        let mut violations: Vec<String> = judge(&entries).violations.iter().map(ToString::to_string).collect();
        match left {
            Some(left) => {
                violations.extend(left.unsettled.into_iter().map(|what| format!("not settled: {what}")));
                violations.extend(left.troubles);
            }
            None => violations.push("the run did not come to its end".to_owned()),
        }
        violations.extend(self.places.troubles());
        violations.extend(PANICS.lock().expect("unpoisoned").drain(..));
        let mut counts = coverage::take();
        coverage::history::count(&entries, &mut counts);
        let (trace_hash, events) = trace::end();
        Report { violations, counts, trace_hash, virtual_ms: self.now_us / 1_000, events }
    }
}

/// Brings people and publishers to life, and waits for the end.
async fn populate(crowd: Crowd, signals: Rc<Signals>, seed: u64) {
    let _people = person::live(&crowd, seed ^ 0x7065_6f70);
    let publishers = publisher::live(&crowd, seed ^ 0x7075_626c);
    while !signals.is_calm.get() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let left = closing::close(&crowd, publishers, seed ^ 0x636c_6f73).await;
    *signals.left.borrow_mut() = Some(left);
}

//! The load: a few hundred people on all nodes and publishers at any node, who go on through faults as real ones would. All that they see goes into a history.

mod person;
mod connection;
mod publisher;
mod closing;
pub mod guests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engage::clock;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;

use self::guests::{Guests, Invitation};
use crate::support::cluster::{Cluster, Roster};
use crate::support::whole_number_from;
use engage::history::key::Key;
use engage::history::record::{Clocks, Entry, Fault, What};
use engage::history::recorder::Recorder;
use engage::history::{self, Verdict};
use serde_json::Value;

/// What `Plan` sets, or leaves to its default.
const LEASE_MS: u64 = 3_000;
const REQUEST_TIMEOUT_MS: u64 = 5_000;

/// How people behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manners {
    /// They come and go, look away, lose their line, and leave things lying.
    Lively,
    /// They stay where they are, and do at once what they are offered.
    Steady,
}

/// How much of it there is to be.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub users: usize,
    pub devices_each: usize,
    pub publishers: usize,
    /// Of each publisher.
    pub pause_ms: u64,
    pub manners: Manners,
}

impl Size {
    /// Three hundred devices, and about sixty publishes a second.
    pub const CROWD: Size = Size { users: 100, devices_each: 3, publishers: 6, pause_ms: 80, manners: Manners::Lively };

    /// The same, of people who stay.
    pub const STEADY: Size = Size { users: 100, devices_each: 2, publishers: 4, pause_ms: 80, manners: Manners::Steady };
}

/// When people are to do what.
#[derive(Clone, Default)]
struct Signals {
    /// No new publishes.
    enough: Arc<AtomicBool>,
    /// Everybody does at once what he is offered, and looks at it.
    attentive: Arc<AtomicBool>,
    /// Everybody goes home.
    over: Arc<AtomicBool>,
}

fn is_set(signal: &AtomicBool) -> bool {
    signal.load(Ordering::Relaxed)
}

/// What everybody of the load has.
#[derive(Clone)]
struct Shared {
    roster: Roster,
    history: Recorder,
    signals: Signals,
    size: Size,
}

/// A load that runs.
pub struct Load {
    name: String,
    seed: u64,
    shared: Shared,
    publishers: JoinSet<()>,
    people: JoinSet<()>,
    guests: Option<Guests>,
}

impl Load {
    /// Begins. `ENGAGE_TEST_SEED` repeats the choices of a run, not its timing.
    pub fn start(name: &str, cluster: &Cluster, size: Size) -> Load {
        let seed = whole_number_from("ENGAGE_TEST_SEED", clock::wall_ms());
        println!("{name}: ENGAGE_TEST_SEED={seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let history = Recorder::begin(LEASE_MS, REQUEST_TIMEOUT_MS, seed);
        let shared = Shared { roster: cluster.roster(), history, signals: Signals::default(), size };
        let (mut publishers, mut people) = (JoinSet::new(), JoinSet::new());
        for number in 0..size.publishers {
            publishers.spawn(publisher::Publisher::new(number, shared.clone(), random.random()).live());
        }
        for number in 0..size.users {
            for device in 0..size.devices_each {
                let name = (format!("user-{number}"), format!("device-{device}"));
                people.spawn(person::Person::new(name, shared.clone(), random.random()).live());
            }
        }
        Load { name: name.to_owned(), seed, shared, publishers, people, guests: None }
    }

    /// People with another client come too. That they can, the caller has asked.
    pub fn invite(mut self, invitation: Invitation) -> Load {
        self.guests = Some(Guests::invite(invitation, &self.shared, self.seed));
        self
    }

    /// What its choices come from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Notes what is done to a node.
    pub fn fault(&self, node: &str, kind: Fault) {
        self.shared.history.fault(node, kind);
    }

    /// Waits until everybody has been welcomed once, and something was confirmed.
    pub async fn in_full_swing(&self) {
        let wanted = self.shared.size.users * self.shared.size.devices_each;
        let look = || {
            let verdict = count(&self.shared.history.entries());
            std::future::ready((verdict.0 >= wanted && verdict.1 >= wanted / 4).then_some(()))
        };
        crate::support::wait::until_or_tell(Duration::from_secs(30), look, || {
            format!("{wanted} people were welcomed and busy, not {:?}", count(&self.shared.history.entries()))
        })
        .await;
    }

    /// Ends the load, and judges its history.
    pub async fn finish(self, cluster: &Cluster) -> Verdict {
        self.end(cluster).await.judge()
    }

    /// Ends the load: nothing new is published, everything accepted settles, people go home, and the feed is read. The cluster must be able to do all that.
    pub async fn end(mut self, cluster: &Cluster) -> Ended {
        self.shared.signals.enough.store(true, Ordering::Relaxed);
        while let Some(ended) = self.publishers.join_next().await {
            ended.expect("no publisher panics");
        }
        self.shared.signals.attentive.store(true, Ordering::Relaxed);
        self.guests.iter_mut().for_each(|guests| guests.say("attentive"));
        let unsettled = closing::all_settle(&self.shared, cluster).await;
        self.shared.signals.over.store(true, Ordering::Relaxed);
        self.guests.iter_mut().for_each(|guests| guests.say("over"));
        while let Some(ended) = self.people.join_next().await {
            ended.expect("nobody in the crowd panics");
        }
        closing::read_feed(&self.shared, cluster).await;
        closing::replicas_agree(&self.shared, cluster).await;
        let entries = self.shared.history.entries();
        let entries = match self.guests {
            Some(guests) => guests.merged_with(&entries).await,
            None => entries,
        };
        Ended { name: self.name, seed: self.seed, entries, unsettled }
    }
}

/// What a load leaves behind.
pub struct Ended {
    name: String,
    seed: u64,
    /// All that was seen.
    pub entries: Vec<Entry>,
    /// The accepted keys that did not settle in time.
    pub unsettled: Vec<String>,
}

impl Ended {
    /// The same, of nodes whose clocks do not agree with each other, nor with the one that the history was taken down by.
    pub fn with_clocks_apart(mut self) -> Ended {
        if let Some(Entry { what: What::Run(run), .. }) = self.entries.first_mut() {
            run.clocks = Clocks::Apart;
        }
        self
    }

    /// Judges the history: every promise must have been kept.
    pub fn judge(&self) -> Verdict {
        let verdict = history::judge(&self.entries);
        self.tell(&verdict);
        if !verdict.violations.is_empty() || !self.unsettled.is_empty() {
            self.fail(&verdict);
        }
        verdict
    }

    fn tell(&self, verdict: &Verdict) {
        let count = |kind| verdict.count(kind);
        println!(
            "{}: {} published, {} tries unanswered, {} hellos, {} offers, {} confirms, {} errors, {} moves; longest publish {} ms, longest ack {} ms",
            self.name,
            count("published"),
            count("unanswered"),
            count("hello"),
            count("offer"),
            count("confirm"),
            count("error"),
            verdict.moves,
            verdict.longest_publish_ms,
            verdict.longest_ack_ms,
        );
    }

    fn fail(&self, verdict: &Verdict) -> ! {
        const SHOWN_MAX: usize = 10;
        let folder = std::env::var_os("ENGAGE_TEST_HISTORIES").map_or_else(std::env::temp_dir, PathBuf::from);
        let path = folder.join(format!("{}-{}.jsonl", self.name, std::process::id()));
        history::file::write(&path, &self.entries).expect("the history can be written");
        for violation in verdict.violations.iter().take(SHOWN_MAX) {
            eprintln!("{violation}");
        }
        if let Some(first) = verdict.violations.first() {
            let about = history::about(&self.entries, first);
            eprintln!("what was seen of the first:\n{}", about.iter().map(|entry| format!("  {entry:?}\n")).collect::<String>());
        }
        for open in self.unsettled.iter().take(SHOWN_MAX) {
            eprintln!("not settled: {open}");
        }
        panic!(
            "{}, seed {}: {} promises broken, {} accepted keys not settled; the history stands in {}",
            self.name,
            self.seed,
            verdict.violations.len(),
            self.unsettled.len(),
            path.display()
        );
    }
}

/// A run in which too little happened has shown nothing.
pub fn shows_enough(verdict: &Verdict) {
    for (kind, least) in [("published", 100), ("hello", 100), ("offer", 100), ("confirm", 100), ("outcome", 200), ("replica", 1)] {
        assert!(verdict.count(kind) >= least, "too little happened, {kind} only {} times: {:?}", verdict.count(kind), verdict.counts);
    }
}

/// The key that a message to or from a user, or an answer, names.
fn key_of(user: &str, message: &Value) -> Key {
    Key::of(user, message).unwrap_or_else(|| panic!("no key in {message}"))
}

/// Welcomes and confirms so far.
fn count(entries: &[Entry]) -> (usize, usize) {
    let of = |wanted: fn(&What) -> bool| entries.iter().filter(|entry| wanted(&entry.what)).count();
    (of(|what| matches!(what, What::Welcome { .. })), of(|what| matches!(what, What::Confirm { .. })))
}

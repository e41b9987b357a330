//! What all people and publishers of a run share: the way to the nodes, the history that they note, and what phase the run is in. Single-threaded, like the run.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use engage::history::key::Key;
use engage::history::record::What;
use engage::history::recorder::Recorder;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::outside::Outside;
use crate::population::Population;

/// What time of the run it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Everybody comes and goes, and does as he likes.
    Lively,
    /// Nothing new is published; everybody stays and does all that he is offered.
    Attentive,
    /// Everybody leaves.
    Over,
}

/// What ends the id of an engagement of scope device: no message to a client says later which scope a key has.
const EACH_DEVICE: &str = "-each";

/// Cheap to clone.
#[derive(Clone)]
pub struct Crowd(Rc<Inner>);

struct Inner {
    outside: Outside,
    history: Recorder,
    population: Population,
    phase: Cell<Phase>,
    /// The latest ledger time that anybody was told.
    ledger_ms: Cell<u64>,
    /// Since when a call that is made in vain has failed.
    fails_from_us: Cell<u64>,
    trouble: RefCell<Vec<String>>,
}

impl Crowd {
    pub fn new(outside: Outside, history: Recorder, population: Population) -> Crowd {
        Crowd(Rc::new(Inner {
            outside,
            history,
            population,
            phase: Cell::new(Phase::Lively),
            ledger_ms: Cell::new(0),
            fails_from_us: Cell::new(u64::MAX),
            trouble: RefCell::default(),
        }))
    }

    pub fn outside(&self) -> &Outside {
        &self.0.outside
    }

    pub fn history(&self) -> &Recorder {
        &self.0.history
    }

    pub fn population(&self) -> &Population {
        &self.0.population
    }

    pub fn now_us(&self) -> u64 {
        self.0.outside.now_us()
    }

    /// Notes what somebody is about to do, or has just seen.
    pub fn note(&self, what: What) {
        self.0.history.note_at(self.now_us(), what);
    }

    pub fn phase(&self) -> Phase {
        self.0.phase.get()
    }

    pub fn is_lively(&self) -> bool {
        self.phase() == Phase::Lively
    }

    pub fn enter(&self, phase: Phase) {
        self.0.phase.set(phase);
    }

    /// A latest time of the ledger: something was told with it.
    pub fn heard_at(&self, at_ms: u64) {
        self.0.ledger_ms.set(self.0.ledger_ms.get().max(at_ms));
    }

    /// None before anybody was told a time.
    pub fn ledger_ms(&self) -> Option<u64> {
        Some(self.0.ledger_ms.get()).filter(|at| *at > 0)
    }

    /// From then on, a publisher gives up what it tries in vain.
    pub fn fail_from(&self, t_us: u64) {
        self.0.fails_from_us.set(t_us);
    }

    pub fn has_failed(&self) -> bool {
        self.now_us() >= self.0.fails_from_us.get()
    }

    /// Notes what must not be, and no history shows.
    pub fn trouble(&self, text: String) {
        self.0.trouble.borrow_mut().push(text);
    }

    pub fn troubles(&self) -> Vec<String> {
        self.0.trouble.borrow().clone()
    }

    /// Any node but that one, where there is another.
    pub fn somewhere(&self, random: &mut StdRng, avoid: Option<usize>) -> usize {
        let count = self.0.outside.node_count();
        let node = random.random_range(0..count);
        if Some(node) == avoid && count > 1 { (node + random.random_range(1..count)) % count } else { node }
    }

    /// The users' names.
    pub fn users(&self) -> Vec<String> {
        (0..self.0.population.users).map(user_name).collect()
    }
}

pub fn user_name(number: u32) -> String {
    format!("user-{number}")
}

/// The id of a publisher's next engagement.
pub fn id_for(publisher: u32, count: u32, is_for_each_device: bool) -> String {
    format!("p{publisher}-{count}{}", if is_for_each_device { EACH_DEVICE } else { "" })
}

pub fn is_for_each_device(id: &str) -> bool {
    id.ends_with(EACH_DEVICE)
}

/// The key that a message to or from a device names.
pub fn key_on(user: &str, device: &str, message: &Value) -> Option<Key> {
    let key = Key::of(user, message)?;
    Some(if is_for_each_device(&key.id) { key.on(device) } else { key })
}

pub async fn pass_ms(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

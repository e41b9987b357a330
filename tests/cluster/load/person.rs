//! One device of one person: connects again and again, to any node, and does what it is offered. What it has on its screen and the acks that it has no confirm for
//! outlive its connections.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::connection::Connection;
use super::{Manners, Shared, is_set};
use crate::support::device::{Device, SUBPROTOCOL};
use crate::support::hello::Hello;
use crate::support::wait::pass;
use engage::history::record::{Key, Session, Transport, What};

/// Nobody waits longer for a connection; a paused node would take for ever.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const BACK_OFF_MS: std::ops::Range<u64> = 50..300;

/// An ack that has no confirm yet; without a step, a dismiss.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) key: Key,
    pub(super) step: Option<u64>,
    pub(super) reference: i64,
    /// Where it was sent last.
    pub(super) session: Session,
    /// It was refused for now, and is to be sent again.
    pub(super) is_refused: bool,
}

/// What stands on the screen.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// The step to do next.
    pub(super) step: u64,
    pub(super) steps: u64,
}

/// What of a device outlives its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// An outbox: the acks without a confirm go into its next hello; and now and then what was on the screen.
    Outbox,
    /// Nothing, as of a page that is loaded anew.
    None,
}

/// A device of a person.
pub(super) struct Person {
    pub(super) user: String,
    pub(super) device: String,
    pub(super) shared: Shared,
    pub(super) random: StdRng,
    pub(super) screen: BTreeMap<Key, Shown>,
    pub(super) pending: Vec<Pending>,
    memory: Memory,
    next_reference: i64,
    /// Where it was connected last.
    node: String,
}

impl Person {
    pub(super) fn new((user, device): (String, String), shared: Shared, seed: u64) -> Person {
        let mut random = StdRng::seed_from_u64(seed);
        let memory = if random.random_bool(0.7) { Memory::Outbox } else { Memory::None };
        let (screen, pending) = (BTreeMap::new(), Vec::new());
        Person { user, device, shared, random, screen, pending, memory, next_reference: 1, node: String::new() }
    }

    /// Lives until it is over.
    pub(super) async fn live(mut self) {
        // Not everybody comes in the same millisecond.
        pass(Duration::from_millis(self.random.random_range(0..1_500))).await;
        while !is_set(&self.shared.signals.over) {
            let mut back_off = Duration::from_millis(self.random.random_range(BACK_OFF_MS));
            if let Some((name, device)) = self.connect().await {
                back_off = back_off.max(self.one_connection(name, device).await);
            }
            pass(back_off).await;
        }
    }

    async fn connect(&mut self) -> Option<(String, Device)> {
        let nodes = self.shared.roster.all();
        let others: Vec<_> = nodes.iter().filter(|(name, _)| *name != self.node).collect();
        // As behind a balancer: anywhere, but not where it has just failed.
        let from = if others.is_empty() { nodes.iter().collect() } else { others };
        let (name, address) = from[self.random.random_range(0..from.len())].clone();
        self.node.clone_from(&name);
        let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL)];
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, Device::try_open(&address, &headers)).await;
        Some((name, opened.ok()??))
    }

    /// Says hello, and stays for a while; how long it was asked to stay away.
    async fn one_connection(&mut self, node: String, mut device: Device) -> Duration {
        if self.memory == Memory::None {
            self.pending.clear();
        }
        if self.memory == Memory::None || (!self.chooses(0.5) && self.is_lively()) {
            self.screen.clear();
        }
        let session = self.shared.history.next_session();
        let max_in_flight = if self.is_lively() { self.random.random_range(1..8) } else { 8 };
        // What it says is open and what a hello may hold are both bounded; nobody's screen is that full.
        let open: Vec<Key> = self.screen.keys().cloned().collect();
        self.shared.history.note(What::Hello {
            session,
            user: self.user.clone(),
            device: self.device.clone(),
            node,
            visible: true,
            max_in_flight: usize::try_from(max_in_flight).expect("it is small"),
            open: open.clone(),
            transport: Transport::Websocket,
        });
        let acks = self.acks_of_hello(session);
        let keys: Vec<Value> = open.iter().map(|key| json!({"id": key.id, "window": key.window})).collect();
        let hello = Hello::new(&self.user, &self.device).acks(&acks).max_in_flight(max_in_flight).with("open", json!(keys));
        if device.try_send(hello.message()).await.is_err() {
            self.shared.history.note(What::Ended { session, code: None });
            return Duration::ZERO;
        }
        Connection::new(self, device, session).live().await
    }

    /// The acks that it has no confirm for. Now and then a lively one sends them only the next time.
    fn acks_of_hello(&mut self, session: Session) -> Vec<Value> {
        // A dismiss can't stand in a hello: it is forgotten, and what it was for is offered again.
        self.pending.retain(|pending| pending.step.is_some());
        if self.is_lively() && self.chooses(0.3) {
            return Vec::new();
        }
        let mut acks = Vec::new();
        for pending in &mut self.pending {
            pending.session = session;
            let (key, data) = (pending.key.clone(), json!({"step": pending.step}));
            acks.push(json!({"id": key.id, "window": key.window, "step": pending.step, "data": data}));
            self.shared.history.note(What::Ack { session, key, step: pending.step, data, reference: None });
        }
        acks
    }

    /// Makes a number for the next ack.
    pub(super) fn reference(&mut self) -> i64 {
        self.next_reference += 1;
        self.next_reference
    }

    pub(super) fn chooses(&mut self, part: f64) -> bool {
        self.random.random_bool(part)
    }

    /// Whether it comes and goes, and leaves things lying, at this time.
    pub(super) fn is_lively(&self) -> bool {
        self.shared.size.manners == Manners::Lively && !is_set(&self.shared.signals.attentive)
    }
}

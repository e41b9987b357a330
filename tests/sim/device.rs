//! One device of one person: connects again and again, to any node, says hello with what it remembers, and stays for a while. It obeys close codes and stays away as
//! the contract has it.

use engage::history::key::Key;
use engage::history::record::{Transport, What};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::connection::{Connection, Left};
use crate::coverage;
use crate::crowd::{Crowd, Phase, pass_ms};
use crate::memory::{Memory, Pending};
use crate::outside::{Request, Wire, token};
use crate::overhear;
use crate::population::around;

/// The back-off of the contract, but that nobody stays away longer than a short run can bear.
const BACK_OFF_FIRST_MS: u64 = 250;
const BACK_OFF_MOST_MS: u64 = 4_000;
/// After a close that a client must not answer by connecting again, its person does something, sooner or later.
const TURN_TO_IT_MS: std::ops::Range<u64> = 1_000..8_000;
/// Nobody's first hello comes at once.
const FIRST_MS: u64 = 3_000;

/// See the head of the file.
pub struct Device {
    pub crowd: Crowd,
    pub user: String,
    pub name: String,
    pub random: StdRng,
    pub memory: Memory,
    /// It acks what it is offered before it shows it.
    pub claims: bool,
    /// Where it was connected last.
    node: Option<usize>,
    /// How many times in a row it did not come to a welcome.
    failures: u32,
}

impl Device {
    pub fn new(crowd: Crowd, user: String, name: String, seed: u64) -> Device {
        let mut random = StdRng::seed_from_u64(seed);
        let claims = random.random_bool(crowd.population().manners.claims);
        Device { crowd, user, name, random, memory: Memory::default(), claims, node: None, failures: 0 }
    }

    /// Lives until it is over.
    pub async fn live(mut self) {
        let first_ms = self.random.random_range(0..FIRST_MS);
        pass_ms(first_ms).await;
        while self.crowd.phase() != Phase::Over {
            let left = self.come().await;
            let away_ms = self.away_ms(&left);
            if self.is_posting(&left) {
                self.post(&left).await;
            }
            pass_ms(away_ms).await;
        }
    }

    pub fn chooses(&mut self, chance: f64) -> bool {
        self.random.random_bool(chance)
    }

    /// Chooses so only while everybody may do as he likes.
    pub fn likes(&mut self, chance: f64) -> bool {
        self.crowd.is_lively() && self.chooses(chance)
    }

    async fn come(&mut self) -> Left {
        // As behind a balancer: anywhere, but mostly not where it has just failed.
        let avoid = self.node.filter(|_| self.failures > 0);
        let node = self.crowd.somewhere(&mut self.random, avoid);
        self.node = Some(node);
        let Some(wire) = self.crowd.outside().connect(node).await else {
            coverage::count("connect_failed");
            return Left::default();
        };
        let node = self.crowd.outside().name(node);
        let mut left = self.one_connection(&node, wire).await;
        while let Some(old) = left.stays_open.take() {
            left = self.overlap(old, left).await;
        }
        left
    }

    /// Comes a second time while the first connection is open.
    async fn overlap(&mut self, old: Wire, left: Left) -> Left {
        let node = self.crowd.somewhere(&mut self.random, None);
        self.node = Some(node);
        let second = self.crowd.outside().connect(node).await;
        let (crowd, user, device, session) = (self.crowd.clone(), self.user.clone(), self.name.clone(), left.session);
        tokio::task::spawn_local(async move { overhear::until_it_ends(&crowd, (&user, &device), session, old).await });
        let Some(wire) = second else { return Left { stays_open: None, ..left } };
        coverage::count("overlapped");
        let node = self.crowd.outside().name(node);
        self.one_connection(&node, wire).await
    }

    async fn one_connection(&mut self, node: &str, wire: Wire) -> Left {
        let manners = self.crowd.population().manners.clone();
        if self.likes(manners.reinstalls) {
            self.memory.forget();
            coverage::count("reinstalled");
        } else if self.likes(manners.reloads) {
            self.memory.screen.clear();
            coverage::count("reloaded");
        }
        let is_visible = !self.likes(manners.hides);
        let most = if self.crowd.is_lively() { self.crowd.population().in_flight_max } else { 16 };
        let max_in_flight = self.random.random_range(1..=most);
        let session = self.crowd.history().next_session();
        let open: Vec<Key> = self.memory.screen.keys().cloned().collect();
        self.crowd.note(What::Hello {
            session,
            user: self.user.clone(),
            device: self.name.clone(),
            node: node.to_owned(),
            visible: is_visible,
            max_in_flight: usize::from(max_in_flight),
            open: open.clone(),
            transport: Transport::Websocket,
        });
        let acks = self.acks_of_hello(session);
        let open: Vec<Value> = open.iter().map(|key| json!({"id": key.id, "window": key.window})).collect();
        let hello = json!({
            "type": "hello", "token": token(&self.user), "device": self.name, "visible": is_visible, "max_in_flight": max_in_flight,
            "acks": acks, "open": open, "client": "engage-sim",
        });
        wire.say(hello.to_string());
        Connection::new(self, wire, session, is_visible).live().await
    }

    /// The acks that it has no confirm for. Now and then they are sent only the next time.
    fn acks_of_hello(&mut self, session: u64) -> Vec<Value> {
        // A dismiss can't stand in a hello: it is forgotten, and what it was for stands on the screen.
        self.memory.outbox.retain(|pending| pending.step.is_some());
        if self.memory.outbox.is_empty() {
            return Vec::new();
        }
        if self.likes(self.crowd.population().manners.withholds) {
            coverage::count("outbox_withheld");
            return Vec::new();
        }
        coverage::count("outbox_in_hello");
        let now_us = self.crowd.now_us();
        let mut acks = Vec::new();
        for pending in &mut self.memory.outbox {
            (pending.session, pending.sent_us, pending.again_us) = (session, now_us, None);
            acks.extend(pending.in_hello());
            let (key, step, data) = (pending.key.clone(), pending.step, pending.data.clone());
            self.crowd.note(What::Ack { session, key, step, data, reference: None });
        }
        acks
    }

    /// How long it stays away after that.
    fn away_ms(&mut self, left: &Left) -> u64 {
        self.failures = if left.was_welcomed { 0 } else { self.failures + 1 };
        if matches!(left.code, Some(4400 | 4403)) {
            self.crowd.trouble(format!("{} of {} was sent away with {:?}", self.name, self.user, left.code));
        }
        if matches!(left.code, Some(4400 | 4401 | 4403 | 4409)) {
            return self.random.random_range(TURN_TO_IT_MS);
        }
        if left.was_own_wish {
            let most = self.crowd.population().away_max_ms;
            return around(&mut self.random, most / 2).min(most);
        }
        let most = (BACK_OFF_FIRST_MS << self.failures.min(8)).min(BACK_OFF_MOST_MS);
        self.random.random_range(0..=most).max(left.after_ms.min(BACK_OFF_MOST_MS))
    }

    fn is_posting(&mut self, left: &Left) -> bool {
        let posts = self.crowd.population().manners.posts;
        left.session > 0 && !self.memory.outbox.is_empty() && self.likes(posts)
    }

    /// What a page does as it unloads: it sends what waits for a confirm, and may never learn what came of it.
    async fn post(&mut self, left: &Left) {
        let session = left.session;
        coverage::count("posted");
        for pending in &self.memory.outbox {
            let (key, step, data) = (pending.key.clone(), pending.step, pending.data.clone());
            self.crowd.note(What::Ack { session, key, step, data, reference: None });
        }
        let messages: Vec<Value> = self.memory.outbox.iter().map(Pending::message).collect();
        let body = json!({"token": token(&self.user), "device": self.name, "messages": messages});
        let node = self.crowd.somewhere(&mut self.random, None);
        let request = Request { method: "POST", path: "/v1/messages".to_owned(), body: Some(body) };
        let Ok(answer) = self.crowd.outside().call(node, request).await else { return };
        if answer.status != 200 {
            coverage::count("post_refused");
            return;
        }
        let answers: Vec<Value> = serde_json::from_slice(&answer.body).expect("it is a list");
        for answer in &answers {
            coverage::count("post_answered");
            // Without numbers: those stand for what is asked on a connection.
            if answer["type"] == "confirm" {
                overhear::confirmed(&self.crowd, (&self.user, &self.name), session, answer).settle(&mut self.memory);
            }
        }
    }
}

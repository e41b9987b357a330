//! Publishers and devices that go on through crashes as real ones would: a lost answer is asked for again, a lost connection opened again, a lost ack sent
//! with the next hello. Everything that they see goes into the history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use engage::clock;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::history::{Entry, History, Key, Leave, Session};
use super::judge::payload_of;
use crate::support::api::{Api, engagements};
use crate::support::device::{Device, Event, SUBPROTOCOL};
use crate::support::hello::Hello;
use crate::support::node::Address;
use crate::support::wait::pass;

/// Steps of every engagement of the crowd.
const STEPS: u64 = 3;

/// When the crowd is to stop doing what.
#[derive(Clone, Default)]
pub struct Signals {
    /// No new publishes.
    pub enough_published: Arc<AtomicBool>,
    /// Devices go home.
    pub over: Arc<AtomicBool>,
}

/// Whether the crowd publishes this id to all devices of a user at once.
pub fn is_shared(id: &str) -> bool {
    id.ends_with(['3', '7'])
}

/// Publishes for one user, one after another, each until it is answered.
pub async fn publisher(api: Api, user: String, signals: Signals, history: History) {
    for number in 0.. {
        if signals.enough_published.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("e{number}");
        let targets = if is_shared(&id) { "all" } else { "active" };
        let body = json!({"id": id, "payload": payload_of(&user, &id), "steps": STEPS, "priority": number % 3, "targets": targets});
        while !publish_once(&api, &user, &id, &body, &history).await {
            pass(Duration::from_millis(20)).await;
        }
        pass(Duration::from_millis(15)).await;
    }
}

/// Whether the publish was answered for good.
async fn publish_once(api: &Api, user: &str, id: &str, body: &Value, history: &History) -> bool {
    let request = api.request(reqwest::Method::POST, &engagements(user)).json(body).timeout(Duration::from_secs(8));
    match api.try_send(request).await {
        Ok(answer) if matches!(answer.status, 200 | 201) => {
            history.note(Entry::Accepted { key: Key::of(user, &answer.json()) });
            true
        }
        // A full buffer is a refusal; the devices empty it.
        Ok(answer) if matches!(answer.status, 503 | 507) => false,
        Ok(answer) => panic!("a publish was answered {answer:?}"),
        Err(_) => {
            history.note(Entry::Unanswered { user: user.to_owned(), id: id.to_owned() });
            false
        }
    }
}

/// One device of a user.
pub struct Person {
    pub address: Address,
    pub user: String,
    pub device: String,
    pub random: StdRng,
    pub signals: Signals,
    pub history: History,
    /// Acks without a confirm.
    pub unconfirmed: Vec<Value>,
}

/// One connection of a person.
struct Link {
    device: Device,
    session: Session,
}

/// Whether a connection goes on.
#[derive(PartialEq)]
enum Next {
    Stay,
    Leave,
}

impl Person {
    /// Connects again and again, and does what is offered, until it is over.
    pub async fn live(mut self) {
        while !self.signals.over.load(Ordering::Relaxed) {
            match Device::try_open(&self.address, &[("Sec-WebSocket-Protocol", SUBPROTOCOL)]).await {
                Some(device) => self.one_connection(Link { device, session: next_session() }).await,
                None => pass(Duration::from_millis(20)).await,
            }
        }
    }

    async fn one_connection(&mut self, mut link: Link) {
        let session = link.session;
        let (user, device) = (self.user.clone(), self.device.clone());
        self.history.note(Entry::Hello { session, user, device, wall: clock::wall_ms() });
        // Now and then a client sends the acks that it has no confirm for only the next time.
        let acks = if self.random.random_bool(0.5) { self.unconfirmed.clone() } else { Vec::new() };
        let hello = Hello::new(&self.user, &self.device).acks(&acks).max_in_flight(self.random.random_range(1..8));
        if link.device.try_send(hello.message()).await.is_err() {
            return;
        }
        let mut left_messages = self.random.random_range(5..60_u32);
        while left_messages > 0 && !self.signals.over.load(Ordering::Relaxed) {
            let Ok(event) = tokio::time::timeout(Duration::from_millis(500), link.device.next_without_deadline()).await else {
                // Nothing comes: what this device looked away from comes back with another connection.
                left_messages = left_messages.saturating_sub(10);
                continue;
            };
            let Event::Message(message) = event else { return };
            left_messages -= 1;
            if self.handle(&mut link, &message).await == Next::Leave || self.look_away_or_back(&mut link).await == Next::Leave {
                return;
            }
        }
        let leave = if self.random.random_bool(0.3) { Leave::Lost } else { Leave::Closed };
        self.history.note(Entry::End { session, leave, wall: clock::wall_ms() });
        match leave {
            Leave::Lost => link.device.vanish(),
            Leave::Closed => {
                for message in link.device.close().await.iter().filter(|message| message["type"] == "withdraw") {
                    self.note_withdraw(session, message);
                }
            }
        }
    }

    async fn handle(&mut self, link: &mut Link, message: &Value) -> Next {
        let session = link.session;
        match message["type"].as_str() {
            Some("welcome") => {
                for answer in message["acks"].as_array().into_iter().flatten() {
                    if answer["type"] == "confirm" {
                        self.note_confirm(session, answer);
                    }
                    self.unconfirmed.retain(|ack| !is_same_key(ack, answer));
                }
                Next::Stay
            }
            Some("offer") => {
                let (key, step, at) = (Key::of(&self.user, message), number(message, "step"), number(message, "at"));
                self.history.note(Entry::Offer { session, key, step, at, payload: message["payload"].clone() });
                self.ack(link, message, step).await
            }
            Some("withdraw") => {
                self.note_withdraw(session, message);
                Next::Stay
            }
            Some("confirm") => {
                self.note_confirm(session, message);
                self.unconfirmed.retain(|ack| !is_same_key(ack, message) || number(ack, "step") > number(message, "step"));
                let step = number(message, "step");
                if step >= STEPS || message["state"] == "completed" {
                    return Next::Stay;
                }
                self.ack(link, message, step + 1).await
            }
            Some("error") => panic!("{} was told {message}", self.user),
            Some("bye") => Next::Leave,
            _ => Next::Stay,
        }
    }

    /// Acks a step of what `message` names, or, now and then, does not get to it.
    async fn ack(&mut self, link: &mut Link, message: &Value, step: u64) -> Next {
        if self.random.random_bool(0.05) {
            return Next::Stay;
        }
        self.history.note(Entry::Ack { key: Key::of(&self.user, message), step });
        let mut ack = json!({"id": message["id"], "window": message["window"], "step": step});
        self.unconfirmed.retain(|earlier| !is_same_key(earlier, &ack));
        self.unconfirmed.push(ack.clone());
        ack["type"] = json!("ack");
        send(link, &ack).await
    }

    /// Now and then the person puts the device away, or takes it up.
    async fn look_away_or_back(&mut self, link: &mut Link) -> Next {
        if self.random.random_bool(0.95) {
            return Next::Stay;
        }
        let visible = self.random.random_bool(0.5);
        if !visible {
            self.history.note(Entry::Hide { session: link.session, wall: clock::wall_ms() });
        }
        send(link, &json!({"type": "visible", "visible": visible})).await
    }

    fn note_withdraw(&self, session: Session, withdraw: &Value) {
        self.history.note(Entry::Withdraw { session, key: Key::of(&self.user, withdraw), at: number(withdraw, "at") });
    }

    fn note_confirm(&self, session: Session, confirm: &Value) {
        let state = confirm["state"].as_str().expect("a state").to_owned();
        let (step, at) = (number(confirm, "step"), number(confirm, "at"));
        self.history.note(Entry::Confirm { session, key: Key::of(&self.user, confirm), step, state, at });
    }
}

async fn send(link: &mut Link, message: &Value) -> Next {
    if link.device.try_send(message).await.is_ok() { Next::Stay } else { Next::Leave }
}

fn is_same_key(one: &Value, other: &Value) -> bool {
    one["id"] == other["id"] && one["window"] == other["window"]
}

fn number(message: &Value, field: &str) -> u64 {
    message[field].as_u64().unwrap_or_else(|| panic!("no {field} in {message}"))
}

fn next_session() -> Session {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

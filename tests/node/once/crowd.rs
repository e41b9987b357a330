//! Publishers and devices that go on through crashes as real ones would: a lost answer is asked for again, a lost connection opened again, a lost ack sent
//! with the next hello. Everything that they see goes into the history.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::history::{Entry, History, Key, Session};
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

/// Publishes for one user, one after another, each until it is answered.
pub async fn publisher(api: Api, user: String, signals: Signals, history: History) {
    for number in 0.. {
        if signals.enough_published.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("e{number}");
        let body = json!({"id": id, "payload": payload_of(&user, &id), "steps": STEPS, "priority": number % 3});
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
    pub seed: u64,
    pub signals: Signals,
    pub history: History,
}

impl Person {
    /// Connects again and again, and does what is offered, until it is over.
    pub async fn live(self) {
        let mut random = StdRng::seed_from_u64(self.seed);
        let mut unconfirmed: Vec<Value> = Vec::new();
        while !self.signals.over.load(Ordering::Relaxed) {
            match Device::try_open(&self.address, &[("Sec-WebSocket-Protocol", SUBPROTOCOL)]).await {
                Some(device) => self.one_connection(device, &mut unconfirmed, &mut random).await,
                None => pass(Duration::from_millis(20)).await,
            }
        }
    }

    async fn one_connection(&self, mut device: Device, unconfirmed: &mut Vec<Value>, random: &mut StdRng) {
        let session = next_session();
        self.history.note(Entry::Hello { session });
        // Some clients keep their unconfirmed acks, some forget them.
        let acks = if random.random_bool(0.5) { std::mem::take(unconfirmed) } else { Vec::new() };
        let hello = Hello::new(&self.user, &self.device).acks(&acks).max_in_flight(random.random_range(1..8));
        if device.try_send(hello.message()).await.is_err() {
            *unconfirmed = acks;
            return;
        }
        let mut left_messages = random.random_range(5..60_u32);
        while left_messages > 0 && !self.signals.over.load(Ordering::Relaxed) {
            let Ok(event) = tokio::time::timeout(Duration::from_millis(500), device.next_without_deadline()).await else {
                // Nothing comes: what this device looked away from comes back with another connection.
                left_messages = left_messages.saturating_sub(10);
                continue;
            };
            let Event::Message(message) = event else { return };
            left_messages -= 1;
            if !self.handle(&mut device, session, &message, unconfirmed, random).await {
                return;
            }
        }
        if random.random_bool(0.3) { device.vanish() } else { device.close().await }
    }

    /// Whether the connection goes on.
    async fn handle(
        &self,
        device: &mut Device,
        session: Session,
        message: &Value,
        unconfirmed: &mut Vec<Value>,
        random: &mut StdRng,
    ) -> bool {
        match message["type"].as_str() {
            Some("welcome") => {
                for answer in message["acks"].as_array().into_iter().flatten().filter(|answer| answer["type"] == "confirm") {
                    self.note_confirm(session, answer);
                }
                true
            }
            Some("offer") => {
                let number = |field: &str| message[field].as_u64().expect("a number");
                let key = Key::of(&self.user, message);
                let (step, at) = (number("step"), number("at"));
                self.history.note(Entry::Offer { session, key, step, at, payload: message["payload"].clone() });
                self.ack(device, message, step, unconfirmed, random).await
            }
            Some("confirm") => {
                self.note_confirm(session, message);
                unconfirmed.retain(|ack| {
                    ack["id"] != message["id"] || ack["window"] != message["window"] || ack["step"].as_u64() > message["step"].as_u64()
                });
                let step = message["step"].as_u64().expect("a step");
                if step >= STEPS || message["state"] == "completed" {
                    return true;
                }
                self.ack(device, message, step + 1, unconfirmed, random).await
            }
            Some("error") => panic!("{} was told {message}", self.user),
            Some("bye") => false,
            _ => true,
        }
    }

    /// Acks a step of what `message` names, or, now and then, looks away.
    async fn ack(&self, device: &mut Device, message: &Value, step: u64, unconfirmed: &mut Vec<Value>, random: &mut StdRng) -> bool {
        if random.random_bool(0.05) {
            return true;
        }
        self.history.note(Entry::Ack { key: Key::of(&self.user, message), step });
        let ack = json!({"id": message["id"], "window": message["window"], "step": step});
        unconfirmed.push(ack.clone());
        let mut sent = ack;
        sent["type"] = json!("ack");
        device.try_send(&sent).await.is_ok()
    }

    fn note_confirm(&self, session: Session, confirm: &Value) {
        let number = |field: &str| confirm[field].as_u64().expect("a number");
        let state = confirm["state"].as_str().expect("a state").to_owned();
        self.history.note(Entry::Confirm { session, key: Key::of(&self.user, confirm), step: number("step"), state, at: number("at") });
    }
}

fn next_session() -> Session {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

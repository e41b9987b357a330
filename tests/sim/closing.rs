//! The end of a run: all faults are over, everybody stays and does all that he is offered. Within a bounded time everything that was accepted is settled; then the feed of
//! outcomes is read whole, at any node, and the state of every key is asked for.

use std::collections::BTreeSet;

use engage::history::key::Key;
use engage::history::record::{What, is_settled};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::calls::{Caller, json_of};
use crate::coverage;
use crate::crowd::{Crowd, Phase, is_for_each_device, pass_ms};
use crate::outside::Request;
use crate::overhear::text;

/// Within so long (virtual time) after the last fault, every call is answered.
const ANSWERED_MS: u64 = 60_000;
/// And within so long everything is settled: the longest own window, and then some.
const SETTLED_MS: u64 = 120_000;
const LOOK_MS: u64 = 250;
/// So many keys are asked for at each look: most settle by themselves.
const ASKED_MAX: usize = 8;
/// Lines of the feed at once.
const PAGE: usize = 500;

/// What is left of a run beside its history.
#[derive(Debug, Default)]
pub struct Left {
    /// What was accepted and did not settle.
    pub unsettled: Vec<String>,
    /// What the people found that no history shows.
    pub troubles: Vec<String>,
}

/// Brings the run to its end, when all faults are over; `publishers` are waited for, and what they still call.
pub async fn close(crowd: &Crowd, publishers: Vec<tokio::task::JoinHandle<()>>, seed: u64) -> Left {
    crowd.enter(Phase::Attentive);
    crowd.fail_from(crowd.now_us() + ANSWERED_MS * 1_000);
    for publisher in publishers {
        publisher.await.expect("no publisher panics");
    }
    let caller = Caller::new(crowd.clone(), StdRng::seed_from_u64(seed));
    let mut closing = Closing { crowd: crowd.clone(), caller, open: BTreeSet::new(), settled: BTreeSet::new(), place: 0 };
    let unsettled = closing.all_settle().await;
    closing.read_feed().await;
    crowd.enter(Phase::Over);
    Left { unsettled, troubles: crowd.troubles() }
}

struct Closing {
    crowd: Crowd,
    caller: Caller,
    /// Accepted, and not known to be settled.
    open: BTreeSet<Key>,
    settled: BTreeSet<Key>,
    /// How far the history was looked at.
    place: usize,
}

impl Closing {
    /// Waits until all is settled; what is not.
    async fn all_settle(&mut self) -> Vec<String> {
        let until_us = self.crowd.now_us() + SETTLED_MS * 1_000;
        loop {
            self.look();
            let mut left = self.buffered().await;
            left.extend(self.ask_for_some().await);
            if left.is_empty() && self.open.is_empty() {
                return Vec::new();
            }
            if self.crowd.now_us() > until_us {
                return left;
            }
            pass_ms(LOOK_MS).await;
        }
    }

    /// Takes from the history what was accepted, and what somebody was told to be settled.
    fn look(&mut self) {
        let (open, settled) = (&mut self.open, &mut self.settled);
        self.place = self.crowd.history().since(self.place, |entry| match &entry.what {
            What::Published { status: 200 | 201, key: Some(key), .. } => drop(open.insert(key.clone())),
            What::Confirm { key, state, .. } | What::Last { key, state } if is_settled(state) => drop(settled.insert(key.clone())),
            _ => {}
        });
        open.retain(|key| !settled.contains(key));
    }

    /// The users for whom something waits.
    async fn buffered(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for user in self.crowd.users() {
            let path = format!("/v1/users/{user}");
            let Some(answer) = self.caller.read(&get(&path)).await else {
                left.push(format!("{path} has no answer"));
                continue;
            };
            match answer.status {
                404 => {}
                200 => {
                    let buffered = json_of(&answer)["buffered"]["deliveries"].as_u64();
                    if buffered != Some(0) {
                        left.push(format!("{user} has {buffered:?} deliveries buffered"));
                    }
                }
                status => self.crowd.trouble(format!("{path} was answered {status}")),
            }
        }
        left
    }

    /// Asks for a few of the keys that nobody was told of; those that are not settled.
    async fn ask_for_some(&mut self) -> Vec<String> {
        let some: Vec<Key> = self.open.iter().take(ASKED_MAX).cloned().collect();
        let mut left = Vec::new();
        for key in some {
            let path = format!("/v1/users/{}/engagements/{}", key.user, key.id);
            let Some(answer) = self.caller.read(&get(&path)).await else {
                left.push(format!("{key} has no answer"));
                continue;
            };
            // What is forgotten with its window, the feed alone tells.
            let body = if answer.status == 404 { Value::Null } else { json_of(&answer) };
            let states = states_of(&key, &body);
            if states.iter().all(|(_, state)| is_settled(state)) {
                states.iter().for_each(|(key, state)| self.crowd.note(What::Last { key: key.clone(), state: state.clone() }));
                self.open.remove(&key);
                self.settled.insert(key);
            } else {
                left.push(format!("{key}: {states:?}"));
            }
        }
        left
    }

    /// Notes the whole feed.
    async fn read_feed(&mut self) {
        let mut after = String::new();
        loop {
            let path = format!("/v1/outcomes?limit={PAGE}{after}");
            let Some(answer) = self.caller.read(&get(&path)).await else {
                return self.crowd.trouble("the feed of outcomes has no answer".to_owned());
            };
            if answer.status != 200 {
                return self.crowd.trouble(format!("the feed of outcomes was answered {}", answer.status));
            }
            let lines = lines_of(&answer.body);
            let Some(last) = lines.last() else { return };
            after = format!("&after={}", encode(text(last, "cursor")));
            for line in &lines {
                self.note_outcome(line);
            }
        }
    }

    fn note_outcome(&self, line: &Value) {
        // A notice has no window.
        let Some(key) = Key::of(text(line, "user"), line) else { return coverage::count("notice_outcome") };
        let device = line["device"].as_str().filter(|_| is_for_each_device(&key.id));
        let key = device.map_or(key.clone(), |device| key.on(device));
        let outcome = text(line, "outcome").to_owned();
        let state = is_settled(&outcome).then(|| outcome.clone());
        let (reason, cursor) = (line["reason"].as_str().map(str::to_owned), text(line, "cursor").to_owned());
        self.crowd.note(What::Outcome { key, outcome, state, cursor, reason, at: line["at"].as_u64() });
    }
}

/// The states of the deliveries of a key: one, or one for each device; none, when it is forgotten.
fn states_of(key: &Key, body: &Value) -> Vec<(Key, String)> {
    let several = body["deliveries"].as_array();
    let all = several.map_or_else(|| vec![body], |several| several.iter().collect());
    let of_key = all.into_iter().filter(|delivery| delivery["window"] == key.window.as_str());
    let is_each = is_for_each_device(&key.id);
    let states = of_key.filter_map(|delivery| {
        let state = delivery["state"].as_str()?.to_owned();
        match delivery["device"].as_str() {
            Some(device) if is_each => Some((key.clone().on(device), state)),
            // No device came while it was open, or it is what others would get.
            None if is_each && !is_settled(&state) => None,
            _ => Some((key.clone(), state)),
        }
    });
    states.collect()
}

fn get(path: &str) -> Request {
    Request { method: "GET", path: path.to_owned(), body: None }
}

fn lines_of(body: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(body);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("a line is not JSON: {error}: {line}"))).collect()
}

/// As a part of a query.
fn encode(text: &str) -> String {
    let one = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

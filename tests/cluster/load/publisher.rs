//! A publisher that behaves as its user would: a call without an answer, or answered 503, is made again at another node until `request_timeout` has passed since the
//! first try; then it has failed.

use std::time::Duration;

use engage::clock;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::{REQUEST_TIMEOUT_MS, Shared, is_set, key_of};
use crate::support::api::{Answer, Api, engagement, engagements};
use crate::support::node::PUBLISH_KEY;
use crate::support::wait::pass;
use engage::history::record::{Publish, Targets, What};

/// A try that has no answer by then is made at another node.
const TRY_TIMEOUT: Duration = Duration::from_secs(2);
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// So many of its own publishes does a publisher remember, to make some of them again.
const REMEMBERED_MAX: usize = 64;

/// Most steps of an engagement.
const STEPS_MAX: u64 = 5;

/// A publish that may be made again.
#[derive(Clone)]
struct Made {
    user: String,
    id: String,
    body: Value,
    targets: Targets,
}

/// One publisher.
pub(super) struct Publisher {
    number: usize,
    count: u64,
    shared: Shared,
    random: StdRng,
    /// One caller for each node, made as it is needed.
    callers: Vec<(String, Api)>,
    made: Vec<Made>,
}

impl Publisher {
    pub(super) fn new(number: usize, shared: Shared, seed: u64) -> Publisher {
        Publisher { number, count: 0, shared, random: StdRng::seed_from_u64(seed), callers: Vec::new(), made: Vec::new() }
    }

    /// Publishes until it is enough.
    pub(super) async fn live(mut self) {
        while !is_set(&self.shared.signals.enough) {
            let earlier = (!self.made.is_empty()).then(|| self.random.random_range(0..self.made.len()));
            match (self.random.random_range(0..100), earlier) {
                (0..5, Some(earlier)) => self.publish(self.made[earlier].clone()).await,
                (5..8, Some(earlier)) => self.publish_otherwise(self.made[earlier].clone()).await,
                (8..10, Some(earlier)) => {
                    let made = self.made.swap_remove(earlier);
                    self.take_back(made).await;
                }
                _ => self.publish_new().await,
            }
            pass(Duration::from_millis(self.shared.size.pause_ms)).await;
        }
    }

    async fn publish_new(&mut self) {
        self.count += 1;
        let user = format!("user-{}", self.random.random_range(0..self.shared.size.users));
        let id = format!("p{}-{}", self.number, self.count);
        let targets = if self.random.random_bool(0.3) { Targets::All } else { Targets::Active };
        let body = json!({
            "id": id,
            "payload": {"for": user, "named": id},
            "steps": self.random.random_range(1..=STEPS_MAX),
            "priority": self.random.random_range(-1..=1),
            "targets": targets,
        });
        let made = Made { user, id, body, targets };
        if self.made.len() == REMEMBERED_MAX {
            self.made.remove(0);
        }
        self.made.push(made.clone());
        self.publish(made).await;
    }

    /// The same key with other content, which must not win.
    async fn publish_otherwise(&mut self, mut made: Made) {
        made.body["payload"]["named"] = json!("something else");
        self.publish(made).await;
    }

    async fn publish(&mut self, made: Made) {
        let call = self.shared.history.next_call();
        let Made { user, id, body, targets } = made;
        let payload = body["payload"].clone();
        let user_of_call = user.clone();
        self.shared.history.note(What::Publish(Publish { call, user: user_of_call, id, targets, payload, ..Publish::default() }));
        let path = engagements(&user);
        let answer = self.call(call, |api| api.request(Method::POST, &path).json(&body)).await;
        let Some(answer) = answer else { return };
        let (status, body) = (answer.status, answer.json());
        assert!(matches!(status, 200 | 201 | 409), "a publish was answered {answer:?}");
        let key = (status != 409).then(|| key_of(&user, &body));
        let state = body["state"].as_str().map(str::to_owned);
        let (step, closes_at) = (body["step"].as_u64(), body["closes_at"].as_u64());
        self.shared.history.note(What::Published { call, status, key, state, step, closes_at });
    }

    async fn take_back(&mut self, made: Made) {
        let call = self.shared.history.next_call();
        let Made { user, id, .. } = made;
        self.shared.history.note(What::TakeBack { call, user: user.clone(), id: id.clone() });
        let path = engagement(&user, &id);
        let answer = self.call(call, |api| api.request(Method::DELETE, &path)).await;
        if let Some(answer) = answer.filter(|answer| answer.status == 200) {
            let state = answer.json()["state"].as_str().expect("a state").to_owned();
            self.shared.history.note(What::TakenBack { call, user, id, state });
        }
    }

    /// Makes a call at one node after another until it is answered for good, or has failed.
    async fn call(&mut self, call: u64, request: impl Fn(&Api) -> RequestBuilder) -> Option<Answer> {
        let start = clock::monotonic();
        let mut avoid = String::new();
        loop {
            let (node, api) = self.somewhere(&avoid);
            let why = match api.try_send(request(&api).timeout(TRY_TIMEOUT)).await {
                Ok(answer) if matches!(answer.status, 408 | 429 | 503 | 507) => format!("{node}: {} {}", answer.status, answer.text),
                Ok(answer) => return Some(answer),
                Err(error) => format!("{node}: {error}"),
            };
            let (note, has_failed) = (why.clone(), clock::monotonic() - start > Duration::from_millis(REQUEST_TIMEOUT_MS));
            self.shared.history.note(if has_failed { What::GaveUp { call, why } } else { What::Unanswered { call, why: note } });
            if has_failed {
                return None;
            }
            avoid = node;
            pass(BETWEEN_TRIES).await;
        }
    }

    /// Any node but this one, where there is another.
    fn somewhere(&mut self, avoid: &str) -> (String, Api) {
        let nodes = self.shared.roster.all();
        let others: Vec<_> = nodes.iter().filter(|(name, _)| name != avoid).collect();
        let from = if others.is_empty() { nodes.iter().collect() } else { others };
        let (name, address) = from[self.random.random_range(0..from.len())];
        if let Some((_, api)) = self.callers.iter().find(|(known, _)| known == name) {
            return (name.clone(), api.clone());
        }
        let api = Api::at(address, Some(PUBLISH_KEY));
        self.callers.push((name.clone(), api.clone()));
        (name.clone(), api)
    }
}

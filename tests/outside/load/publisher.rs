//! The publisher of the storm: a thousand deliveries a second at an even pace, at every node in turn, the one that dies included. What is not accepted is published again
//! elsewhere until `request_timeout` has passed, as the contract allows a publisher to expect.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use engage::history::record::{Key, Publish, Targets, What};
use serde_json::{Value, json};

use crate::now;
use crate::server::Caller;
use crate::user::{Shared, TOUR, TOUR_STEPS};

/// Users of one publish to many.
const AT_ONCE: usize = 100;
const EVERY: Duration = Duration::from_millis(100);
pub const REQUEST_TIMEOUT_MS: u64 = 5_000;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);
/// A try that has no answer by then is made at another node.
const TRY_TIMEOUT: Duration = Duration::from_secs(2);

/// See the head of the file.
pub struct Publisher {
    pub callers: Vec<Caller>,
    pub users: Arc<Vec<String>>,
    pub shared: Arc<Shared>,
    pub round: usize,
}

impl Publisher {
    /// What stands on everybody's screen from the beginning.
    pub async fn publish_tour(&self) {
        for users in self.users.chunks(1_000) {
            self.publish(users.to_vec(), TOUR, TOUR_STEPS, 0).await;
        }
    }

    /// Publishes until everybody is to finish.
    pub async fn live(mut self) {
        let mut ticks = tokio::time::interval(EVERY);
        while !self.shared.attentive.load(Ordering::Relaxed) {
            ticks.tick().await;
            let from = self.round * AT_ONCE % self.users.len();
            let users: Vec<String> = self.users.iter().cycle().skip(from).take(AT_ONCE.min(self.users.len())).cloned().collect();
            self.publish(users, &format!("d{}", self.round), 1, self.round).await;
            self.round += 1;
        }
    }

    async fn publish(&self, users: Vec<String>, id: &str, steps: u64, first: usize) {
        let payload = json!({"named": id});
        let mut calls: HashMap<String, u64> = HashMap::new();
        for user in users {
            let call = self.shared.history.next_call();
            let (targets, payload) = (Targets::Active, payload.clone());
            self.shared.history.note(What::Publish(Publish {
                call,
                user: user.clone(),
                id: id.to_owned(),
                targets,
                payload,
                ..Publish::default()
            }));
            calls.insert(user, call);
        }
        let started = now();
        for try_number in 0.. {
            let caller = &self.callers[(first + try_number) % self.callers.len()];
            let users: Vec<&String> = calls.keys().collect();
            let body = json!({"users": users, "engagement": {"id": id, "payload": payload, "steps": steps}});
            match tokio::time::timeout(TRY_TIMEOUT, caller.try_publish_body(&body)).await {
                Ok(Ok(answer)) => self.answered(&answer, &mut calls),
                Ok(Err(error)) => self.unanswered(&calls, &error.to_string()),
                Err(_) => self.unanswered(&calls, "no answer in time"),
            }
            if calls.is_empty() {
                return;
            }
            if started.elapsed() > Duration::from_millis(REQUEST_TIMEOUT_MS) {
                break;
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        calls.values().for_each(|call| self.shared.history.note(What::GaveUp { call: *call, why: "refused for too long".to_owned() }));
    }

    /// Takes those that were accepted out of what is to be tried again.
    fn answered(&self, answer: &Value, calls: &mut HashMap<String, u64>) {
        let Some(results) = answer["results"].as_array() else { return self.unanswered(calls, &answer.to_string()) };
        for result in results {
            let user = result["user"].as_str().expect("a result names its user");
            let status = match result["status"].as_str() {
                Some("queued") => 201,
                Some("duplicate") => 200,
                _ => {
                    self.shared.history.note(What::Unanswered { call: calls[user], why: result.to_string() });
                    continue;
                }
            };
            let call = calls.remove(user).expect("a result answers a call");
            let state = result["state"].as_str().map(str::to_owned);
            let key = Key::of(user, result);
            self.shared.history.note(What::Published { call, status, key, state, step: result["step"].as_u64(), closes_at: None });
        }
    }

    fn unanswered(&self, calls: &HashMap<String, u64>, why: &str) {
        calls.values().for_each(|call| self.shared.history.note(What::Unanswered { call: *call, why: why.to_owned() }));
    }
}

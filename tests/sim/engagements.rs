//! What a publisher may publish: engagements of all kinds, by the mix of the run. Pure.

use engage::history::record::{Publish, Scope, Targets};
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::population::Mix;

/// Most steps of an engagement.
const STEPS_MAX: u64 = 5;

/// One that was made, for one user; it may be published again.
#[derive(Clone, Debug)]
pub struct Made {
    pub user: String,
    pub id: String,
    pub body: Value,
}

/// Makes one. `ledger_ms` is a time of the ledger that somebody was told.
pub fn draw(random: &mut StdRng, mix: &Mix, (user, id): (&str, &str), ledger_ms: Option<u64>) -> Made {
    let mut body = json!({
        "id": id,
        "payload": {"for": user, "named": id, "text": "x".repeat(random.random_range(0..200))},
        "steps": if random.random_bool(0.4) { 1 } else { random.random_range(1..=STEPS_MAX) },
        "priority": random.random_range(-1..=1),
    });
    let mut set = |field: &str, value: Value| body[field] = value;
    if crate::crowd::is_for_each_device(id) {
        set("scope", json!("device"));
    } else if random.random_bool(mix.all_devices) {
        set("targets", json!("all"));
    }
    if random.random_bool(0.2) {
        set("settle_on", json!(if random.random_bool(0.5) { "shown" } else { "completed" }));
    }
    if random.random_bool(mix.own_window) {
        set("window", span(random, 2_000..30_000));
    }
    if random.random_bool(mix.ttl) {
        set("ttl", span(random, 500..15_000));
    }
    if random.random_bool(mix.snooze) {
        set("snooze", span(random, 1_000..8_000));
    }
    if random.random_bool(mix.max_offers) {
        set("max_offers", json!(random.random_range(1..=4)));
    }
    if let Some(ledger_ms) = ledger_ms.filter(|_| random.random_bool(mix.not_before)) {
        set("not_before", json!(ledger_ms + random.random_range(0..8_000)));
    }
    Made { user: user.to_owned(), id: id.to_owned(), body }
}

fn span(random: &mut StdRng, ms: std::ops::Range<u64>) -> Value {
    json!(format!("{}ms", random.random_range(ms)))
}

impl Made {
    /// The same key with other content, which must not win.
    pub fn otherwise(mut self) -> Made {
        self.body["payload"]["named"] = json!("something else");
        self
    }

    /// For another user.
    pub fn to(&self, user: &str) -> Made {
        let mut body = self.body.clone();
        body["payload"]["for"] = json!(user);
        Made { user: user.to_owned(), id: self.id.clone(), body }
    }

    /// As the history has it.
    pub fn call(&self, call: u64) -> Publish {
        let ms = |field: &str| self.body[field].as_str().map(|span| span.trim_end_matches("ms").parse().expect("all spans are in ms"));
        Publish {
            call,
            user: self.user.clone(),
            id: self.id.clone(),
            targets: if self.body["targets"] == "all" { Targets::All } else { Targets::Active },
            scope: if self.body["scope"] == "device" { Scope::Device } else { Scope::User },
            payload: self.body["payload"].clone(),
            window_ms: ms("window"),
            max_offers: self.body["max_offers"].as_u64().unwrap_or(0),
            snooze_ms: ms("snooze"),
        }
    }

    /// Where it is published.
    pub fn path(&self) -> String {
        format!("/v1/users/{}/engagements", self.user)
    }

    /// Where it is found.
    pub fn own_path(&self) -> String {
        format!("/v1/users/{}/engagements/{}", self.user, self.id)
    }
}

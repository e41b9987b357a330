//! How the node is: `/healthz`, `/readyz` and `/metrics`. Open to everybody who reaches the port: nothing here names a user or a secret.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::ledger::outcome::What;
use crate::ports::members::Members;
use crate::ports::{Read, ShardStatus};
use crate::protocol::code::Code;
use crate::telemetry::{self, names};

use super::problem::{self, Problem};

/// What the health routes look at.
pub struct Health {
    read: Arc<dyn Read>,
    members: Arc<dyn Members>,
    is_draining: AtomicBool,
}

impl Health {
    /// The health of a node that is not draining.
    #[must_use]
    pub fn new(read: Arc<dyn Read>, members: Arc<dyn Members>) -> Health {
        Health { read, members, is_draining: AtomicBool::new(false) }
    }

    /// From now on the node is not ready: it is going away.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    /// Whether it is going away.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Why the node is not ready; nothing when it is: it has joined, knows the owner of every shard, and is not going away.
    #[must_use]
    pub fn not_ready_reasons(&self) -> Vec<String> {
        let stopping = self.is_draining().then(|| "the node is going away".to_owned());
        let failed = self.read.status().into_iter().filter(|status| status.is_fatal);
        let failed = failed.map(|status| format!("shard {} has failed", status.shard));
        stopping.into_iter().chain(failed).chain(self.members.not_ready()).collect()
    }
}

/// Adds the routes to an app whose data holds a [`web::Data<Health>`].
pub fn routes(app: &mut web::ServiceConfig) {
    let only_get = |path: &str| web::resource(path).default_service(problem::other_methods("GET"));
    app.service(only_get("/healthz").route(web::get().to(healthz)))
        .service(only_get("/readyz").route(web::get().to(readyz)))
        .service(only_get("/metrics").route(web::get().to(metrics)));
}

/// The process lives and answers; nothing more.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({ "status": "ok" }))
}

async fn readyz(health: web::Data<Health>) -> Result<HttpResponse, Problem> {
    let reasons = health.not_ready_reasons();
    if reasons.is_empty() {
        return Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(json!({ "status": "ready" })));
    }
    Err(Problem::new(Code::Unavailable, "the node is not ready").with("reasons", reasons))
}

async fn metrics(health: web::Data<Health>) -> HttpResponse {
    let mut text = telemetry::render();
    write_shards(&mut text, &health.read.status());
    write_process(&mut text);
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")).body(text)
}

type Value = fn(&ShardStatus) -> u64;

/// Of each shard that this node holds.
const OF_EACH: [(&str, Value); 6] = [
    (names::SHARD_OWNER, |status| u64::from(status.is_owner)),
    (names::SHARD_TERM, |status| status.term),
    (names::SHARD_APPLIED_INDEX, |status| status.applied_index),
    (names::SHARD_QUEUED, |status| status.queued_count),
    (names::SHARD_LOG_BYTES, |status| status.log_bytes),
    (names::SHARD_SNAPSHOT_INDEX, |status| status.snapshot_index),
];

/// Of each shard that this node owns; summed over the nodes of a cluster, each user is counted once.
const OF_OWNED: [(&str, Value); 4] = [
    (names::USERS, |status| status.counts.users),
    (names::BUFFERED_DELIVERIES, |status| status.counts.buffered_deliveries),
    (names::BUFFERED_BYTES, |status| status.counts.buffered_bytes),
    (names::LEDGER_BYTES, |status| status.counts.ledger_bytes),
];

fn write_shards(text: &mut String, shards: &[ShardStatus]) {
    let line = |value: Value| move |status: &ShardStatus| (format!("shard=\"{}\"", status.shard), value(status));
    for (name, value) in OF_EACH {
        telemetry::write_gauge(text, name, shards.iter().map(line(value)));
    }
    let led = shards.iter().filter_map(|status| Some((format!("shard=\"{}\"", status.shard), status.leader?)));
    telemetry::write_gauge(text, names::SHARD_LEADER, led);
    let lags = shards.iter().flat_map(|status| status.lag.iter().map(move |(node, lag)| (status.shard, node, *lag)));
    let lags = lags.map(|(shard, node, lag)| (format!("shard=\"{shard}\",node=\"{node}\""), lag));
    telemetry::write_gauge(text, names::SHARD_LAG, lags);
    let ages = shards.iter().filter_map(|status| Some((format!("shard=\"{}\"", status.shard), status.quorum_age_ms?)));
    telemetry::write_gauge(text, names::SHARD_QUORUM_AGE_MS, ages);
    let owned = || shards.iter().filter(|status| status.is_owner);
    for (name, value) in OF_OWNED {
        telemetry::write_gauge(text, name, owned().map(line(value)));
    }
    let mut totals = BTreeMap::new();
    for status in owned() {
        for (what, total) in What::ALL.iter().zip(&status.outcome_totals) {
            *totals.entry(*what).or_insert(0) += total;
        }
    }
    let totals = totals.into_iter().map(|(what, total)| (format!("outcome=\"{}\"", what.as_str()), total));
    telemetry::write_gauge(text, names::OUTCOMES_TOTAL, totals);
}

fn write_process(text: &mut String) {
    let values = [(names::PROCESS_RESIDENT_BYTES, telemetry::resident_bytes()), (names::PROCESS_OPEN_FDS, telemetry::open_files())];
    for (name, value) in values {
        telemetry::write_gauge(text, name, value.map(|value| (String::new(), value)));
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;

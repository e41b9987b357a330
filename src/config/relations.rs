//! How the values of a configuration fit each other, and what is allowed but not advisable. Each value alone is judged in `check` and `ranges`.

use super::error::Problem;
use super::{Config, Span};
use crate::ledger::engagement::DATA_MAX_BYTES;

/// Everything that does not fit.
pub(super) fn check(config: &Config, problems: &mut Vec<Problem>) {
    times(config, problems);
    bounds(config, problems);
    addresses(config, problems);
}

/// Heartbeat, election, lease and request, each well within the next.
fn times(config: &Config, problems: &mut Vec<Problem>) {
    let cluster = &config.cluster;
    let mut shorter = |key: &str, span: Span, than: &str, other: Span| {
        if span >= other {
            problems.push(Problem::of(key, format!("= {span} must be shorter than {than} = {other}")));
        }
    };
    // A single heartbeat that is late must not bring a new election.
    shorter(
        "twice cluster.heartbeat",
        Span::from_ms(2 * cluster.heartbeat.ms()),
        "cluster.election_timeout_min",
        cluster.election_timeout_min,
    );
    shorter("cluster.election_timeout_min", cluster.election_timeout_min, "cluster.election_timeout_max", cluster.election_timeout_max);
    shorter("cluster.election_timeout_max", cluster.election_timeout_max, "cluster.lease", cluster.lease);
    shorter("cluster.election_timeout_max", cluster.election_timeout_max, "http.request_timeout", config.http.request_timeout);
}

/// What holds something must be at least as large as what it holds.
fn bounds(config: &Config, problems: &mut Vec<Problem>) {
    let limits = &config.limits;
    if limits.records_per_user < config.buffer.max_deliveries {
        let message = format!("= {} must be at least buffer.max_deliveries = {}", limits.records_per_user, config.buffer.max_deliveries);
        problems.push(Problem::of("limits.records_per_user", message));
    }
    if limits.ledger_bytes_per_shard < config.buffer.max_bytes {
        let message = format!("= {} must be at least buffer.max_bytes = {}", limits.ledger_bytes_per_shard, config.buffer.max_bytes);
        problems.push(Problem::of("limits.ledger_bytes_per_shard", message));
    }
    if limits.max_bulk_body < limits.max_body {
        problems.push(Problem::of(
            "limits.max_bulk_body",
            format!("= {} must be at least limits.max_body = {}", limits.max_bulk_body, limits.max_body),
        ));
    }
    let hello_bytes = config.buffer.max_bytes.bytes().saturating_add(offers_bytes(config));
    if limits.outbox_bytes.bytes() < hello_bytes {
        let message = format!(
            "= {} must be at least {} KiB, for the answer to a hello: buffer.max_bytes = {} of payloads, and the data and envelopes of the offers",
            limits.outbox_bytes,
            hello_bytes.div_ceil(1024),
            config.buffer.max_bytes
        );
        problems.push(Problem::of("limits.outbox_bytes", message));
    }
}

fn addresses(config: &Config, problems: &mut Vec<Problem>) {
    let cluster = &config.cluster;
    if config.http.listen == cluster.listen && cluster.listen.port() != 0 {
        problems.push(Problem::of("cluster.listen", format!("= {} is also http.listen; hint: give it a port of its own", cluster.listen)));
    }
    if cluster.listen.ip().is_unspecified() && cluster.advertise.is_none() {
        let message = format!(
            "is missing: cluster.listen = {} is no address that other nodes could connect to; hint: host:port, as they reach this node",
            cluster.listen
        );
        problems.push(Problem::of("cluster.advertise", message));
    }
}

/// What the offers that answer one hello may take beside their payloads: without room for it, the answer would cut its own client, at every try.
fn offers_bytes(config: &Config) -> u64 {
    const ENVELOPE_BYTES: u64 = 512;
    const OFFERS_MAX: u64 = 256;
    OFFERS_MAX.min(u64::from(config.buffer.max_deliveries)).saturating_mul(DATA_MAX_BYTES as u64 + ENVELOPE_BYTES)
}

/// What is allowed, and likely not what was meant; a sentence each.
pub(super) fn advice(config: &Config) -> Vec<String> {
    let mut advice = Vec::new();
    let cluster = &config.cluster;
    if cluster.replication.is_multiple_of(2) {
        let (even, odd) = (cluster.replication, cluster.replication - 1);
        advice.push(format!(
            "cluster.replication = {even} outlives no more dead nodes than {odd} does, and commits slower; hint: an odd number"
        ));
    }
    // A shard that lost its leader has another one within about twice the longest election timeout.
    let failover = Span::from_ms(2 * cluster.election_timeout_max.ms());
    if cluster.lease < failover {
        let lease = cluster.lease;
        advice.push(format!(
            "cluster.lease = {lease} is shorter than a failover may take ({failover}): devices would lose what they hold at each; hint: 10s"
        ));
    }
    if !cluster.listen.ip().is_loopback() && cluster.tls_cert.is_none() {
        let what = "what nodes say to each other is proven by cluster.secret, and not encrypted";
        advice.push(format!("{what}; hint: set cluster.tls_cert, tls_key and tls_ca unless the network is yours alone"));
    }
    if !config.http.listen.ip().is_loopback() && config.http.tls_cert.is_none() {
        advice.push("http.listen can be reached from elsewhere without TLS: keys and tokens go over the wire as they are; hint: set http.tls_cert and tls_key, or put something before it that speaks TLS".to_owned());
    }
    advice
}

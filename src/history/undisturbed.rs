//! G8: a client on a node without a fault notices nothing of what happens to others: its connection stays open, its hello and its acks are answered in time, and it is told of no error.
//! (That it is not offered again what it holds, `live.rs` judges.) Slow links and disks excuse what is late, on whichever node: the owner may be behind them. They excuse no end of a connection
//! that was welcomed.

use super::Violation;
use super::connection::Connection;
use super::facts::Facts;
use super::record::What;

/// So long after a fault has ended, its traces may be seen; and so much longer than `request_timeout` may an answer take on a busy machine.
const GRACE_US: u64 = 3_000_000;

/// A second connection of the same device came.
const REPLACED: u16 = 4409;

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for connection in &facts.connections {
        found.extend(ended(facts, connection));
        found.extend(errors(facts, connection));
        found.extend(unanswered(facts, connection));
    }
    found
}

fn timeout_us(facts: &Facts<'_>) -> u64 {
    facts.run.request_timeout_ms.saturating_mul(1_000)
}

/// Whether nothing is promised to a connection within a time.
fn is_excused(facts: &Facts<'_>, connection: &Connection<'_>, (from, to): (u64, u64)) -> bool {
    facts.faults.disturbs(connection.node, (from, to), GRACE_US)
        || facts.faults.without_majority().meets(from, to, GRACE_US.saturating_add(timeout_us(facts)))
}

/// Whether an answer may be late within a time.
fn may_be_late(facts: &Facts<'_>, connection: &Connection<'_>, (from, to): (u64, u64)) -> bool {
    is_excused(facts, connection, (from, to)) || facts.faults.slow().meets(from, to, GRACE_US.saturating_add(timeout_us(facts)))
}

fn ended(facts: &Facts<'_>, connection: &Connection<'_>) -> Option<Violation> {
    let (t, code) = connection.ended?;
    let of_device = facts.connections_of(connection.user, connection.device);
    let next = of_device.get(connection.index + 1).map(|place| &facts.connections[*place]);
    let is_replaced = code == Some(REPLACED) && next.is_some_and(|next| next.hello <= t);
    // A hello that has no answer in time ends its connection.
    let is_late = connection.welcome.is_none() && may_be_late(facts, connection, (connection.hello, t));
    if connection.end.is_some() || is_replaced || is_late || is_excused(facts, connection, (connection.hello, t)) {
        return None;
    }
    let text = format!("session {} of {} on {} was ended ({code:?})", connection.session, connection.user, connection.node);
    Some(Violation::new("G8", t, text).on(connection.session))
}

fn errors(facts: &Facts<'_>, connection: &Connection<'_>) -> Vec<Violation> {
    let is_excused = |t: u64, retry: bool| {
        if retry { may_be_late(facts, connection, (t, t)) } else { is_excused(facts, connection, (t, t)) }
    };
    // Of an earlier window, the ledger may have forgotten what was acked.
    let is_forgotten = |code: &str| code == "unknown_delivery" && acks_of_other_windows(facts, connection);
    let unexcused = connection.errors.iter().filter(|(t, code, retry)| !is_excused(*t, *retry) && !is_forgotten(code));
    let say = |(t, code, _): &(u64, &str, bool)| {
        let text = format!("session {} of {} on {} was told {code}", connection.session, connection.user, connection.node);
        Violation::new("G8", *t, text).on(connection.session)
    };
    unexcused.map(say).collect()
}

fn acks_of_other_windows(facts: &Facts<'_>, connection: &Connection<'_>) -> bool {
    let seen = || connection.seen.iter().map(|place| &facts.entries[*place].what);
    let now = seen().find_map(|what| if let What::Welcome { window: Some(window), .. } = what { Some(&window.id) } else { None });
    seen().any(|what| matches!(what, What::Ack { key, .. } if Some(&key.window) != now))
}

fn unanswered(facts: &Facts<'_>, connection: &Connection<'_>) -> Vec<Violation> {
    let over = connection.over().unwrap_or(facts.last);
    let is_late = |asked: u64, answered: Option<u64>| {
        let until = answered.unwrap_or(over);
        until > asked.saturating_add(timeout_us(facts).saturating_add(GRACE_US)) && !may_be_late(facts, connection, (asked, until))
    };
    let mut found = Vec::new();
    let Connection { session, user, node, hello, .. } = connection;
    if is_late(*hello, connection.welcome) {
        let text = format!("the hello of session {session} of {user} on {node} had no answer in time");
        found.push(Violation::new("G8", *hello, text).on(*session));
    }
    for (reference, asked) in connection.asked.iter().filter(|(_, asked)| is_late(asked.t, asked.answered)) {
        let text = format!("ack {reference} of {} on session {session}, {node}, had no answer in time ({:?})", asked.key, asked.answered);
        found.push(Violation::new("G8", asked.t, text).of(asked.key).on(*session));
    }
    found
}

/// The longest time that an ack on a node without faults took until it was answered, in ms.
#[must_use]
pub fn longest_ack_ms(facts: &Facts<'_>) -> u64 {
    let mut longest = 0;
    for connection in &facts.connections {
        let answered = connection.asked.values().filter_map(|asked| Some((asked.t, asked.answered?)));
        let took = answered.filter(|span| !may_be_late(facts, connection, *span)).map(|(from, to)| to.saturating_sub(from) / 1_000).max();
        longest = longest.max(took.unwrap_or(0));
    }
    longest
}

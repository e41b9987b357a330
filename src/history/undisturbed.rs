//! G8: a client on a node without a fault notices nothing of what happens to others: its connection stays open, its hello and its acks are answered in time, and it
//! is told of no error. (That it is not offered again what it holds, `live.rs` judges.)

use super::Violation;
use super::facts::{Connection, Facts, Span};

/// So long after a fault has ended, its traces may be seen; and so much longer than `request_timeout` may an answer take on a busy machine.
const GRACE_US: u64 = 3_000_000;

/// A second connection of the same device came.
const REPLACED: u16 = 4409;

pub fn violations(facts: &Facts) -> Vec<Violation> {
    let mut found = Vec::new();
    for connection in facts.connections.values() {
        let excused = Excused::of(facts, connection);
        found.extend(ended(facts, connection, &excused));
        found.extend(errors(connection, &excused));
        found.extend(unanswered(facts, connection, &excused));
    }
    found
}

/// The times for which nothing is promised to a connection.
struct Excused(Vec<Span>);

impl Excused {
    fn of(facts: &Facts, connection: &Connection) -> Excused {
        let mut spans = facts.disturbances(&connection.node, GRACE_US);
        spans.extend(facts.without_majority(GRACE_US + timeout_us(facts)));
        Excused(spans)
    }

    fn meets(&self, from: u64, to: u64) -> bool {
        self.0.iter().any(|span| span.meets(Span { from, to }))
    }
}

fn timeout_us(facts: &Facts) -> u64 {
    facts.request_timeout_ms * 1_000
}

fn ended(facts: &Facts, connection: &Connection, excused: &Excused) -> Option<Violation> {
    let (t, code) = connection.ended?;
    let device = (connection.user.clone(), connection.device.clone());
    let has_later = facts.devices[&device].iter().any(|session| *session > connection.session && facts.connections[session].hello <= t);
    let is_replaced = code == Some(REPLACED) && has_later;
    if connection.end.is_some() || is_replaced || excused.meets(connection.hello, t) {
        return None;
    }
    let text = format!("session {} of {} on {} was ended ({code:?})", connection.session, connection.user, connection.node);
    Some(Violation::new("G8", t, text))
}

fn errors(connection: &Connection, excused: &Excused) -> Vec<Violation> {
    let unexcused = connection.errors.iter().filter(|(t, _)| !excused.meets(*t, *t));
    let say = |(t, code): &(u64, String)| {
        let text = format!("session {} of {} on {} was told {code}", connection.session, connection.user, connection.node);
        Violation::new("G8", *t, text)
    };
    unexcused.map(say).collect()
}

fn unanswered(facts: &Facts, connection: &Connection, excused: &Excused) -> Vec<Violation> {
    let over = connection.over().unwrap_or(facts.last);
    let is_late = |asked: u64, answered: Option<u64>| {
        let until = answered.unwrap_or(over);
        until > asked + timeout_us(facts) + GRACE_US && !excused.meets(asked, until)
    };
    let mut found = Vec::new();
    if is_late(connection.hello, connection.welcome) {
        let text =
            format!("the hello of session {} of {} on {} had no answer in time", connection.session, connection.user, connection.node);
        found.push(Violation::new("G8", connection.hello, text));
    }
    for (reference, asked) in connection.asked.iter().filter(|(_, asked)| is_late(asked.t, asked.answered)) {
        let text = format!(
            "ack {reference} of {} on session {}, {}, had no answer in time ({:?})",
            asked.key, connection.session, connection.node, asked.answered
        );
        found.push(Violation::new("G8", asked.t, text));
    }
    found
}

/// The longest time that an ack on a node without faults took until it was answered, in ms.
pub fn longest_ack_ms(facts: &Facts) -> u64 {
    let mut longest = 0;
    for connection in facts.connections.values() {
        let excused = Excused::of(facts, connection);
        let answered = connection.asked.values().filter_map(|asked| Some((asked.t, asked.answered?)));
        let took = answered.filter(|(from, to)| !excused.meets(*from, *to)).map(|(from, to)| (to - from) / 1_000).max();
        longest = longest.max(took.unwrap_or(0));
    }
    longest
}

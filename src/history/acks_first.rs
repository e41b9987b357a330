//! G9: acks carried in a hello are committed before the server decides what to offer on that connection. So an ack of a hello is answered before its key is offered there, and what was confirmed in
//! the welcome is offered at a later step, or, settled, not at all.

use std::collections::HashMap;

use super::Violation;
use super::connection::Connection;
use super::facts::Facts;
use super::record::{Entry, Key, What, is_settled};

/// An ack of a hello.
#[derive(Clone, Copy)]
enum Answer {
    Due,
    /// Refused, for now or for good.
    Refused,
    Confirmed {
        step: u64,
        is_settled: bool,
    },
}

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    facts.connections.iter().flat_map(|connection| of_connection(facts, connection)).collect()
}

fn of_connection(facts: &Facts<'_>, connection: &Connection<'_>) -> Vec<Violation> {
    let mut acks: HashMap<&Key, Answer> = HashMap::new();
    // In the order of the hello, as they are answered.
    let mut due: std::collections::VecDeque<&Key> = std::collections::VecDeque::new();
    let mut is_hello = true;
    let mut found = Vec::new();
    for Entry { t, what, .. } in connection.seen.iter().map(|place| &facts.entries[*place]) {
        match what {
            What::Welcome { .. } => is_hello = false,
            What::Ack { key, reference: None, .. } if is_hello => {
                acks.insert(key, Answer::Due);
                due.push_back(key);
            }
            What::Confirm { key, step, state, reference: None, .. } if acks.contains_key(key) => {
                due.retain(|other| *other != key);
                acks.insert(key, Answer::Confirmed { step: *step, is_settled: is_settled(state) });
            }
            // An error in the welcome names no key here: it answers the first ack that waits.
            What::Error { reference: None, .. } if !is_hello => {
                if let Some(key) = due.pop_front() {
                    acks.insert(key, Answer::Refused);
                }
            }
            What::Offer { session, key, step, .. } => {
                let why = match acks.get(key) {
                    Some(Answer::Due) => "before the ack of its hello was answered".to_owned(),
                    Some(Answer::Confirmed { is_settled: true, .. }) => "though its hello's ack had settled it".to_owned(),
                    Some(Answer::Confirmed { step: confirmed, .. }) if step <= confirmed => {
                        format!("though its hello's ack of step {confirmed} was confirmed")
                    }
                    _ => continue,
                };
                let text = format!("{key} was offered at step {step} to session {session}, {why}");
                found.push(Violation::new("G9", *t, text).of(key).on(*session));
            }
            _ => {}
        }
    }
    found
}

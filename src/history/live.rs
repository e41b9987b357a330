//! On one live connection nothing is offered twice without a withdraw, or a dismiss that puts it off, in between, what the client says it has on its screen included; and never more than
//! `max_in_flight` at once; what was acked and not answered may be done, and counts no more.

use std::collections::HashSet;

use super::Violation;
use super::connection::Connection;
use super::facts::Facts;
use super::record::{Entry, Key, Transport, What, is_settled};

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    facts.connections.iter().flat_map(|connection| of_connection(facts, connection)).collect()
}

fn of_connection(facts: &Facts<'_>, connection: &Connection<'_>) -> Vec<Violation> {
    let mut holds: HashSet<&Key> = connection.open.iter().collect();
    let mut dismissed: HashSet<&Key> = HashSet::new();
    let mut acked: HashSet<&Key> = HashSet::new();
    let mut found = Vec::new();
    for Entry { t, what, .. } in connection.seen.iter().map(|place| &facts.entries[*place]) {
        match what {
            What::Offer { session, key, .. } => {
                let mut say = |rule, text| found.push(Violation::new(rule, *t, text).of(key).on(*session));
                if !holds.insert(key) {
                    say("twice", format!("{key} was offered to session {session}, which holds it"));
                }
                let (count, max) = (holds.difference(&acked).count(), connection.max_in_flight);
                if count > max {
                    say("in flight", format!("session {session} holds {count} with {key}, more than {max}"));
                }
            }
            What::Withdraw { key, .. } => {
                holds.remove(key);
            }
            What::Ack { key, step, .. } => {
                acked.insert(key);
                if step.is_none() {
                    dismissed.insert(key);
                }
                // It may be streamed again before the answer to the post is read.
                if step.is_none() && connection.transport == Transport::Stream {
                    holds.remove(key);
                }
            }
            // A dismiss that is confirmed and does not settle has put it off.
            What::Confirm { key, state, .. } => {
                acked.remove(key);
                if dismissed.remove(key) || is_settled(state) {
                    holds.remove(key);
                }
            }
            _ => {}
        }
    }
    found
}

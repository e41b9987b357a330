//! Nothing comes out of thin air: what is offered was published before, to this user, with this payload, and for this device where it is for one; a connection hears of its own user alone; and
//! nothing is completed or dismissed that nobody acked.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Violation;
use super::connection::Connection;
use super::facts::{Delivery, Facts, Name};
use super::order::Moment;
use super::record::{Entry, Key, What};

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for name in &facts.names {
        let sent = sent(facts, name);
        for delivery in name.keys.iter().map(|key| &facts.keys[*key]) {
            found.extend(of_key(facts, delivery, &sent));
        }
    }
    found
}

/// The payloads that were sent under a name, and when first.
type Sent<'a> = HashMap<&'a Value, Moment>;

fn sent<'a>(facts: &Facts<'a>, name: &Name<'a>) -> Sent<'a> {
    let mut sent = Sent::new();
    for (call, publish) in facts.publishes(name) {
        sent.entry(&publish.payload).or_insert(facts.moment(call.place));
    }
    sent
}

fn of_key(facts: &Facts<'_>, delivery: &Delivery<'_>, sent: &Sent<'_>) -> Vec<Violation> {
    let key = delivery.key;
    let acked_by: HashSet<&str> = delivery
        .seen
        .iter()
        .filter_map(|place| match &facts.entries[*place].what {
            What::Ack { session, .. } => Some(facts.connection(*session)?.device),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for place in &delivery.seen {
        let Entry { t, what, .. } = &facts.entries[*place];
        let mut say = |text: String| found.push(Violation::new("phantom", *t, text).of(key));
        match what {
            What::Offer { session, payload, .. } => {
                let was_sent = sent.get(payload).is_some_and(|first| !facts.order.is_before(facts.moment(*place), *first));
                if !was_sent {
                    say(format!("{key} was offered to session {session} with a payload that nobody had sent: {payload}"));
                }
                if let Some(connection) = facts.connection(*session).filter(|connection| !is_for(key, connection)) {
                    say(format!("{key} was offered to session {session}, of {} on {}", connection.user, connection.device));
                }
            }
            What::Confirm { session, yours, .. } => {
                let Some(connection) = facts.connection(*session) else { continue };
                if connection.user != key.user {
                    say(format!("{key} was confirmed to session {session}, of {}", connection.user));
                }
                if *yours && !acked_by.contains(connection.device) {
                    say(format!("{} was told on session {session} that its ack settled {key}, and it never sent one", connection.device));
                }
            }
            What::Outcome { state: Some(state), .. } if matches!(state.as_str(), "completed" | "dismissed") && acked_by.is_empty() => {
                say(format!("{key} is {state} by the feed, and nobody acked it"));
            }
            What::Outcome { outcome, .. } | What::Last { state: outcome, .. } if sent.is_empty() => {
                say(format!("{key} is {outcome}, and was never published"));
            }
            _ => {}
        }
    }
    found
}

fn is_for(key: &Key, connection: &Connection<'_>) -> bool {
    key.user == connection.user && key.device.as_deref().is_none_or(|device| device == connection.device)
}

//! G3: the first publish of a key wins. A later one is a duplicate, or, with other content, refused; it is told the state that the first is in, and what is offered is what the first one
//! brought. In a later window, or after one of its own, the same name is a new delivery; one that was seen counts on for `carry`.

use std::collections::HashMap;

use super::Violation;
use super::facts::{Call, Delivery, Facts, Name};
use super::order::Highest;
use super::record::{Entry, Publish, Scope, What, is_settled};

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for name in &facts.names {
        found.extend(created_twice(facts, name));
        found.extend(refused_alone(facts, name));
        found.extend(offered_while_carried(facts, name));
    }
    for delivery in &facts.keys {
        found.extend(reported(facts, delivery));
        found.extend(replaced(facts, delivery));
    }
    found
}

/// A call that was answered 201, with what it opened.
struct Created {
    t: u64,
    call: u64,
    window: Option<String>,
    closes_at: Option<u64>,
    /// The ledger time of the publish, where the length of its own window tells it.
    opened_at: Option<u64>,
}

/// No two publishes make the same delivery; and none makes one while an earlier one of that name stands in an open window.
fn created_twice(facts: &Facts<'_>, name: &Name<'_>) -> Vec<Violation> {
    let mut earlier: HashMap<Option<String>, u64> = HashMap::new();
    let mut open_until: Option<(u64, u64)> = None;
    let mut created: Vec<Created> = facts.publishes(name).filter_map(|(call, publish)| created_by(facts, call, publish)).collect();
    // In the order of ledger time, as far as it is known.
    created.sort_by_key(|created| created.closes_at);
    let mut found = Vec::new();
    for Created { t, call, window, closes_at, opened_at } in created {
        let mut say = |first: u64| {
            let text = format!("{}/{} was created by call {first} and again by call {call}", name.user, name.id);
            found.push(Violation::new("G3", t, text));
        };
        if let Some(first) = earlier.insert(window, call) {
            say(first);
        } else if let (Some((first, until)), Some(opened_at)) = (open_until, opened_at)
            && opened_at < until
        {
            say(first);
        }
        if let Some(closes_at) = closes_at {
            open_until = Some((call, closes_at));
        }
    }
    found
}

fn created_by(facts: &Facts<'_>, call: &Call<'_>, publish: &Publish) -> Option<Created> {
    let Entry { t, what: What::Published { status: 201, key, closes_at, .. }, .. } = &facts.entries[call.answered?] else { return None };
    let opened_at = publish.window_ms.and_then(|length| closes_at.as_ref()?.checked_sub(length));
    let window = key.as_ref().map(|key| key.window.clone());
    Some(Created { t: *t, call: call.call, window, closes_at: *closes_at, opened_at })
}

/// Refused as different, though nobody sent anything else under that name.
fn refused_alone(facts: &Facts<'_>, name: &Name<'_>) -> Vec<Violation> {
    let mut publishes = facts.publishes(name);
    let Some((_, first)) = publishes.next() else { return Vec::new() };
    let is_same = |other: &Publish| Publish { call: 0, ..other.clone() } == Publish { call: 0, ..first.clone() };
    if publishes.any(|(_, other)| !is_same(other)) {
        return Vec::new();
    }
    let refused = facts.publishes(name).filter_map(|(call, _)| match &facts.entries[call.answered?] {
        Entry { t, what: What::Published { status: 409, .. }, .. } => Some((*t, call.call)),
        _ => None,
    });
    let say = |(t, call)| {
        Violation::new("G3", t, format!("call {call} for {}/{} was refused as different, but nobody sent another one", name.user, name.id))
    };
    refused.map(say).collect()
}

/// A duplicate is told no less than was confirmed before it was sent.
fn reported(facts: &Facts<'_>, delivery: &Delivery<'_>) -> Vec<Violation> {
    let (mut settled, mut steps) = (Highest::default(), Highest::default());
    for place in &delivery.seen {
        if let What::Confirm { step, state, .. } = &facts.entries[*place].what {
            let moment = facts.moment(*place);
            steps.push(moment, *step);
            if is_settled(state) {
                settled.push(moment, 1);
            }
        }
    }
    let key = delivery.key;
    let mut found = Vec::new();
    for place in &delivery.seen {
        let Entry { t, what: What::Published { call, state: Some(state), step, .. }, .. } = &facts.entries[*place] else { continue };
        let Some(made) = facts.call_of(*call) else { continue };
        // An engagement for each device is told as its first device has it.
        if !facts.is_delivery(delivery) {
            continue;
        }
        let (sent, step) = (facts.moment(made.place), step.unwrap_or(0));
        let mut say = |text| found.push(Violation::new("G3", *t, text).of(key));
        if settled.before(facts.order, sent).is_some() && !is_settled(state) {
            say(format!("call {call} was told that {key} is {state}, which was settled before"));
        }
        if let Some(confirmed) = steps.before(facts.order, sent).filter(|confirmed| *confirmed > step) {
            say(format!("call {call} was told that {key} is at step {step}, when {confirmed} was confirmed"));
        }
    }
    found
}

/// What is offered is what the publish brought that was answered 201.
fn replaced(facts: &Facts<'_>, delivery: &Delivery<'_>) -> Vec<Violation> {
    let first = delivery.seen.iter().find_map(|place| match &facts.entries[*place].what {
        What::Published { call, status: 201, .. } => facts.call_of(*call)?.publish,
        _ => None,
    });
    let Some(first) = first else { return Vec::new() };
    let key = delivery.key;
    let mut found = Vec::new();
    for place in &delivery.seen {
        if let Entry { t, what: What::Offer { session, payload, .. }, .. } = &facts.entries[*place]
            && *payload != first.payload
        {
            let text = format!(
                "{key} was offered to session {session} with another payload than call {} brought, which was the first",
                first.call
            );
            found.push(Violation::new("G3", *t, text).of(key).on(*session));
        }
    }
    found
}

/// Nothing is seen twice within `carry`, also across a rollover. When a delivery settled, the feed says to the ms; a window of its own carries nothing.
fn offered_while_carried(facts: &Facts<'_>, name: &Name<'_>) -> Vec<Violation> {
    let Some(carry_ms) = facts.run.carry_ms.filter(|_| name.scope == Scope::User && name.keys.len() > 1) else { return Vec::new() };
    if facts.publishes(name).any(|(_, publish)| publish.window_ms.is_some()) {
        return Vec::new();
    }
    let entries = || name.keys.iter().flat_map(|key| facts.keys[*key].seen.iter().map(move |place| (*key, &facts.entries[*place])));
    let mut settled: Vec<(u64, usize)> = entries()
        .filter_map(|(key, entry)| match &entry.what {
            What::Outcome { at: Some(at), state: Some(state), .. } if matches!(state.as_str(), "completed" | "dismissed") => {
                Some((*at, key))
            }
            _ => None,
        })
        .collect();
    settled.sort_unstable();
    let mut found = Vec::new();
    for (key, Entry { t, what, .. }) in entries() {
        let What::Offer { session, at, .. } = what else { continue };
        let Some((settled_at, other)) = settled.partition_point(|(settled, _)| settled < at).checked_sub(1).map(|last| settled[last])
        else {
            continue;
        };
        if other != key && *at < settled_at.saturating_add(carry_ms) {
            let key = facts.keys[key].key;
            let text = format!(
                "{key} was offered with time {at}, though {} settled at {settled_at} and counts for {carry_ms} ms",
                facts.keys[other].key
            );
            found.push(Violation::new("carry", *t, text).of(key).on(*session));
        }
    }
    found
}

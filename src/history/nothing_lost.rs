//! G2: what was accepted settles exactly once, with a reason, and the feed says so; nobody is told another state than the feed. A history that was not brought to its end says nothing of what
//! became of things. What is still open then, the API says (`last`); what neither the feed nor the API knows is lost.

use std::collections::BTreeMap;

use super::Violation;
use super::facts::{Delivery, Facts};
use super::record::{Entry, What, is_settled};

/// What is said of a delivery.
#[derive(Default)]
struct Told<'a> {
    is_accepted: bool,
    /// State by cursor: the feed may tell a line twice.
    feed: BTreeMap<&'a str, &'a str>,
    /// When somebody was first told that it is settled, and how.
    settled: Option<(u64, &'a str)>,
    /// The API said at the end that it is not settled.
    is_open: bool,
}

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    if !facts.has_end {
        return Vec::new();
    }
    let deliveries = facts.keys.iter().filter(|delivery| facts.is_delivery(delivery));
    deliveries.flat_map(|delivery| of_key(facts, delivery)).collect()
}

fn of_key(facts: &Facts<'_>, delivery: &Delivery<'_>) -> Vec<Violation> {
    let (told, key) = (told(facts, delivery), delivery.key);
    let mut found = Vec::new();
    let mut say = |rule, t, text| found.push(Violation::new(rule, t, text).of(key));
    if told.feed.len() > 1 {
        say("settles once", facts.last, format!("{key} settled {} times by the feed: {:?}", told.feed.len(), told.feed));
    }
    if told.feed.is_empty() && told.is_accepted && !told.is_open && told.settled.is_none() {
        say("G2", facts.last, format!("{key} was accepted, and neither settled by the feed nor is it said to be open: it is lost"));
    }
    if let Some((t, state)) = told.settled
        && !told.feed.values().any(|other| *other == state)
    {
        say("G2", t, format!("{key} is {state}, but the feed says {:?}", told.feed));
    }
    if told.is_open && !told.feed.is_empty() {
        say("G2", facts.last, format!("{key} is open, but the feed says {:?}", told.feed));
    }
    found
}

fn told<'a>(facts: &Facts<'a>, delivery: &Delivery<'a>) -> Told<'a> {
    let mut told = Told::default();
    for place in &delivery.seen {
        let Entry { t, what, .. } = &facts.entries[*place];
        match what {
            What::Published { status: 200 | 201, .. } | What::Offer { .. } => told.is_accepted = true,
            What::Outcome { state: Some(state), cursor, .. } => {
                told.feed.insert(cursor, state);
            }
            What::Confirm { state, .. } | What::Last { state, .. } if is_settled(state) => {
                told.settled.get_or_insert((*t, state));
            }
            What::Last { .. } => told.is_open = true,
            _ => {}
        }
    }
    told
}

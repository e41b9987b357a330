//! G2: what was accepted settles exactly once, and the feed says so. And a publish that is tried again for as long as `request_timeout` comes through, but where there
//! is no majority.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Violation;
use super::facts::{Facts, Span};
use super::record::{Entry, Key, Publish, What, is_settled};

/// So long after a majority is back, a publish may still fail.
const GRACE_US: u64 = 5_000_000;

pub fn violations(entries: &[Entry], facts: &Facts) -> Vec<Violation> {
    let mut found = gave_up(entries, facts);
    // A history that was not brought to its end says nothing of what became of things.
    let has_end = entries.iter().any(|entry| matches!(entry.what, What::Outcome { .. }));
    if has_end {
        found.extend(unsettled(entries, facts.last));
    }
    found
}

fn gave_up(entries: &[Entry], facts: &Facts) -> Vec<Violation> {
    let lost = facts.without_majority(GRACE_US);
    let began = beginnings(entries);
    let failed = entries.iter().filter_map(|Entry { t, what, .. }| match what {
        What::GaveUp { call, why } => Some((*t, *call, why)),
        _ => None,
    });
    let excused = |t: u64, call: u64| lost.iter().any(|span| span.meets(Span { from: began.get(&call).copied().unwrap_or(t), to: t }));
    failed
        .filter(|(t, call, _)| !excused(*t, *call))
        .map(|(t, call, why)| Violation::new("refused", t, format!("call {call} was tried in vain for as long as it may take: {why}")))
        .collect()
}

/// The settling outcomes of each key: state by cursor, since the feed may tell a line twice.
type Feed = BTreeMap<Key, BTreeMap<String, String>>;

fn unsettled(entries: &[Entry], last: u64) -> Vec<Violation> {
    let mut feed = Feed::new();
    let mut accepted: BTreeSet<Key> = BTreeSet::new();
    let mut told: BTreeMap<Key, (u64, String)> = BTreeMap::new();
    for Entry { t, what, .. } in entries {
        match what {
            What::Outcome { key, state: Some(state), cursor, .. } => {
                feed.entry(key.clone()).or_default().insert(cursor.clone(), state.clone());
            }
            What::Published { status: 200 | 201, key: Some(key), .. } => {
                accepted.insert(key.clone());
            }
            What::Confirm { key, state, .. } | What::Last { key, state } if is_settled(state) => {
                told.entry(key.clone()).or_insert((*t, state.clone()));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    for key in &accepted {
        let count = feed.get(key).map_or(0, BTreeMap::len);
        if count != 1 {
            found.push(Violation::new(
                "G2",
                last,
                format!("{key} was accepted, and settled {count} times by the feed: {:?}", feed.get(key)),
            ));
        }
        if !told.contains_key(key) {
            found.push(Violation::new("G2", last, format!("{key} was accepted, and nobody was told that it is settled")));
        }
    }
    for (key, settled) in feed.iter().filter(|(key, settled)| settled.len() > 1 && !accepted.contains(*key)) {
        found.push(Violation::new("G2", last, format!("{key} settled more than once by the feed: {settled:?}")));
    }
    for (key, (t, state)) in &told {
        if feed.get(key).is_none_or(|settled| settled.values().all(|other| other != state)) {
            found.push(Violation::new("G2", *t, format!("{key} is {state}, but the feed says {:?}", feed.get(key))));
        }
    }
    found
}

/// When each call was first sent.
fn beginnings(entries: &[Entry]) -> HashMap<u64, u64> {
    let began = entries.iter().filter_map(|Entry { t, what, .. }| match what {
        What::Publish(Publish { call, .. }) | What::TakeBack { call, .. } => Some((*call, *t)),
        _ => None,
    });
    began.collect()
}

/// The longest time that a call took until it was answered for good, in ms.
pub fn longest_publish_ms(entries: &[Entry]) -> u64 {
    let began = beginnings(entries);
    let took = entries.iter().filter_map(|Entry { t, what, .. }| match what {
        What::Published { call, .. } | What::GaveUp { call, .. } => Some((t - began.get(call)?) / 1_000),
        _ => None,
    });
    took.max().unwrap_or(0)
}

//! The replay buffer has its bound: no user ever has more unsettled deliveries than `buffer_max`, and what was refused because of it stays absent.
//!
//! The feed tells in order, per user, what was published and what settled: the count between is exact for scope user, and no more than the truth for scope device (a delivery counts from its first
//! outcome on). A refusal is certain only where no try of any publish of that name may have happened.

use std::collections::{HashMap, HashSet};

use super::Violation;
use super::facts::{Facts, Name};
use super::record::{Entry, Key, Scope, What};

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = too_many(facts);
    found.extend(facts.names.iter().filter_map(|name| refused_and_there(facts, name)));
    found
}

/// What the feed has told of one user so far.
#[derive(Default)]
struct Held<'a> {
    /// Deliveries, and engagements for each device that no device has got yet.
    unsettled: HashSet<&'a Key>,
    cursors: HashSet<&'a str>,
    is_over: bool,
}

fn too_many(facts: &Facts<'_>) -> Vec<Violation> {
    let Some(max) = facts.run.buffer_max.and_then(|max| usize::try_from(max).ok()) else { return Vec::new() };
    let mut users: HashMap<&str, Held<'_>> = HashMap::new();
    let mut found = Vec::new();
    for Entry { t, what, .. } in facts.entries {
        let What::Outcome { key, outcome, state, cursor, .. } = what else { continue };
        let held = users.entry(&key.user).or_default();
        if !held.cursors.insert(cursor) {
            continue;
        }
        if state.is_some() {
            held.unsettled.remove(key);
        } else if outcome == "published" || key.device.is_some() {
            held.unsettled.insert(key);
        }
        if key.device.is_some() {
            // The engagement no longer waits for a first device.
            held.unsettled.remove(&Key { device: None, ..key.clone() });
        }
        if held.unsettled.len() > max && !held.is_over {
            held.is_over = true;
            let text = format!("{} has {} unsettled deliveries with {key}, more than {max}", key.user, held.unsettled.len());
            found.push(Violation::new("buffer", *t, text).of(key));
        }
    }
    found
}

/// All publishes of a name were refused for good, and yet it is seen.
fn refused_and_there(facts: &Facts<'_>, name: &Name<'_>) -> Option<Violation> {
    let mut publishes = facts.publishes(name).peekable();
    publishes.peek()?;
    let is_refused = |is_unknown: bool, code: Option<&str>| !is_unknown && code == Some("buffer_full");
    if !publishes.all(|(call, _)| is_refused(call.is_unknown, call.refused)) {
        return None;
    }
    let delivery = &facts.keys[*name.keys.first()?];
    let place = delivery.seen.first()?;
    let Entry { t, what, .. } = &facts.entries[*place];
    let scope = if name.scope == Scope::Device { " for each device" } else { "" };
    let text = format!("{}/{}{scope} was refused for a full buffer, and yet there is its {}", name.user, name.id, what.kind());
    Some(Violation::new("buffer", *t, text).of(delivery.key))
}

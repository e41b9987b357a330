//! Publishers get through: a call that is tried again for as long as `request_timeout` is answered for good, but where there is no majority, or links or disks are slow.

use super::Violation;
use super::facts::Facts;
use super::record::{Entry, What};

/// So long after a majority is back, a publish may still fail.
const GRACE_US: u64 = 5_000_000;

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for Entry { t, what, .. } in facts.entries {
        let What::GaveUp { call, why } = what else { continue };
        let began = facts.call_of(*call).map_or(*t, |call| facts.entries[call.place].t);
        let is_excused = facts.faults.without_majority().meets(began, *t, GRACE_US) || facts.faults.slow().meets(began, *t, GRACE_US);
        if !is_excused {
            found.push(Violation::new("refused", *t, format!("call {call} was tried in vain for as long as it may take: {why}")));
        }
    }
    found
}

/// The longest time that a call took until it was answered for good, in ms.
#[must_use]
pub fn longest_publish_ms(facts: &Facts<'_>) -> u64 {
    let took = facts.entries.iter().filter_map(|Entry { t, what, .. }| match what {
        What::Published { call, .. } | What::GaveUp { call, .. } => {
            Some(t.saturating_sub(facts.entries[facts.call_of(*call)?.place].t) / 1_000)
        }
        _ => None,
    });
    took.max().unwrap_or(0)
}

//! What happened in the runs, as counters, and what must have happened at least once in many of them: a run that never saw a failover has shown nothing about failovers.
//!
//! What feeds the counters, in this order of preference: the history ([`history`]), what the product counts ([`meters`]) and logs ([`lines`]) by itself, and calls of
//! [`count`] in the simulated world. A counter whose name ends in `_max_ms` holds the greatest value, all others are sums.

pub mod gates;
pub mod history;
pub mod lines;
pub mod meters;

use std::collections::BTreeMap;
use std::sync::Mutex;

/// Counters by name.
pub type Counts = BTreeMap<String, u64>;

static COUNTS: Mutex<Counts> = Mutex::new(Counts::new());

/// Counts one.
pub fn count(name: &str) {
    add(name, 1);
}

/// Counts several at once, or, where the name ends so, keeps the greatest.
pub fn add(name: &str, value: u64) {
    note(&mut COUNTS.lock().expect("invariant: nobody panics while counting"), name, value);
}

/// All that was counted in this process, which begins anew.
pub fn take() -> Counts {
    std::mem::take(&mut COUNTS.lock().expect("invariant: nobody panics while counting"))
}

/// Adds up the counters of many runs.
pub fn sum(into: &mut Counts, counts: &Counts) {
    counts.iter().for_each(|(name, value)| note(into, name, *value));
}

fn note(counts: &mut Counts, name: &str, value: u64) {
    let counter = counts.entry(name.to_owned()).or_default();
    // A counter that something was asked of is there, also at 0.
    *counter = if name.ends_with("_max_ms") { value.max(*counter) } else { *counter + value };
}

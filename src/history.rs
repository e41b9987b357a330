//! The checker: judges a history of what clients saw and sent, and what publishers were answered, by the guarantees of the contract. It knows nothing of nodes, shards or terms beyond which faults
//! were made when, so that whatever makes such a history can use it: tests against real processes, the simulation, and `engage check-history`.
//!
//! What a history is, `docs/history.md` says, with a table of its entries. [`record`] holds them, [`recorder`] takes them down, [`file`] writes and reads them.
//!
//! # The rules
//!
//! [`facts`] sorts a history by what it is about, in one walk; each rule stands in a file of its own, walks what it is about once, and looks things up by bisection or hash: O(n log n) in all.
//!
//! | file | rule |
//! |---|---|
//! | [`never_again`] | `G1`, `one winner` |
//! | [`nothing_lost`] | `G2`, `settles once` |
//! | [`conservation`] | `conservation` |
//! | [`answered`] | `refused` |
//! | [`first_wins`] | `G3`, `carry` |
//! | [`resume`] | `G4`, `step fell`, `unsettled` |
//! | [`one_holder`] | `G5` |
//! | [`server_time`] | `G6` |
//! | [`buffer`] | `buffer` |
//! | [`undisturbed`] | `G8` |
//! | [`acks_first`] | `G9` |
//! | [`withdrawn`] | `G10` |
//! | [`phantom`] | `phantom` |
//! | [`live`] | `twice`, `in flight` |
//! | [`offer_count`] | `max offers` |
//! | [`replicas`] | `replicas agree` |
//!
//! A result that isn't known is unknown: a publish without an answer, or answered 503, may or may not have happened, and so may an ack. No rule takes either for granted. Entries that make no sense
//! (`history`) are told as violations too: what is no history shows nothing. `planted.rs` proves that each rule can say no, `odd.rs` that none does without need.

pub mod key;
pub mod fault;
pub mod record;
pub mod recorder;
pub mod error;
pub mod file;
pub mod violation;
pub mod order;
pub mod disturbance;
pub mod connection;
pub mod facts;
pub mod never_again;
pub mod nothing_lost;
pub mod conservation;
pub mod answered;
pub mod first_wins;
pub mod resume;
pub mod one_holder;
pub mod server_time;
pub mod buffer;
pub mod undisturbed;
pub mod acks_first;
pub mod withdrawn;
pub mod phantom;
pub mod live;
pub mod offer_count;
pub mod replicas;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod odd;
#[cfg(test)]
mod documented_tests;
#[cfg(test)]
mod large;

use std::collections::BTreeMap;

use serde::Serialize;

pub use error::HistoryError;
pub use file::read_files;
pub use violation::{Violation, about};

use facts::Facts;
use record::Entry;

/// What became of a history.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// In the order of time; empty when every promise was kept.
    pub violations: Vec<Violation>,
    /// How many entries there were of each kind: a run that checked nothing must fail.
    pub counts: BTreeMap<&'static str, usize>,
    /// How many deliveries ended how, by the feed: `completed`, `expired/ttl`; and `open`.
    pub balance: BTreeMap<String, usize>,
    /// How many times a delivery moved from one device to another.
    pub moves: usize,
    /// The longest time that a call of a publisher took until it was answered for good, in ms.
    pub longest_publish_ms: u64,
    /// The longest time that an ack on a node without faults took until it was answered, in ms.
    pub longest_ack_ms: u64,
}

impl Verdict {
    /// Entries of a kind.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.counts.get(kind).copied().unwrap_or(0)
    }
}

/// The rules that need nothing but the facts.
const RULES: &[fn(&Facts<'_>) -> Vec<Violation>] = &[
    never_again::violations,
    nothing_lost::violations,
    answered::violations,
    first_wins::violations,
    resume::violations,
    server_time::violations,
    buffer::violations,
    undisturbed::violations,
    acks_first::violations,
    withdrawn::violations,
    phantom::violations,
    live::violations,
    offer_count::violations,
    replicas::violations,
];

/// Judges a history.
#[must_use]
pub fn judge(entries: &[Entry]) -> Verdict {
    let facts = Facts::of(entries);
    let (mut violations, moves) = one_holder::violations(&facts);
    let (unbalanced, balance) = conservation::violations(&facts);
    violations.extend(unbalanced);
    violations.extend(facts.oddities.iter().cloned());
    violations.extend(RULES.iter().flat_map(|rule| rule(&facts)));
    violations.sort_by(|one, other| (one.t, one.rule).cmp(&(other.t, other.rule)));
    let mut counts = BTreeMap::new();
    entries.iter().for_each(|entry| *counts.entry(entry.what.kind()).or_default() += 1);
    let (longest_publish_ms, longest_ack_ms) = (answered::longest_publish_ms(&facts), undisturbed::longest_ack_ms(&facts));
    Verdict { violations, counts, balance, moves, longest_publish_ms, longest_ack_ms }
}

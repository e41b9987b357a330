//! The checker: judges a history of what clients saw and sent, and what publishers were answered, by the guarantees of the contract. It knows nothing of nodes, shards or
//! terms beyond which faults were made when, so that whatever makes such a history can use it.
//!
//! # The history
//!
//! JSONL, one [`record::Entry`] a line, in the order in which one process saw it; `t` is microseconds of its monotonic clock since the start. What a client sends is
//! noted before it is sent, what it gets after it was read: if one entry stands before another, it happened before it or nobody can tell. `e` names the entry:
//!
//! | `e` | what | fields |
//! |---|---|---|
//! | `run` | the first line | `wall_ms` at `t` = 0, `lease_ms`, `request_timeout_ms`, `seed` |
//! | `publish` | a call is about to be sent for the first time | `call`, `user`, `id`, `targets`, `payload` |
//! | `published` | a call was answered 200, 201 or 409 | `call`, `status`, `key`, `state`, `step` |
//! | `unanswered` | a try had no answer, or 503: it may have happened | `call`, `why` |
//! | `gave_up` | a call was tried for as long as `request_timeout`, in vain | `call`, `why` |
//! | `take_back` / `taken_back` | a DELETE is about to be sent / was answered 200 | `call`, `user`, `id` / `call`, `user`, `id`, `state` |
//! | `hello` | a client is about to say hello | `session`, `user`, `device`, `node`, `visible`, `max_in_flight`, `open` (keys) |
//! | `welcome`, `caught_up` | | `session` |
//! | `offer` | | `session`, `key`, `offer`, `step`, `at`, `data`, `payload` |
//! | `withdraw` | | `session`, `key`, `reason`, `at` |
//! | `ack` | an ack (or, without `step`, a dismiss) is about to be sent, in a hello where `reference` is none | `session`, `key`, `step`, `data`, `reference` |
//! | `confirm` | also one that stood in a welcome | `session`, `key`, `step`, `state`, `yours`, `at`, `reference` |
//! | `error` | | `session`, `code`, `retry`, `reference` |
//! | `visible` | a client is about to say whether it is | `session`, `visible` |
//! | `end` | a client is about to end its connection | `session`, `leave` (`closed`, `lost`) |
//! | `ended` | the connection was ended by the other side | `session`, `code` (none without a Close frame) |
//! | `fault` | about to be made, or just ended | `node`, `kind` |
//! | `outcome` | a line of the feed, read when all was over | `key`, `outcome`, `state` (of the settling ones), `cursor` |
//! | `last` | what the API said of a key when all was over | `key`, `state` |
//!
//! `key` is `{user, id, window}`; a session is one connection, numbered in the order of the hellos.
//!
//! # The rules
//!
//! Each in a file: [`never_again`] (G1, G10, and that a claim has one winner), [`nothing_lost`] (G2, and publishes that failed), [`first_wins`] (G3, and nothing out
//! of thin air), [`resume`] (G4, states and steps only go forward), [`one_holder`] (G5), [`undisturbed`] (G8, and every ack is answered), [`live`] (nothing twice on a
//! live connection, nothing beyond `max_in_flight`). `planted.rs` proves that each can say no, `odd.rs` that none does without need.

pub mod key;
pub mod fault;
pub mod record;
pub mod recorder;
pub mod file;
pub mod facts;
pub mod never_again;
pub mod nothing_lost;
pub mod first_wins;
pub mod resume;
pub mod one_holder;
pub mod undisturbed;
pub mod live;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod odd;

use std::collections::BTreeMap;
use std::fmt;

use facts::Facts;
use record::{Entry, What};

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// `G1`, or the name of a rule that has no number in the contract.
    pub rule: &'static str,
    /// When, in microseconds of the history.
    pub t: u64,
    pub text: String,
}

impl Violation {
    pub fn new(rule: &'static str, t: u64, text: String) -> Violation {
        Violation { rule, t, text }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:.3} s: {}", self.rule, self.t as f64 / 1e6, self.text)
    }
}

/// What became of a history.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// In the order of time; empty when every promise was kept.
    pub violations: Vec<Violation>,
    /// How many entries there were of each kind: a run that checked nothing must fail.
    pub counts: BTreeMap<String, usize>,
    /// How many times a delivery moved from one device to another.
    pub moves: usize,
    /// The longest time that a call of a publisher took until it was answered for good, in ms.
    pub longest_publish_ms: u64,
    /// The longest time that an ack on a node without faults took until it was answered, in ms.
    pub longest_ack_ms: u64,
}

impl Verdict {
    /// Entries of a kind.
    pub fn count(&self, kind: &str) -> usize {
        self.counts.get(kind).copied().unwrap_or(0)
    }

    /// A run in which too little happened has shown nothing.
    pub fn shows_enough(&self) {
        for (kind, least) in [("published", 100), ("hello", 100), ("offer", 100), ("confirm", 100), ("outcome", 200)] {
            assert!(self.count(kind) >= least, "too little happened, {kind} only {} times: {:?}", self.count(kind), self.counts);
        }
    }
}

/// Judges a history.
pub fn judge(entries: &[Entry]) -> Verdict {
    let facts = Facts::of(entries);
    let (mut violations, moves) = one_holder::violations(&facts);
    violations.extend(never_again::violations(entries));
    violations.extend(nothing_lost::violations(entries, &facts));
    violations.extend(first_wins::violations(entries));
    violations.extend(resume::violations(entries));
    violations.extend(undisturbed::violations(&facts));
    violations.extend(live::violations(entries));
    violations.sort_by(|one, other| (one.t, one.rule).cmp(&(other.t, other.rule)));
    let mut counts = BTreeMap::new();
    entries.iter().for_each(|entry| *counts.entry(entry.what.kind().to_owned()).or_default() += 1);
    Verdict {
        violations,
        counts,
        moves,
        longest_publish_ms: nothing_lost::longest_publish_ms(entries),
        longest_ack_ms: undisturbed::longest_ack_ms(&facts),
    }
}

/// What is known of a key or session, for showing beside a violation.
pub fn about<'a>(entries: &'a [Entry], violation: &Violation) -> Vec<&'a Entry> {
    let named = |entry: &&Entry| match &entry.what {
        What::Fault { .. } => true,
        what => what.key().is_some_and(|key| violation.text.contains(&key.to_string())),
    };
    entries.iter().filter(named).collect()
}

//! What came of a run: waits, counts and errors, of one thread or of all.

use std::collections::BTreeMap;

use super::waits::Waits;

/// So many kinds of errors are told apart.
const ERRORS_MAX: usize = 32;

/// What came of a run.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    /// From when a publish was due to its answer.
    pub(super) published: Waits,
    /// From when a publish was due to its offer.
    pub(super) offered: Waits,
    /// From when a publish was due to the confirm of its ack.
    pub(super) confirmed: Waits,
    /// Offers of what was confirmed before. Must be 0.
    pub(super) again_after_confirm: u64,
    /// Offers of what this person has seen, and whose ack was not confirmed: allowed after a lost connection, and only then.
    pub(super) again_before_confirm: u64,
    pub(super) reconnects: u64,
    errors: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn new() -> Tally {
        Tally {
            published: Waits::new(),
            offered: Waits::new(),
            confirmed: Waits::new(),
            again_after_confirm: 0,
            again_before_confirm: 0,
            reconnects: 0,
            errors: BTreeMap::new(),
        }
    }

    /// Counts an error by its kind.
    pub(super) fn error(&mut self, kind: impl Into<String>) {
        let kind = kind.into();
        let kind = if self.errors.len() < ERRORS_MAX || self.errors.contains_key(&kind) { kind } else { "others".to_owned() };
        *self.errors.entry(kind).or_default() += 1;
    }

    pub(super) fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    pub(super) fn merge(&mut self, other: Tally) {
        self.published.merge(&other.published);
        self.offered.merge(&other.offered);
        self.confirmed.merge(&other.confirmed);
        self.again_after_confirm += other.again_after_confirm;
        self.again_before_confirm += other.again_before_confirm;
        self.reconnects += other.reconnects;
        for (kind, count) in other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
    }
}

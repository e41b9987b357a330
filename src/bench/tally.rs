//! What came of a run: waits, counts and errors, of one thread or of all.

use std::collections::BTreeMap;

use super::waits::Waits;

/// So many kinds of errors are told apart.
const ERRORS_MAX: usize = 32;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Tally {
    /// From when a publish was due to its answer.
    pub published: Waits,
    /// From when a publish was due to its offer.
    pub offered: Waits,
    /// From when a publish was due to the confirm of its ack.
    pub confirmed: Waits,
    /// Offers of what was confirmed before. Must be 0.
    pub again_after_confirm: u64,
    /// Offers of what this person has seen, and whose ack was not confirmed: allowed after a lost connection, and only then.
    pub again_before_confirm: u64,
    /// Connections that were opened anew.
    pub reconnects: u64,
    errors: BTreeMap<String, u64>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally::new()
    }
}

impl Tally {
    /// Of a run in which nothing has happened.
    #[must_use]
    pub fn new() -> Tally {
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
    pub fn error(&mut self, kind: impl Into<String>) {
        let kind = kind.into();
        let kind = if self.errors.len() < ERRORS_MAX || self.errors.contains_key(&kind) { kind } else { "others".to_owned() };
        *self.errors.entry(kind).or_default() += 1;
    }

    /// The errors by their kind.
    #[must_use]
    pub fn errors(&self) -> &BTreeMap<String, u64> {
        &self.errors
    }

    /// Adds what another counted.
    pub fn merge(&mut self, other: Tally) {
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

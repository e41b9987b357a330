//! What came before what. Entries of one process are ordered by their places. Of two processes only their clocks tell, as well as they agree: what lies closer together than
//! that has no order, and no rule may need one.

use super::record::{Entry, What};

/// The wall clock that a file begins with is read in ms.
const ROUNDING_US: u64 = 1_000;

/// The order of a history's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// None where all entries are one process's.
    slack_us: Option<u64>,
}

/// A point of that order: comparable with others of the same history.
pub type Moment = u64;

impl Order {
    #[must_use]
    pub fn of(entries: &[Entry]) -> Order {
        let several = entries.iter().any(|entry| entry.process != 0);
        let errors = entries.iter().filter_map(|entry| match &entry.what {
            What::Run(run) => Some(run.clock_error_us),
            _ => None,
        });
        let worst = errors.max().unwrap_or(0).saturating_add(ROUNDING_US);
        Order { slack_us: several.then_some(worst.saturating_mul(2)) }
    }

    /// Whether the entries are of several processes.
    #[must_use]
    pub fn is_loose(self) -> bool {
        self.slack_us.is_some()
    }

    /// The moment of the entry at a place. Never falls from one place to the next.
    #[must_use]
    pub fn moment(self, entries: &[Entry], place: usize) -> Moment {
        if self.is_loose() { entries[place].t } else { place as Moment }
    }

    /// Whether the first moment surely came before the second.
    #[must_use]
    pub fn is_before(self, first: Moment, second: Moment) -> bool {
        first.saturating_add(self.slack_us.unwrap_or(0)) < second
    }
}

/// The highest value so far, at any moment: filled in order, looked up by bisection.
#[derive(Clone, Debug, Default)]
pub struct Highest {
    /// Invariant: neither moments nor values fall.
    steps: Vec<(Moment, u64)>,
}

impl Highest {
    /// Takes a value of a moment that is not earlier than the last one.
    pub fn push(&mut self, moment: Moment, value: u64) {
        if self.steps.last().is_none_or(|(_, highest)| value > *highest) {
            self.steps.push((moment, value));
        }
    }

    /// The highest value that surely came before a moment.
    #[must_use]
    pub fn before(&self, order: Order, moment: Moment) -> Option<u64> {
        let count = self.steps.partition_point(|(earlier, _)| order.is_before(*earlier, moment));
        Some(self.steps[count.checked_sub(1)?].1)
    }
}

#[test]
fn the_highest_before_a_moment_is_found() {
    let mut highest = Highest::default();
    for (moment, value) in [(1, 5), (2, 3), (4, 8)] {
        highest.push(moment, value);
    }
    let order = Order::of(&[]);
    let found: Vec<Option<u64>> = (0..6).map(|moment| highest.before(order, moment)).collect();
    assert_eq!(found, [None, None, Some(5), Some(5), Some(5), Some(8)]);
}

//! How long to wait before the next dial: full jitter, with a bound that doubles. Does not wait itself.

use crate::dice::dice;
use std::time::Duration;

use rand::RngExt;

use super::config::LinkTuning;

/// Counts failed dials.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first_ms: u64,
    max_ms: u64,
    failed_count: u32,
}

impl Backoff {
    /// None has failed yet.
    #[must_use]
    pub const fn new(tuning: &LinkTuning) -> Backoff {
        Backoff { first_ms: tuning.backoff_first_ms, max_ms: tuning.backoff_max_ms, failed_count: 0 }
    }

    /// The next wait: anything up to the present bound.
    pub fn next_wait(&mut self) -> Duration {
        let bound_ms = self.first_ms.saturating_mul(1 << self.failed_count.min(16)).min(self.max_ms);
        self.failed_count = self.failed_count.saturating_add(1);
        Duration::from_millis(dice().random_range(0..=bound_ms))
    }

    /// A link stood for a while: start over.
    pub const fn reset(&mut self) {
        self.failed_count = 0;
    }

    /// Whether this failure is worth a log line: the first, the second, the fourth and so on.
    #[must_use]
    pub const fn is_notable(&self) -> bool {
        self.failed_count.is_power_of_two() || self.failed_count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_no_further() {
        let tuning = LinkTuning::default();
        let mut backoff = Backoff::new(&tuning);
        for attempt in 0..100_u32 {
            let bound_ms = (tuning.backoff_first_ms << attempt.min(10)).min(tuning.backoff_max_ms);
            assert!(backoff.next_wait() <= Duration::from_millis(bound_ms), "attempt {attempt}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(tuning.backoff_first_ms));
    }
}

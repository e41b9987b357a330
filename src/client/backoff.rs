//! How long to wait before the next attempt to connect: full jitter, growing from 250 ms to 30 s (CONTRACT §8). Does not wait itself.

use std::time::Duration;

use rand::RngExt;

const FIRST_MS: u64 = 250;
const MAX_MS: u64 = 30_000;

/// Counts failed attempts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failed_count: u32,
}

impl Backoff {
    /// The next wait: anything up to the current bound, which doubles each time; never under what the server asked for (`after_ms`).
    pub fn next_wait(&mut self, after_ms: u64) -> Duration {
        let bound_ms = FIRST_MS.saturating_mul(1 << self.failed_count.min(16)).min(MAX_MS);
        self.failed_count = self.failed_count.saturating_add(1);
        Duration::from_millis(rand::rng().random_range(0..=bound_ms).max(after_ms))
    }

    /// A connection stands: start over.
    pub fn reset(&mut self) {
        self.failed_count = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_30_seconds_and_no_further() {
        let mut backoff = Backoff::default();
        for attempt in 0..100 {
            let bound_ms = (FIRST_MS << attempt.min(20)).min(MAX_MS);
            assert!(backoff.next_wait(0) <= Duration::from_millis(bound_ms), "attempt {attempt}");
        }
    }

    #[test]
    fn the_server_may_ask_for_a_longer_wait() {
        assert!(Backoff::default().next_wait(800) >= Duration::from_millis(800));
    }
}

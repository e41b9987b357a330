//! Says whether it is time to say something again that could be said all the time.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;

const INTERVAL_MS: u64 = 10_000;

/// At most once in ten seconds.
#[derive(Debug, Default)]
pub struct Seldom {
    /// Monotonic ms; 0: never.
    next_ms: AtomicU64,
}

impl Seldom {
    /// Whether to say it now; who gets a yes must.
    pub fn is_due(&self) -> bool {
        let now_ms = clock::monotonic_ms();
        let next_ms = self.next_ms.load(Ordering::Relaxed);
        now_ms >= next_ms && self.next_ms.compare_exchange(next_ms, now_ms + INTERVAL_MS, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_at_once_and_then_seldom() {
        let seldom = Seldom::default();
        assert!(seldom.is_due());
        assert!(!seldom.is_due());
    }
}

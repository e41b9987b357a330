//! How fast one client may talk: a token bucket, checked by plain arithmetic on times that come in.

use dashmap::DashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ledger::ids::UserId;
use crate::protocol::frame::FRAME_MESSAGES_MAX;

/// What becomes of one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    /// Too fast: it is refused.
    Refused,
    /// Refused for a second's worth of messages and still at it: the connection ends.
    Ended,
}

/// Refills at its rate, up to two seconds' worth, or what one full frame holds; goes down to minus one second's worth.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    per_second: u32,
    /// Thousandths of a message.
    level: i64,
    filled_at_ms: u64,
}

const MESSAGE: i64 = 1000;

fn burst(per_second: u32) -> i64 {
    MESSAGE * i64::from(per_second.saturating_mul(2)).max(FRAME_MESSAGES_MAX as i64)
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(per_second: u32, now_ms: u64) -> Bucket {
        Bucket { per_second, level: burst(per_second), filled_at_ms: now_ms }
    }

    /// Takes one message at this time.
    pub fn take(&mut self, now_ms: u64) -> Verdict {
        let rate = i64::from(self.per_second);
        self.level = self.level_at(now_ms);
        self.filled_at_ms = now_ms;
        if self.level >= MESSAGE {
            self.level -= MESSAGE;
            return Verdict::Taken;
        }
        if self.level <= -MESSAGE * rate {
            return Verdict::Ended;
        }
        self.level -= MESSAGE;
        Verdict::Refused
    }

    fn level_at(&self, now_ms: u64) -> i64 {
        let passed_ms = i64::try_from(now_ms.saturating_sub(self.filled_at_ms)).unwrap_or(i64::MAX);
        self.level.saturating_add(passed_ms.saturating_mul(i64::from(self.per_second))).min(burst(self.per_second))
    }

    fn is_full_at(&self, now_ms: u64) -> bool {
        self.level_at(now_ms) == burst(self.per_second)
    }
}

/// Users whose bucket is remembered before those that are full again are forgotten.
const BUCKETS_KEPT: usize = 10_000;
/// Most users who may post within the time in which a bucket fills up.
const BUCKETS_MAX: usize = 200_000;
/// Between two looks for buckets that are full again.
const SWEEP_MS: u64 = 1_000;

/// A bucket for each user who posts messages without a connection.
#[derive(Debug)]
pub struct Buckets {
    per_second: u32,
    buckets: DashMap<UserId, Bucket>,
    swept_at_ms: AtomicU64,
}

impl Buckets {
    /// All full.
    #[must_use]
    pub fn new(per_second: u32) -> Buckets {
        Buckets { per_second, buckets: DashMap::new(), swept_at_ms: AtomicU64::new(0) }
    }

    /// Takes one message of a user.
    pub fn take(&self, user: &UserId, now_ms: u64) -> Verdict {
        if let Some(mut bucket) = self.buckets.get_mut(user) {
            return bucket.take(now_ms);
        }
        if self.buckets.len() >= BUCKETS_KEPT && self.is_sweep_due(now_ms) {
            self.buckets.retain(|_, bucket| !bucket.is_full_at(now_ms));
        }
        if self.buckets.len() >= BUCKETS_MAX {
            return Verdict::Refused;
        }
        self.buckets.entry(user.clone()).or_insert_with(|| Bucket::new(self.per_second, now_ms)).take(now_ms)
    }

    /// A sweep looks at all of them: one caller does it, now and then.
    fn is_sweep_due(&self, now_ms: u64) -> bool {
        let swept_at_ms = self.swept_at_ms.load(Relaxed);
        now_ms.saturating_sub(swept_at_ms) >= SWEEP_MS && self.swept_at_ms.compare_exchange(swept_at_ms, now_ms, Relaxed, Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_then_refused_then_ends_the_connection() {
        let mut bucket = Bucket::new(200, 0);
        let verdicts: Vec<Verdict> = (0..700).map(|_| bucket.take(0)).collect();
        assert!(verdicts[..400].iter().all(|verdict| *verdict == Verdict::Taken));
        assert!(verdicts[400..600].iter().all(|verdict| *verdict == Verdict::Refused));
        assert!(verdicts[600..].iter().all(|verdict| *verdict == Verdict::Ended));
    }

    #[test]
    fn a_frame_as_full_as_it_may_be_is_taken_at_any_rate() {
        let mut bucket = Bucket::new(1, 0);
        assert!((0..FRAME_MESSAGES_MAX).all(|_| bucket.take(0) == Verdict::Taken));
        assert_eq!(bucket.take(0), Verdict::Refused);
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused() {
        let mut bucket = Bucket::new(50, 0);
        assert!((0..1_000).all(|message| bucket.take(message * 20) == Verdict::Taken));
    }

    #[test]
    fn who_waits_is_taken_again() {
        let mut bucket = Bucket::new(10, 0);
        for _ in 0..FRAME_MESSAGES_MAX + 5 {
            bucket.take(0);
        }
        assert_eq!(bucket.take(300), Verdict::Refused);
        assert_eq!(bucket.take(1_000), Verdict::Taken);
    }
}

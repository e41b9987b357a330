//! How fast one client may talk: a token bucket, checked by plain arithmetic on times that come in.

use dashmap::DashMap;

use crate::ledger::ids::UserId;

/// What becomes of one more message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Taken,
    /// Too fast: it is refused.
    Refused,
    /// Refused for a second's worth of messages and still at it: the connection ends.
    Ended,
}

/// Refills at its rate, up to two seconds' worth; goes down to minus one second's worth.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    per_second: u32,
    /// Thousandths of a message.
    level: i64,
    filled_at_ms: u64,
}

const MESSAGE: i64 = 1000;

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(per_second: u32, now_ms: u64) -> Bucket {
        Bucket { per_second, level: 2 * MESSAGE * i64::from(per_second), filled_at_ms: now_ms }
    }

    /// Takes one message at this time.
    pub fn take(&mut self, now_ms: u64) -> Verdict {
        let (rate, passed_ms) = (i64::from(self.per_second), now_ms.saturating_sub(self.filled_at_ms));
        self.filled_at_ms = now_ms;
        let refill = i64::try_from(passed_ms).unwrap_or(i64::MAX).saturating_mul(rate);
        self.level = self.level.saturating_add(refill).min(2 * MESSAGE * rate);
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
}

/// Users whose bucket is remembered before those that are full again are forgotten.
const BUCKETS_KEPT: usize = 10_000;
/// Most users who may post within the time in which a bucket fills up.
const BUCKETS_MAX: usize = 200_000;
/// An empty bucket is full again after that.
const FULL_AFTER_MS: u64 = 3_000;

/// A bucket for each user who posts messages without a connection.
#[derive(Debug)]
pub struct Buckets {
    per_second: u32,
    buckets: DashMap<UserId, Bucket>,
}

impl Buckets {
    /// All full.
    #[must_use]
    pub fn new(per_second: u32) -> Buckets {
        Buckets { per_second, buckets: DashMap::new() }
    }

    /// Takes one message of a user.
    pub fn take(&self, user: &UserId, now_ms: u64) -> Verdict {
        if let Some(mut bucket) = self.buckets.get_mut(user) {
            return bucket.take(now_ms);
        }
        if self.buckets.len() >= BUCKETS_KEPT {
            self.buckets.retain(|_, bucket| now_ms.saturating_sub(bucket.filled_at_ms) < FULL_AFTER_MS);
        }
        if self.buckets.len() >= BUCKETS_MAX {
            return Verdict::Refused;
        }
        self.buckets.entry(user.clone()).or_insert_with(|| Bucket::new(self.per_second, now_ms)).take(now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_then_refused_then_ends_the_connection() {
        let mut bucket = Bucket::new(10, 0);
        let verdicts: Vec<Verdict> = (0..40).map(|_| bucket.take(0)).collect();
        assert!(verdicts[..20].iter().all(|verdict| *verdict == Verdict::Taken));
        assert!(verdicts[20..30].iter().all(|verdict| *verdict == Verdict::Refused));
        assert!(verdicts[30..].iter().all(|verdict| *verdict == Verdict::Ended));
    }

    #[test]
    fn who_keeps_to_the_rate_is_never_refused() {
        let mut bucket = Bucket::new(50, 0);
        assert!((0..1_000).all(|message| bucket.take(message * 20) == Verdict::Taken));
    }

    #[test]
    fn who_waits_is_taken_again() {
        let mut bucket = Bucket::new(10, 0);
        for _ in 0..25 {
            bucket.take(0);
        }
        assert_eq!(bucket.take(300), Verdict::Refused);
        assert_eq!(bucket.take(1_000), Verdict::Taken);
    }
}

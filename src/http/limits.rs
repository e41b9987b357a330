//! The bounds of the API: how much may be under way at once, how much may come in one body, how fast one key may publish. Who passes one is told at once; nothing is
//! queued here.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use metrics::counter;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::protocol::code::Code;
use crate::telemetry::names::LIMITED_TOTAL;

use super::auth::Caller;
use super::problem::Problem;

/// The figures, from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Publishes a second for each key, items of a publish to many counted one by one; 0: no limit.
    pub publishes_per_second: u32,
    /// Requests under way at once.
    pub requests_max: usize,
    /// Publishes to many under way at once.
    pub batches_max: usize,
    /// Outcome feeds and long polls open at once.
    pub feeds_max: usize,
    /// The longest body of a publish to one user.
    pub body_max_bytes: usize,
    /// The longest body of a publish to many.
    pub batch_max_bytes: usize,
    /// The time in which a body must have come.
    pub body_timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            publishes_per_second: 50_000,
            requests_max: 10_000,
            batches_max: 8,
            feeds_max: 64,
            body_max_bytes: 64 * 1024,
            batch_max_bytes: 64 * 1024 * 1024,
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// The bounds at work.
pub struct Limits {
    pub bounds: Bounds,
    pub requests: Gate,
    pub batches: Gate,
    pub feeds: Gate,
    /// One for each key, by its place in the configuration; none without a limit.
    publishers: Vec<DefaultDirectRateLimiter>,
    clock: DefaultClock,
}

impl Limits {
    /// Nothing is under way yet, and every key may publish.
    #[must_use]
    pub fn new(bounds: Bounds, key_count: usize) -> Limits {
        let quota = NonZeroU32::new(bounds.publishes_per_second).map(Quota::per_second);
        Limits {
            requests: Gate::new("requests", bounds.requests_max),
            batches: Gate::new("batches", bounds.batches_max),
            feeds: Gate::new("feeds", bounds.feeds_max),
            publishers: quota.map_or_else(Vec::new, |quota| (0..key_count).map(|_| RateLimiter::direct(quota)).collect()),
            clock: DefaultClock::default(),
            bounds,
        }
    }

    /// Counts one publish of a caller.
    ///
    /// # Errors
    /// [`Code::RateLimited`], with the time after which there is room again.
    pub fn publish(&self, caller: &Caller) -> Result<(), Problem> {
        let Some(limiter) = self.publishers.get(caller.key_index) else { return Ok(()) };
        limiter.check().map_err(|refused| {
            counter!(LIMITED_TOTAL, "limit" => "publishes").increment(1);
            let rate = self.bounds.publishes_per_second;
            let problem = Problem::new(Code::RateLimited, format!("the key {:?} may publish {rate} times a second", caller.name));
            problem.retry_after(refused.wait_time_from(self.clock.now()))
        })
    }
}

/// Lets so many in at once, and nobody wait.
pub struct Gate {
    name: &'static str,
    max: usize,
    free: Arc<Semaphore>,
}

/// A place behind a gate, free again when this is dropped.
pub struct Place(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

impl Gate {
    fn new(name: &'static str, max: usize) -> Gate {
        Gate { name, max, free: Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))) }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`Code::RateLimited`], when there is none.
    pub fn enter(&self) -> Result<Place, Problem> {
        Arc::clone(&self.free).try_acquire_owned().map(Place).map_err(|_| {
            counter!(LIMITED_TOTAL, "limit" => self.name).increment(1);
            Problem::new(Code::RateLimited, format!("{} {} are under way; hint: try again in a second", self.max, self.name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Role;

    fn caller(key_index: usize) -> Caller {
        Caller { name: "shop".to_owned(), role: Role::Publish, key_index }
    }

    #[test]
    fn a_key_that_publishes_too_fast_is_told_when_to_come_again_and_others_go_on() {
        let limits = Limits::new(Bounds { publishes_per_second: 1, ..Bounds::default() }, 2);
        assert!(limits.publish(&caller(0)).is_ok());
        assert_eq!(limits.publish(&caller(0)).unwrap_err().code(), Code::RateLimited);
        assert!(limits.publish(&caller(1)).is_ok());
    }

    #[test]
    fn without_a_rate_nobody_is_limited() {
        let limits = Limits::new(Bounds { publishes_per_second: 0, ..Bounds::default() }, 1);
        assert!((0..10_000).all(|_| limits.publish(&caller(0)).is_ok()));
    }

    #[test]
    fn a_gate_lets_so_many_in_and_the_next_when_one_has_left() {
        let gate = Gate::new("feeds", 2);
        let first = gate.enter();
        let _second = gate.enter();
        assert!(gate.enter().is_err());
        drop(first);
        assert!(gate.enter().is_ok());
    }
}

//! Waiting: always for a condition, always with a deadline. The only file of the harness that lets time pass.

use std::future::Future;
use std::time::Duration;

use engage::clock;

use super::DEADLINE;

/// How long to wait between two looks at a condition that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until `look` gives something; panics with `what` when the deadline has passed.
pub async fn until<T, F, L>(what: &str, mut look: L) -> T
where
    F: Future<Output = Option<T>>,
    L: FnMut() -> F,
{
    let start = clock::monotonic();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(clock::monotonic() - start < DEADLINE, "waited {DEADLINE:?} in vain: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The same with a deadline of its own, and with words that are found only when it has passed.
pub async fn until_or_tell<T, F, L>(deadline: Duration, mut look: L, tell: impl FnOnce() -> String) -> T
where
    F: Future<Output = Option<T>>,
    L: FnMut() -> F,
{
    let start = clock::monotonic();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(clock::monotonic() - start < deadline, "waited {deadline:?} in vain: {}", tell());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The same without a runtime.
pub fn until_blocking<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_blocking_for(DEADLINE, what, look)
}

/// The same with a deadline of its own.
pub fn until_blocking_for<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = clock::monotonic();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock::monotonic() - start < deadline, "waited {deadline:?} in vain: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Gives up on `future` at the deadline, with a panic that says what was awaited.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {DEADLINE:?} in vain: {what}"),
    }
}

/// Waits until the machine's wall clock, which the nodes of the tests stamp ledger time with, has come to `at`.
pub async fn until_wall_clock(at: u64) {
    while clock::wall_ms() < at {
        tokio::time::sleep(Duration::from_millis(at.saturating_sub(clock::wall_ms()).clamp(1, 500))).await;
    }
}

/// Waits until a point of monotonic time: for what is slow on purpose.
pub async fn until_due(due: std::time::Instant) {
    tokio::time::sleep_until(due.into()).await;
}

/// Lets time pass: for faults that last a while and for ledger time to come, never in place of a condition.
pub async fn pass(span: Duration) {
    tokio::time::sleep(span).await;
}

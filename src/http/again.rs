//! Calls to a user that are made again while their result isn't known and the request has time left: commands are idempotent by their key. Nothing else waits here.

use rand::RngExt as _;
use std::future::Future;
use std::time::{Duration, Instant};

use crate::clock;
use crate::dice::dice;
use crate::ledger::Applied;
use crate::ports::calls::CallError;

/// The wait before a call is tried a second time; it doubles with each try.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Tries until there is an answer, the time is up, or an error comes that is `final_at_once`. The error is the last one.
pub async fn until_known<F>(
    mut attempt: impl FnMut() -> F,
    deadline: Instant,
    final_at_once: fn(CallError) -> bool,
) -> Result<Applied, CallError>
where
    F: Future<Output = Result<Applied, CallError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        let Ok(answer) = tokio::time::timeout(left(deadline), attempt()).await else { return Err(CallError::Unknown) };
        let Err(error) = answer else { return answer };
        // Jitter, so that callers who failed together don't come back together.
        let wait = pause.mul_f64(dice().random_range(0.5..1.0));
        if final_at_once(error) || wait >= left(deadline) {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(clock::monotonic())
}

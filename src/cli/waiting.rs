//! Waits, with a bound, until the cluster is as a command wants it, and shows how far it is. A call that no node could answer right now is made again.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::progress::Shown;
use crate::client::{Api, ApiError, Cluster};
use crate::clock;
use crate::config::Span;

/// How often the cluster is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// One look: it is done, or goes on, as the line says.
pub(super) enum Look<T> {
    Done(T),
    GoesOn(String),
}

/// How long a command waits.
pub(super) struct Patience {
    until: Instant,
    timeout: Span,
}

impl Patience {
    /// Waits that long from now on.
    pub(super) fn new(timeout: Span) -> Patience {
        Patience { until: clock::monotonic() + timeout.duration(), timeout }
    }

    fn is_over(&self) -> bool {
        clock::monotonic() >= self.until
    }

    /// Makes a call again while it may be, and there is time. `again` says of an error whether it passes by itself.
    pub(super) async fn call<T>(
        &self,
        call: impl AsyncFn() -> Result<T, ApiError>,
        again: impl Fn(&ApiError) -> bool,
    ) -> Result<T, ApiError> {
        loop {
            match call().await {
                Err(error) if again(&error) && !self.is_over() => tokio::time::sleep(LOOK_EVERY).await,
                answer => return answer,
            }
        }
    }

    /// Looks at the cluster until it is as it should be. The last look is told where the time is over.
    pub(super) async fn until<T>(&self, api: &Api, look: impl Fn(&Cluster) -> Look<T>) -> anyhow::Result<T> {
        let mut shown = Shown::new();
        loop {
            let line = match api.cluster().await {
                Ok(cluster) => match look(&cluster) {
                    Look::Done(found) => return Ok(found),
                    Look::GoesOn(line) => line,
                },
                Err(error) if may_pass(&error) => error.to_string(),
                Err(error) => return Err(error.into()),
            };
            if self.is_over() {
                bail!("not done within {}: {line}; hint: it goes on by itself, and this command may be run again", self.timeout);
            }
            shown.say(line);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Whether the same call may do better in a moment.
pub(super) fn may_pass(error: &ApiError) -> bool {
    matches!(error, ApiError::NoAnswer { .. }) || error.status() == Some(503) || error.status() == Some(429)
}

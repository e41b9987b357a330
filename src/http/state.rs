//! What the handlers of the API share, and the seams to the rest of the node: [`Users`] leads to the actors, [`Owners`] knows who is who.
//! Calls are retried (by [`again`]) inside the time that a request has; nothing else waits for the ledger.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{EngagementId, UserId};
use crate::ledger::{Applied, Command};
pub use crate::ports::calls::{CallError, Users};
use crate::ports::owners::Owners;
use crate::ports::{Read, ReadError};
use crate::protocol::code::Code;

use super::again;
use super::auth::ApiKeys;
use super::limits::{Bounds, Limits};
use super::problem::Problem;

/// What an [`Api`] is built from.
pub struct Parts {
    pub users: Arc<dyn Users>,
    pub read: Arc<dyn Read>,
    pub owners: Arc<dyn Owners>,
    pub keys: ApiKeys,
    pub bounds: Bounds,
    /// The time in which a write must be committed.
    pub request_timeout: Duration,
}

/// The state of the API, one for all workers; handlers get it as `web::Data<Api>`.
pub struct Api {
    pub users: Arc<dyn Users>,
    pub read: Arc<dyn Read>,
    pub owners: Arc<dyn Owners>,
    pub keys: ApiKeys,
    pub limits: Limits,
    request_timeout: Duration,
    feeds_open: watch::Sender<bool>,
}

impl Api {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Api {
        let limits = Limits::new(parts.bounds, parts.keys.count());
        Api {
            users: parts.users,
            read: parts.read,
            owners: parts.owners,
            keys: parts.keys,
            limits,
            request_timeout: parts.request_timeout,
            feeds_open: watch::Sender::new(true),
        }
    }

    /// Ends all outcome feeds and long polls, now and from now on: part of a graceful stop.
    pub fn close_feeds(&self) {
        self.feeds_open.send_replace(false);
    }

    /// Turns false when feeds are to end.
    #[must_use]
    pub fn feeds_open(&self) -> watch::Receiver<bool> {
        self.feeds_open.subscribe()
    }

    /// Has a command applied. It is sent again while its result isn't known and time is left: commands are idempotent by their key.
    ///
    /// # Errors
    /// [`Code::Unavailable`], when the time is up.
    pub async fn call(&self, command: Command) -> Result<Applied, Problem> {
        let deadline = clock::monotonic() + self.request_timeout;
        let answer = again::until_known(|| self.users.call(command.clone()), deadline, |_| false).await;
        answer.map_err(|error| self.unavailable(error))
    }

    /// Sends a notice. It is not tried again: it may have been sent.
    ///
    /// # Errors
    /// [`Code::Unavailable`], when it isn't known to how many devices it was sent.
    pub async fn notice(&self, user: UserId, id: EngagementId, payload: Payload, targets: Targets) -> Result<u32, Problem> {
        match tokio::time::timeout(self.request_timeout, self.users.notice(user, id, payload, targets)).await {
            Ok(Ok(devices)) => Ok(devices),
            Ok(Err(error)) => Err(self.unavailable(error)),
            Err(_) => Err(self.unavailable(CallError::Unknown)),
        }
    }

    fn unavailable(&self, error: CallError) -> Problem {
        let advice = match error {
            CallError::Unknown => "it may or may not have been done; hint: send it again, a second time changes nothing",
            CallError::Unavailable | CallError::Overloaded => "nothing was done; hint: send it again",
        };
        Problem::new(Code::Unavailable, format!("{error} within {:?}: {advice}", self.request_timeout))
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Problem {
        Problem::new(Code::Unavailable, error.to_string())
    }
}

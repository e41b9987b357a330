//! The seam to the users, for callers: commands and notices go in, whoever owns the user.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::ProposeError;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{EngagementId, UserId};
use crate::ledger::{Applied, Command};

/// Why a call to a user failed. All may be tried again, but for a notice, which is sent once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum CallError {
    /// Not done: no leader, or no majority.
    #[error("the user's shard has no leader or no majority")]
    Unavailable,
    /// It may or may not have been done.
    #[error("the user's shard lost its leader before it answered")]
    Unknown,
    /// Not done: a queue on the way is full.
    #[error("the user's queue is full")]
    Overloaded,
}

impl From<ProposeError> for CallError {
    fn from(error: ProposeError) -> CallError {
        match error {
            ProposeError::Unavailable => CallError::Unavailable,
            ProposeError::Unknown => CallError::Unknown,
        }
    }
}

/// The way to the users.
#[async_trait]
pub trait Users: Send + Sync {
    /// Hands a command to its user, and waits until it is applied and its effects are on their way.
    async fn call(&self, command: Command) -> Result<Applied, CallError>;
    /// Sends a notice to the connected devices of a user, once, and tells to how many.
    async fn notice(&self, user: UserId, id: EngagementId, payload: Payload, targets: Targets) -> Result<u32, CallError>;
}

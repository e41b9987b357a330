//! The users of a node of the tests, for the client routes: real actors, whose answers may get lost.

use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::actors::registry::Registry;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{EngagementId, UserId};
use crate::ledger::{Applied, Command};
use crate::ports::calls::{CallError, Users};

/// The users of this node.
pub struct Callers {
    pub registry: Arc<Registry>,
    /// How many answers get lost from now on.
    pub to_lose: Arc<AtomicUsize>,
}

#[async_trait]
impl Users for Callers {
    async fn call(&self, command: Command) -> Result<Applied, CallError> {
        let answer = self.registry.call(command, Duration::from_secs(5)).await;
        let is_lost = self.to_lose.fetch_update(Relaxed, Relaxed, |count| count.checked_sub(1)).is_ok();
        if is_lost { Err(CallError::Unknown) } else { answer }
    }

    async fn notice(&self, user: UserId, id: EngagementId, payload: Payload, targets: Targets) -> Result<u32, CallError> {
        self.registry.notice(&user, id, payload, targets).await
    }
}

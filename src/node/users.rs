//! The way from the API to the users' actors, and from the shards to them: what the two rooms call through traits.

use async_trait::async_trait;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use crate::actors::registry::{CallError as ActorError, Registry};
use crate::ledger::effect::Effect;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{EngagementId, ShardId, UserId};
use crate::ledger::{Applied, Command};
use crate::ports::CarryOut;
use crate::ports::calls::{CallError, Users};

/// The users of this node.
pub(super) struct ActorUsers {
    pub(super) registry: Arc<Registry>,
    /// How long one try may take.
    pub(super) timeout: Duration,
}

#[async_trait]
impl Users for ActorUsers {
    async fn call(&self, command: Command) -> Result<Applied, CallError> {
        self.registry.call(command, self.timeout).await.map_err(translate)
    }

    async fn notice(&self, user: UserId, id: EngagementId, payload: Payload, targets: Targets) -> Result<u32, CallError> {
        self.registry.notice(&user, id, payload, targets).await.map_err(translate)
    }
}

fn translate(error: ActorError) -> CallError {
    match error {
        ActorError::Unavailable => CallError::Unavailable,
        ActorError::Unknown => CallError::Unknown,
        ActorError::Overloaded => CallError::Overloaded,
    }
}

/// The shards start before the actors, which need them. What a shard does before anybody can be connected has effects for nobody.
#[derive(Default)]
pub(super) struct LateEffects(OnceLock<Weak<Registry>>);

impl LateEffects {
    /// From now on, effects go to these actors. Weak: the actors hold the shards.
    pub(super) fn lead_to(&self, registry: &Arc<Registry>) {
        let is_first = self.0.set(Arc::downgrade(registry)).is_ok();
        assert!(is_first, "effects lead to one registry");
    }
}

impl CarryOut for LateEffects {
    fn carry_out(&self, effects: Vec<Effect>) {
        if let Some(registry) = self.0.get().and_then(Weak::upgrade) {
            registry.carry_out(effects);
        }
    }

    fn owned(&self, shard: ShardId, term: u64) {
        if let Some(registry) = self.0.get().and_then(Weak::upgrade) {
            registry.owned(shard, term);
        }
    }

    fn disowned(&self, shard: ShardId) {
        if let Some(registry) = self.0.get().and_then(Weak::upgrade) {
            registry.disowned(shard);
        }
    }
}

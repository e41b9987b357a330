//! The way from the API to the users' actors, and from the shards to them: what the two rooms call through traits.

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::owners::OwnShards;
use crate::actors::registry::Registry;
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
        self.registry.call(command, self.timeout).await
    }

    async fn notice(&self, user: UserId, id: EngagementId, payload: Payload, targets: Targets) -> Result<u32, CallError> {
        self.registry.notice(&user, id, payload, targets).await
    }
}

/// The shards start before the actors, which need them. What a shard does before anybody can be connected has effects for nobody; what it owns by then is kept.
#[derive(Default)]
pub(super) struct LateEffects(Mutex<Late>);

enum Late {
    /// What is owned, until there is somebody to tell.
    Early(BTreeMap<ShardId, u64>),
    /// Weak: the actors hold the shards.
    Led(Weak<Registry>, Arc<OwnShards>),
}

impl Default for Late {
    fn default() -> Self {
        Late::Early(BTreeMap::new())
    }
}

impl LateEffects {
    /// From now on, effects go to these actors.
    pub(super) fn lead_to(&self, registry: &Arc<Registry>, owners: &Arc<OwnShards>) {
        let mut late = self.late();
        let Late::Early(owned) = std::mem::replace(&mut *late, Late::Led(Arc::downgrade(registry), Arc::clone(owners))) else {
            unreachable!("effects lead to one registry");
        };
        for (shard, term) in owned {
            registry.owned(shard, term);
            owners.owned(shard, term);
        }
    }

    fn late(&self) -> MutexGuard<'_, Late> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CarryOut for LateEffects {
    fn carry_out(&self, effects: Vec<Effect>) {
        let registry = match &*self.late() {
            Late::Early(_) => None,
            Late::Led(registry, _) => registry.upgrade(),
        };
        if let Some(registry) = registry {
            registry.carry_out(effects);
        }
    }

    fn owned(&self, shard: ShardId, term: u64) {
        match &mut *self.late() {
            Late::Early(owned) => {
                owned.insert(shard, term);
            }
            Late::Led(registry, owners) => {
                if let Some(registry) = registry.upgrade() {
                    registry.owned(shard, term);
                }
                owners.owned(shard, term);
            }
        }
    }

    fn disowned(&self, shard: ShardId) {
        match &mut *self.late() {
            Late::Early(owned) => {
                owned.remove(&shard);
            }
            Late::Led(registry, owners) => {
                owners.disowned(shard);
                if let Some(registry) = registry.upgrade() {
                    registry.disowned(shard);
                }
            }
        }
    }
}

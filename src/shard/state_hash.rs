//! What a replica holds, as one number: the hash of its ledger's snapshot at an exact log entry. Two replicas of a shard that differ at the same entry have come apart,
//! which nothing else would show before it is too late.

use std::time::Duration;

use async_trait::async_trait;
use xxhash_rust::xxh3::Xxh3;

use super::content::Frozen;
use super::group::Group;
use super::shards::Shards;
use crate::blocking;
use crate::ledger::ids::ShardId;
use crate::ports::replicas::{ReplicaBusy, ReplicaState, ReplicaStates, Replicas};

/// An entry takes microseconds to apply; one that is met so often is no coincidence.
const TRIES_MAX: u32 = 100;
const BETWEEN_TRIES: Duration = Duration::from_millis(1);

impl Shards {
    /// What this node's replica of a shard holds now. Reads all of it, on the caller's thread; none where this node is no member of the shard's group, or the
    /// replica is within an entry, which one that is asked between two steps of a simulation never is.
    #[must_use]
    pub fn state_hash(&self, shard: ShardId) -> Option<ReplicaState> {
        let group = self.member_of(shard)?;
        let (applied_index, view) = group.core.machine.freeze_at_entry()?;
        Some(ReplicaState { shard, applied_index, state_hash: hash_of(view.as_ref()) })
    }

    /// The same of all replicas, each at an entry of its own.
    ///
    /// # Errors
    /// [`ReplicaBusy`].
    pub async fn state_hashes(&self) -> Result<Vec<ReplicaState>, ReplicaBusy> {
        let mut states = Vec::new();
        for shard in (0..self.count()).map(ShardId) {
            let Some(group) = self.member_of(shard) else { continue };
            let (applied_index, view) = freeze(&group).await.ok_or(ReplicaBusy(shard))?;
            let state_hash = blocking::run(move || hash_of(view.as_ref())).await.map_err(|_| ReplicaBusy(shard))?;
            states.push(ReplicaState { shard, applied_index, state_hash });
        }
        Ok(states)
    }

    fn member_of(&self, shard: ShardId) -> Option<std::sync::Arc<Group>> {
        let group = self.groups.shard(shard)?;
        let is_member = group.core.members().is_some_and(|members| members.has(self.common.me));
        (is_member && !group.core.is_failed()).then_some(group)
    }
}

async fn freeze(group: &Group) -> Option<(u64, Box<dyn Frozen>)> {
    for _ in 0..TRIES_MAX {
        if let Some(frozen) = group.core.machine.freeze_at_entry() {
            return Some(frozen);
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
    None
}

fn hash_of(view: &dyn Frozen) -> u64 {
    let mut hash = Xxh3::new();
    view.chunks().for_each(|chunk| hash.update(&chunk));
    hash.digest()
}

#[async_trait]
impl Replicas for Shards {
    async fn states(&self) -> Result<ReplicaStates, ReplicaBusy> {
        Ok(ReplicaStates { node: self.common.config.node_name.clone(), replicas: self.state_hashes().await? })
    }
}

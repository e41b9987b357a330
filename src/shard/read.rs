//! Linearizable reads of the ledgers: what is answered holds everything that was confirmed before the call, and what was due by then has been done.

use std::sync::Arc;

use async_trait::async_trait;
use openraft::ReadPolicy;
use tokio::sync::watch;

use super::group::Group;
use super::hash;
use super::shards::Shards;
use crate::clock;
use crate::ledger::Ledger;
use crate::ledger::ids::{EngagementId, ShardId, UserId};
use crate::ledger::outcome::{CursorExpired, Outcome};
use crate::ledger::view::{DeliveryView, EngagementView, UserView};
use crate::ports::{Read, ReadError, ShardStatus};

impl Shards {
    /// Reads something of a user.
    async fn read_user<T>(&self, user: &UserId, read: impl FnOnce(&Ledger) -> T) -> Result<T, ReadError> {
        let group = self.served(self.shard_of(user))?;
        let reading = async {
            confirm_ownership(&group).await?;
            do_what_is_due(&group, user).await?;
            Ok(group.ledger.read(read))
        };
        tokio::time::timeout(self.read_timeout, reading).await.unwrap_or(Err(ReadError))
    }

    /// Reads something of a shard.
    async fn read_shard<T>(&self, shard: ShardId, read: impl FnOnce(&Ledger) -> T) -> Result<T, ReadError> {
        let group = self.served(shard)?;
        tokio::time::timeout(self.read_timeout, confirm_ownership(&group)).await.unwrap_or(Err(ReadError))?;
        Ok(group.ledger.read(read))
    }

    /// The group of a shard that is owned here: nobody else may read it.
    fn served(&self, shard: ShardId) -> Result<Arc<Group>, ReadError> {
        self.groups.shard(shard).filter(|group| group.is_served() && !group.core.is_failed()).ok_or(ReadError)
    }
}

/// Asks a majority whether this node still leads, and waits until what was committed by then is applied.
pub(super) async fn confirm_ownership(group: &Group) -> Result<(), ReadError> {
    if mutant!(ReadWithoutMajority) {
        return Ok(());
    }
    group.core.raft.ensure_linearizable(ReadPolicy::ReadIndex).await.map(drop).map_err(|_| ReadError)
}

/// Lets time pass for the user, where something of theirs is due: an `Advance` attends to some users at a time, so it may take several.
async fn do_what_is_due(group: &Group, user: &UserId) -> Result<(), ReadError> {
    let now = clock::wall_ms();
    let is_due = |ledger: &Ledger| ledger.user_next_due(user).is_some_and(|due| due.0 <= now.max(ledger.now().0));
    // The caller bounds it by time.
    while group.ledger.read(is_due) {
        group.queue.request_advance().await.map_err(|_| ReadError)?;
    }
    Ok(())
}

#[async_trait]
impl Read for Shards {
    fn shard_of(&self, user: &UserId) -> ShardId {
        hash::shard_of(user, self.count())
    }

    fn shard_count(&self) -> u16 {
        self.count()
    }

    async fn user(&self, user: &UserId) -> Result<Option<UserView>, ReadError> {
        self.read_user(user, |ledger| ledger.user(user)).await
    }

    async fn deliveries(&self, user: &UserId, after: u64, limit: usize) -> Result<Vec<DeliveryView>, ReadError> {
        self.read_user(user, |ledger| ledger.deliveries(user, after, limit)).await
    }

    async fn engagement(&self, user: &UserId, id: &EngagementId) -> Result<Option<EngagementView>, ReadError> {
        let parts = self.read_user(user, |ledger| ledger.engagement_parts(user, id)).await?;
        // The outcomes are searched without the ledger's lock.
        Ok(parts.map(|(deliveries, outcomes)| EngagementView::new(deliveries, &outcomes, user, id)))
    }

    async fn outcomes(&self, shard: ShardId, after: u64, limit: usize) -> Result<Result<Vec<(u64, Outcome)>, CursorExpired>, ReadError> {
        self.read_shard(shard, |ledger| ledger.outcomes().after(after, limit)).await
    }

    async fn outcomes_before_oldest(&self, shard: ShardId) -> Result<u64, ReadError> {
        self.read_shard(shard, |ledger| ledger.outcomes().before_oldest()).await
    }

    fn outcomes_changed(&self) -> watch::Receiver<u64> {
        self.outcomes_changed.clone()
    }

    fn status(&self) -> Vec<ShardStatus> {
        self.groups.iter().map(|group| group.status()).collect()
    }
}

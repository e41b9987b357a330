//! A node that left a group lets go of what it held of it: log and snapshot, but never its vote, so that it can't vote twice in a term.

use std::sync::Arc;
use std::time::Duration;

use openraft::ServerState;
use tokio::sync::oneshot;
use tracing::{error, info};

use super::change_error::ChangeError;
use super::committer::{Committer, Request};
use super::error::ShardError;
use super::group::{Group, Life};
use super::left::Far;
use super::log::LogShared;
use super::machine::blocking;
use super::raft_group::{Common, Emptied};
use super::shards::Shards;
use crate::ledger::ids::ShardId;

/// Entries that are deleted at a time, so that the other groups' appends don't wait.
const DELETIONS_AT_A_TIME: u64 = 1024;

/// Why a node is to leave a group: by the word of the group's leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// What [`Shards::last_change`] said before the leader was asked.
    pub last_change: u64,
    /// How far the leader had applied the group's log when it said that this node is no member.
    pub owner_index: u64,
}

impl Shards {
    /// The last change of members that this node has of a shard, by its index in the log; none where it has nothing of the shard, its vote apart.
    #[must_use]
    pub fn last_change(&self, shard: ShardId) -> Option<u64> {
        self.groups.peek(shard).filter(|group| has_anything(group)).map(|group| last_change(&group))
    }

    /// Empties this node's replica of a shard of which it is no member any more. Only for a caller who knows that from the shard's leader, after the change was
    /// committed: what is deleted counts for nobody's majority. Where another change has come
    /// since, the node may be a member again, whose entries count, and nothing is deleted. Empty already: nothing to do.
    ///
    /// # Errors
    /// [`ChangeError::Leads`], [`ChangeError::Busy`]; or [`ChangeError::Failed`], after which the process must end.
    pub async fn wipe(&self, shard: ShardId, leave: Leave) -> Result<(), ChangeError> {
        let slot = self.groups.slot(shard).ok_or(ChangeError::NoGroup)?;
        let _one = slot.replacing.try_lock().map_err(|_| ChangeError::Busy)?;
        let old = slot.current.load_full();
        if old.core.look(|metrics| metrics.state == ServerState::Leader) {
            return Err(ChangeError::Leads);
        }
        if !has_anything(&old) {
            return Ok(());
        }
        if last_change(&old) != leave.last_change {
            return Err(ChangeError::Busy);
        }
        match replace(&old, &self.common, leave).await {
            Ok((new, was_emptied)) => {
                slot.current.store(Arc::new(new));
                if !was_emptied {
                    return Err(ChangeError::Busy);
                }
                info!(shard = shard.0, "what was held of the shard is gone, but for the vote");
                Ok(())
            }
            Err(error) => {
                // There is no group any more.
                old.core.fail();
                error!(shard = shard.0, %error, "the shard can't be emptied; this node can't go on");
                Err(ChangeError::Failed(error.to_string()))
            }
        }
    }
}

fn last_change(group: &Group) -> u64 {
    group.core.look(|metrics| metrics.membership_config.log_id().map_or(0, |id| id.index))
}

fn has_anything(group: &Group) -> bool {
    !group.core.log.kept().is_empty() || group.core.log.purged().is_some() || group.core.snapshots.current_meta().is_some()
}

/// The group anew, and whether it was emptied.
async fn replace(old: &Group, common: &Arc<Common>, leave: Leave) -> Result<(Group, bool), ShardError> {
    let shard = old.shard();
    old.stop(Duration::from_millis(common.config.tuning.stop_timeout_ms)).await;
    // From here on nothing is acknowledged any more; what was, had the change before it.
    if last_change(old) != leave.last_change {
        if common.disk.is_none() {
            // What was in memory is gone with the group: this node may have said that it has it, and must not come back as if it had not.
            let reason = "it became a member again while it was being emptied".to_owned();
            return Err(ShardError::Raft { shard, reason });
        }
        return Group::start(shard, Life::First, common.clone()).await.map(|group| (group, false));
    }
    let failed = |error: std::io::Error| ShardError::Raft { shard, reason: error.to_string() };
    let (left, far) = (old.core.left.clone(), Far { index: leave.owner_index, held: old.core.log.last() });
    // Before anything is gone.
    blocking(move || left.note(far)).await.map_err(failed)?;
    if let Some(disk) = &common.disk {
        empty_log(&disk.committer, &old.core.log).await.map_err(failed)?;
    }
    let snapshots = old.core.snapshots.clone();
    blocking(move || snapshots.remove()).await.map_err(failed)?;
    Group::start(shard, Life::Emptied(Emptied { vote: old.core.log.vote(), far }), common.clone()).await.map(|group| (group, true))
}

/// Newest first, so that a crash in between leaves a log that is merely shorter.
async fn empty_log(committer: &Committer, log: &Arc<LogShared>) -> std::io::Result<()> {
    let shard = log.shard();
    let (done, is_done) = oneshot::channel();
    committer.send(Request::ForgetCommitted { shard, done }).await?;
    is_done.await.map_err(|_| ShardError::Stopped)??;
    let mut left = log.kept();
    while !left.is_empty() {
        let first = left.end.saturating_sub(DELETIONS_AT_A_TIME).max(left.start);
        committer.send(Request::Truncate { log: log.clone(), removed: first..left.end, last: None }).await?;
        left.end = first;
    }
    let (done, is_done) = oneshot::channel();
    committer.send(Request::ForgetPurged { shard, done }).await?;
    is_done.await.map_err(|_| ShardError::Stopped)?
}

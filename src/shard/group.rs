//! One shard's group on this node: a Raft group that replicates a ledger, with its queue and its proposer. Starts them, waits until it serves, tells how it is,
//! stops it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::warn;

use super::error::ShardError;
use super::hold::Hold;
use super::ledger_cell::LedgerCell;
use super::members;
use super::proposer::{Parts, Proposer, Reign};
use super::queue::Queue;
use super::raft_group::{Common, Emptied, RaftGroup};
use crate::clock;
use crate::ledger::ids::ShardId;
use crate::ledger::outcome::What;
use crate::ports::ShardStatus;

/// A running group.
pub struct Group {
    pub core: RaftGroup,
    pub ledger: Arc<LedgerCell>,
    pub queue: Arc<Queue>,
    serving: watch::Receiver<Option<Reign>>,
    holds: mpsc::Sender<Hold>,
    /// The last moment, in monotonic ms, at which a majority is known to have stood behind this node, and its term.
    backed: Mutex<(u64, u64)>,
    stopping: Mutex<Option<Stopping>>,
}

/// How the proposer is ended.
struct Stopping {
    stop: oneshot::Sender<()>,
    proposer_done: oneshot::Receiver<()>,
}

/// What a group knows when it starts.
#[derive(Clone, Copy)]
pub enum Life {
    /// What is on the disk.
    First,
    /// It was emptied while the node runs, but for its vote.
    Emptied(Emptied),
}

/// A shard that this node owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owned {
    pub shard: ShardId,
    /// In which it took over.
    pub term: u64,
    /// A majority stood behind it that long ago, at the least.
    pub quorum_age_ms: u64,
}

impl Group {
    /// Starts a group.
    pub async fn start(shard: ShardId, life: Life, common: Arc<Common>) -> Result<Group, ShardError> {
        let emptied = match life {
            Life::First => None,
            Life::Emptied(emptied) => Some(emptied),
        };
        let ledger = Arc::new(LedgerCell::new(common.outcomes_changed.clone()));
        let (core, leading) = RaftGroup::open(shard, (ledger.clone(), emptied), &common).await?;
        let queue = Arc::new(Queue::new(&common.config.tuning));
        let (serving_sender, serving) = watch::channel(None);
        let (holds, holds_receiver) = mpsc::channel(1);
        let proposer = Proposer::new(Parts {
            shard,
            raft: core.raft.clone(),
            ledger: ledger.clone(),
            queue: queue.clone(),
            effects: common.effects.clone(),
            settings: common.config.settings.clone(),
            tuning: common.config.tuning.clone(),
            leading,
            serving: serving_sender,
            ownership_changed: common.ownership_changed.clone(),
            holds: holds_receiver,
        });
        let (stop, stopped) = oneshot::channel();
        let (done, proposer_done) = oneshot::channel();
        core.run(tokio::spawn(async move {
            proposer.run(stopped).await;
            // Nobody waits where the node ends without a stop.
            done.send(()).ok();
        }));
        let stopping = Mutex::new(Some(Stopping { stop, proposer_done }));
        let group = Group { core, ledger, queue, serving, holds, backed: Mutex::new((0, 0)), stopping };
        let begun = match life {
            Life::First => group.core.begin(&common).await,
            // It was a member once: it waits to be one again.
            Life::Emptied(_) => Ok(()),
        };
        match begun {
            Ok(()) => Ok(group),
            Err(error) => {
                group.stop(Duration::from_millis(common.config.tuning.stop_timeout_ms)).await;
                Err(error)
            }
        }
    }

    pub fn shard(&self) -> ShardId {
        self.core.id
    }

    /// Waits until this node leads the group, and has applied all that came before.
    pub async fn wait_until_served(&self, timeout: Duration) -> Result<(), ShardError> {
        let shard = self.shard();
        let waited_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let mut serving = self.serving.clone();
        let is_served = async {
            while serving.borrow_and_update().is_none() && !self.core.is_failed() {
                // The keeper tells of a failure by another way, so look again from time to time.
                tokio::time::timeout(Duration::from_millis(100), serving.changed()).await.ok();
            }
        };
        tokio::time::timeout(timeout, is_served).await.map_err(|_| ShardError::NotReady { shard, waited_ms })?;
        match self.core.failure() {
            Some(reason) => Err(ShardError::Raft { shard, reason }),
            None => Ok(()),
        }
    }

    /// Whether this node leads, and has taken over.
    pub fn is_served(&self) -> bool {
        self.serving.borrow().is_some()
    }

    /// What this node owns of the shard, if it does.
    pub fn owned(&self) -> Option<Owned> {
        let reign = (*self.serving.borrow())?;
        if self.core.is_failed() {
            return None;
        }
        let (term, acked_ms_ago) = self.core.look(|metrics| (metrics.current_term, members::quorum_age_ms(metrics)));
        if term != reign.term {
            return None;
        }
        let now_ms = clock::monotonic_ms();
        let seen_ms = acked_ms_ago.map_or(0, |age_ms| now_ms.saturating_sub(age_ms));
        let mut backed = self.backed.lock().expect("no holder panics");
        let known_ms = if backed.0 == term { backed.1 } else { 0 };
        // A majority committed the takeover after it was proposed.
        *backed = (term, known_ms.max(seen_ms).max(reign.proposed_ms));
        Some(Owned { shard: self.shard(), term, quorum_age_ms: now_ms.saturating_sub(backed.1) })
    }

    /// Has the proposer hold back what comes, and waits until nothing is in flight. It goes on when what is returned is dropped.
    pub async fn hold(&self) -> Option<oneshot::Sender<()>> {
        let (hold, holder) = Hold::new();
        self.holds.send(hold).await.ok()?;
        holder.held().await
    }

    /// How the group is.
    pub fn status(&self) -> ShardStatus {
        let is_fatal = self.core.is_failed();
        let (counts, outcome_totals) = if self.core.machine.is_broken() {
            Default::default()
        } else {
            self.ledger.read(|ledger| (ledger.counts(), What::ALL.map(|what| ledger.outcomes().total(what)).to_vec()))
        };
        let owned = self.owned();
        let mut status = ShardStatus {
            shard: self.shard(),
            is_owner: owned.is_some() && !is_fatal,
            applied_index: self.core.machine.applied_index(),
            log_bytes: self.core.log.kept_bytes(),
            counts,
            outcome_totals,
            queued_count: self.queue.len() as u64,
            is_fatal,
            quorum_age_ms: owned.map(|owned| owned.quorum_age_ms),
            ..ShardStatus::default()
        };
        self.core.look(|metrics| members::fill(&mut status, metrics));
        status
    }

    /// Refuses what comes, answers what is in flight, and ends the group. Again does nothing.
    pub async fn stop(&self, timeout: Duration) {
        let Some(Stopping { stop, proposer_done }) = self.stopping.lock().expect("no holder panics").take() else { return };
        drop(stop);
        if tokio::time::timeout(timeout, proposer_done).await.is_err() {
            warn!(shard = self.shard().0, "commands were still in flight when the shard was stopped");
        }
        self.core.stop(timeout).await;
    }
}

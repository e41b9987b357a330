//! One shard's group on this node: starts its parts, waits until it serves, tells how it is, stops it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, SnapshotPolicy, WatchChangeHandle};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::warn;

use super::committer::Request;
use super::config::{ShardsConfig, Tuning};
use super::error::ShardError;
use super::keeper::Keeper;
use super::log::{GroupLog, LogDisk, LogShared};
use super::machine::{Machine, MachineShared};
use super::network::NoPeers;
use super::proposer::{Parts, Proposer};
use super::queue::Queue;
use super::snapshot_store::{Restored, SnapshotStore};
use super::types::{Node, Raft, TypeConfig};
use crate::ledger::ids::ShardId;
use crate::ledger::outcome::What;
use crate::ports::{CarryOut, ShardStatus};

/// What all groups of a node are started with.
pub struct Common {
    pub config: ShardsConfig,
    pub raft: Arc<Config>,
    pub node_id: u64,
    pub disk: Option<LogDisk>,
    pub effects: Arc<dyn CarryOut>,
    pub outcomes_changed: Arc<watch::Sender<u64>>,
    pub snapshot_turns: Arc<Semaphore>,
}

/// A running group.
pub struct Group {
    shard: ShardId,
    raft: Raft,
    pub(super) machine: Arc<MachineShared>,
    log: Arc<LogShared>,
    pub(super) queue: Arc<Queue>,
    serving: watch::Receiver<Option<u64>>,
    is_failed: Arc<AtomicBool>,
    running: Mutex<Option<Running>>,
}

/// What has to be ended.
struct Running {
    stop: oneshot::Sender<()>,
    proposer_done: oneshot::Receiver<()>,
    keeper: JoinHandle<()>,
    leader_watch: WatchChangeHandle<TypeConfig>,
}

/// openraft's settings; see the notes on each in the design.
pub fn raft_config(tuning: &Tuning) -> Result<Arc<Config>, ShardError> {
    let config = Config {
        cluster_name: "engage".to_owned(),
        heartbeat_interval: tuning.heartbeat_ms,
        heartbeat_min_interval: Some(tuning.heartbeat_ms / 2),
        election_timeout_min: tuning.election_min_ms,
        election_timeout_max: tuning.election_max_ms,
        enable_pre_vote: Some(true),
        quorum_loss_probe_interval: Some(3 * tuning.election_max_ms),
        enable_leader_restore: Some(false),
        max_payload_entries: 256,
        max_append_entries: Some(4096),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: tuning.keep_log_entries,
        purge_batch_size: 256,
        replication_lag_threshold: 256,
        install_snapshot_timeout: 30_000,
        api_channel_size: Some(4096),
        ..Config::default()
    };
    config.validate().map(Arc::new).map_err(|error| ShardError::Config(error.to_string()))
}

impl Group {
    /// Starts a group; it serves once [`Group::wait_until_served`] says so.
    pub async fn start(shard: ShardId, common: Arc<Common>) -> Result<Group, ShardError> {
        let opening = common.clone();
        let opened = tokio::task::spawn_blocking(move || Opened::open(shard, &opening)).await;
        let opened = opened.map_err(|error| ShardError::Raft { shard, reason: error.to_string() })??;
        if let Some(disk) = common.disk.as_ref().filter(|_| !opened.leftover.is_empty()) {
            let request = Request::Leftover { shard, indexes: opened.leftover.clone() };
            disk.committer.send(request).await.map_err(|_| ShardError::Stopped)?;
        }
        let group = Group::run(shard, &common, opened).await?;
        match group.elect_itself(&common).await {
            Ok(()) => Ok(group),
            Err(reason) => {
                group.stop(Duration::from_millis(common.config.tuning.stop_timeout_ms)).await;
                Err(ShardError::Raft { shard, reason })
            }
        }
    }

    async fn run(shard: ShardId, common: &Common, opened: Opened) -> Result<Group, ShardError> {
        let log = opened.log.shared();
        let (machine, shared) = Machine::new(shard, opened.snapshots, opened.restored, common.outcomes_changed.clone());
        let raft = Raft::build(common.node_id, common.raft.clone(), NoPeers, opened.log, machine).await;
        let raft = raft.map_err(|error| ShardError::Raft { shard, reason: error.to_string() })?;
        let queue = Arc::new(Queue::new(&common.config.tuning));
        let (serving_sender, serving) = watch::channel(None);
        // Watched before the group runs, so that no election is missed.
        let (leader_watch, leading) = watch_leadership(&raft);
        let proposer = Proposer::new(Parts {
            raft: raft.clone(),
            machine: shared.clone(),
            queue: queue.clone(),
            effects: common.effects.clone(),
            settings: common.config.settings.clone(),
            edge: common.config.edge,
            tuning: common.config.tuning.clone(),
            leading,
            serving: serving_sender,
        });
        raft.run();
        let (stop, stopped) = oneshot::channel();
        let (done, proposer_done) = oneshot::channel();
        let proposer = tokio::spawn(async move {
            proposer.run(stopped).await;
            // Nobody waits where the node ends without a stop.
            done.send(()).ok();
        });
        let is_failed = Arc::new(AtomicBool::new(false));
        let keeper = Keeper {
            raft: raft.clone(),
            machine: shared.clone(),
            log: log.clone(),
            turns: common.snapshot_turns.clone(),
            tuning: common.config.tuning.clone(),
            proposer,
            is_failed: is_failed.clone(),
        };
        let running = Running { stop, proposer_done, keeper: tokio::spawn(keeper.run()), leader_watch };
        Ok(Group { shard, raft, machine: shared, log, queue, serving, is_failed, running: Mutex::new(Some(running)) })
    }

    /// Makes a group of one of an empty store. Where this node is the only voter, there is nobody to wait for before an election.
    async fn elect_itself(&self, common: &Common) -> Result<(), String> {
        let id = common.node_id;
        if !self.raft.is_initialized().await.map_err(|error| error.to_string())? {
            let node = Node { name: common.config.node_name.clone(), address: String::new() };
            return self.raft.initialize(BTreeMap::from([(id, node)])).await.map_err(|error| error.to_string());
        }
        let is_alone = self.raft.with_raft_state(move |state| state.membership_state.effective().voter_ids().eq([id]));
        if is_alone.await.map_err(|error| error.to_string())? {
            self.raft.trigger().elect(false).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Waits until this node leads the group, and has applied all that came before.
    pub async fn wait_until_served(&self, timeout: Duration) -> Result<(), ShardError> {
        let mut serving = self.serving.clone();
        let (shard, waited_ms) = (self.shard, timeout.as_millis() as u64);
        let is_served = async {
            while serving.borrow_and_update().is_none() && !self.is_failed() {
                // The keeper tells of a failure by another way, so look again from time to time.
                tokio::time::timeout(Duration::from_millis(100), serving.changed()).await.ok();
            }
        };
        tokio::time::timeout(timeout, is_served).await.map_err(|_| ShardError::NotReady { shard, waited_ms })?;
        match self.failure() {
            Some(reason) => Err(ShardError::Raft { shard, reason }),
            None => Ok(()),
        }
    }

    /// The group has failed for good.
    pub fn is_failed(&self) -> bool {
        self.is_failed.load(Ordering::Acquire)
    }

    fn failure(&self) -> Option<String> {
        if !self.is_failed() {
            return None;
        }
        let state = self.raft.metrics().borrow_watched().running_state.clone();
        Some(state.err().map_or_else(|| "a part of it has panicked".to_owned(), |fatal| fatal.to_string()))
    }

    /// The way to openraft, for reads.
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    /// Whether this node leads, and has taken over.
    pub fn is_served(&self) -> bool {
        self.serving.borrow().is_some()
    }

    /// How the group is.
    pub fn status(&self) -> ShardStatus {
        let (leader, term, snapshot) = {
            let metrics = self.raft.metrics();
            let metrics = metrics.borrow_watched();
            (metrics.current_leader, metrics.current_term, metrics.snapshot)
        };
        let is_fatal = self.is_failed() || self.machine.is_broken();
        let (counts, outcome_totals) = if self.machine.is_broken() {
            Default::default()
        } else {
            self.machine.read(|ledger| (ledger.counts(), What::ALL.map(|what| ledger.outcomes().total(what)).to_vec()))
        };
        ShardStatus {
            shard: self.shard,
            is_owner: *self.serving.borrow() == Some(term) && !is_fatal,
            leader,
            term,
            applied_index: if is_fatal { 0 } else { self.machine.applied_index() },
            log_bytes: self.log.kept_bytes(),
            snapshot_index: snapshot.map_or(0, |snapshot| snapshot.index),
            counts,
            outcome_totals,
            queued_count: self.queue.len() as u64,
            is_fatal,
        }
    }

    /// Refuses what comes, answers what is in flight, and ends the group. Again does nothing.
    pub async fn stop(&self, timeout: Duration) {
        let Some(running) = self.running.lock().expect("no holder panics").take() else { return };
        let Running { stop, proposer_done, keeper, mut leader_watch } = running;
        keeper.abort();
        drop(stop);
        let shard = self.shard.0;
        if tokio::time::timeout(timeout, proposer_done).await.is_err() {
            warn!(shard, "commands were still in flight when the shard was stopped");
        }
        if !matches!(tokio::time::timeout(timeout, self.raft.shutdown()).await, Ok(Ok(()))) {
            warn!(shard, "the shard's group did not stop in time");
        }
        leader_watch.close().await;
    }
}

/// Tells in which term this node leads, if it does.
fn watch_leadership(raft: &Raft) -> (WatchChangeHandle<TypeConfig>, watch::Receiver<Option<u64>>) {
    let (sender, leading) = watch::channel(None);
    let sender = Arc::new(sender);
    let (won, lost) = (sender.clone(), sender);
    let handle = raft.on_leader_change(
        move |leader| {
            won.send_replace(Some(leader.term));
            std::future::ready(())
        },
        move |_leader| {
            lost.send_replace(None);
            std::future::ready(())
        },
    );
    (handle, leading)
}

/// What a group finds when it starts.
struct Opened {
    log: GroupLog,
    leftover: Range<u64>,
    snapshots: Arc<SnapshotStore>,
    restored: Option<Restored>,
}

impl Opened {
    /// Reads and checks the log and the snapshot. Blocks.
    fn open(shard: ShardId, common: &Common) -> Result<Opened, ShardError> {
        let (Some(disk), Some(data_dir)) = (&common.disk, &common.config.data_dir) else {
            let (log, snapshots) = (GroupLog::in_memory(shard), Arc::new(SnapshotStore::in_memory(shard)));
            return Ok(Opened { log, leftover: 0..0, snapshots, restored: None });
        };
        let folder = data_dir.join("snapshots").join(shard.0.to_string());
        let (snapshots, restored) = SnapshotStore::open(shard, &folder)?;
        let (log, leftover) = GroupLog::load(shard, disk.clone(), common.config.tuning.tail_bytes_max)?;
        let restored_to = restored.as_ref().and_then(|restored| restored.meta.last_log_id);
        match log.shared().purged() {
            Some(purged) if restored_to < Some(purged) => {
                Err(ShardError::SnapshotMissing { path: snapshots.path(), shard, purged: purged.index })
            }
            _ => Ok(Opened { log, leftover, snapshots: Arc::new(snapshots), restored }),
        }
    }
}

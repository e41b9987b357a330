//! One Raft group on this node, whatever it replicates: opens what it keeps, runs openraft on it, notices when it has failed, ends it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::counter;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::{Config, SnapshotPolicy, WatchChangeHandle};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tracing::warn;

use super::committer::Request;
use super::config::{ShardsConfig, Tuning};
use super::content::Content;
use super::error::ShardError;
use super::keeper::Keeper;
use super::left::{Far, Left};
use super::log::{GroupLog, LogDisk, LogShared};
use super::machine::{Machine, MachineShared};
use super::network::Network;
use super::recovery::{Recovery, is_behind};
use super::seat::Seat;
use super::seldom::Seldom;
use super::sending::Sending;
use super::snapshot_store::SnapshotStore;
use super::tempo;
use super::types::{Metrics, Node, Raft, SnapshotMeta, TypeConfig, Vote, group_name};
use crate::blocking;
use crate::ledger::ids::ShardId;
use crate::ports::CarryOut;
use crate::ports::peers::{NodeId, Peers};
use crate::telemetry::names;

/// What all groups of a node are started with.
pub struct Common {
    pub config: ShardsConfig,
    pub raft: Arc<Config>,
    pub me: NodeId,
    /// Groups that are empty are made groups of this one node.
    pub is_founding: bool,
    pub disk: Option<LogDisk>,
    pub peers: Arc<dyn Peers>,
    pub effects: Arc<dyn CarryOut>,
    pub outcomes_changed: Arc<watch::Sender<u64>>,
    pub ownership_changed: Arc<watch::Sender<u64>>,
    pub snapshot_turns: Arc<Semaphore>,
    pub refused: Arc<Seldom>,
}

/// A group that is opened.
pub struct RaftGroup {
    pub id: ShardId,
    pub me: NodeId,
    pub raft: Raft,
    pub machine: Arc<MachineShared>,
    pub log: Arc<LogShared>,
    pub snapshots: Arc<SnapshotStore>,
    pub left: Arc<Left>,
    pub tuning: Tuning,
    /// Held over a change of the membership and over a transfer: one at a time.
    pub changing: tokio::sync::Mutex<()>,
    sending: Sending,
    snapshot_turns: Arc<Semaphore>,
    is_failed: Arc<AtomicBool>,
    running: Mutex<Option<Running>>,
}

/// What has to be ended.
struct Running {
    keeper: Option<JoinHandle<()>>,
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
        // Of at most 64 KiB each and one command: so an append stays well below the largest frame of a link.
        max_payload_entries: 64,
        max_append_entries: Some(4096),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: tuning.keep_log_entries,
        purge_batch_size: 256,
        replication_lag_threshold: 256,
        // For the last step, in which the receiver reads all of it; the chunks have a timeout of their own.
        install_snapshot_timeout: tuning.install_timeout_ms,
        api_channel_size: Some(4096),
        ..Config::default()
    };
    // As often as openraft ticks.
    tempo::meet_every(Duration::from_millis(tuning.heartbeat_ms * 13 / 64));
    config.validate().map(Arc::new).map_err(|error| ShardError::Config(error.to_string()))
}

impl RaftGroup {
    /// Opens a group with an empty `content`; in memory, all that it may know already is what it voted. Nothing runs before [`RaftGroup::run`]. The receiver
    /// tells in which term this node leads, if it does.
    pub async fn open(
        id: ShardId,
        (content, emptied): (Arc<dyn Content>, Option<Emptied>),
        common: &Arc<Common>,
    ) -> Result<(RaftGroup, watch::Receiver<Option<u64>>), ShardError> {
        let failed = |reason: String| ShardError::Raft { shard: id, reason };
        let (opening, into) = (common.clone(), content.clone());
        let opened = blocking::run(move || Opened::open(id, (into.as_ref(), emptied), &opening)).await;
        let Opened { log, leftover, snapshots, restored, left } = opened.map_err(|error| failed(error.to_string()))??;
        if let Some(disk) = common.disk.as_ref().filter(|_| !leftover.is_empty()) {
            let request = Request::Leftover { shard: id, indexes: leftover };
            disk.committer.send(request).await.map_err(|_| ShardError::Stopped)?;
        }
        let log_shared = log.shared();
        let (machine, shared) = Machine::new(id, snapshots.clone(), restored, content);
        let sending = Sending::default();
        let network = Network { group: id, peers: common.peers.clone(), sending: sending.clone(), refused: common.refused.clone() };
        let raft = Raft::build(common.me.0, common.raft.clone(), network, log, machine).await;
        let raft = raft.map_err(|error| failed(error.to_string()))?;
        let left = Arc::new(left);
        // Until it has applied how it became a member again, it must not lead.
        raft.runtime_config().elect(left.far().is_none());
        // Watched before the group runs, so that no election is missed.
        let (leader_watch, leading) = watch_leadership(id, &raft);
        let group = RaftGroup {
            id,
            me: common.me,
            raft,
            machine: shared,
            log: log_shared,
            snapshots,
            left,
            tuning: common.config.tuning.clone(),
            changing: tokio::sync::Mutex::new(()),
            sending,
            snapshot_turns: common.snapshot_turns.clone(),
            is_failed: Arc::default(),
            running: Mutex::new(Some(Running { keeper: None, leader_watch })),
        };
        Ok((group, leading))
    }

    /// Starts it; it has failed when `part`, which works with it, ends.
    pub fn run(&self, part: JoinHandle<()>) {
        self.raft.run();
        let keeper = Keeper {
            raft: self.raft.clone(),
            machine: self.machine.clone(),
            log: self.log.clone(),
            turns: self.snapshot_turns.clone(),
            sending: self.sending.clone(),
            tuning: self.tuning.clone(),
            left: self.left.clone(),
            part,
            is_failed: self.is_failed.clone(),
        };
        if let Some(running) = &mut *self.running.lock().expect("no holder panics") {
            running.keeper = Some(tokio::spawn(keeper.run()));
        }
    }

    /// Makes a group of one of an empty store, if this node founds a cluster. And where this node is the only voter, there is nobody to wait for before an
    /// election.
    pub async fn begin(&self, common: &Common) -> Result<(), ShardError> {
        let failed = |reason: String| ShardError::Raft { shard: self.id, reason };
        let is_empty = !self.raft.is_initialized().await.map_err(|error| failed(error.to_string()))?;
        if is_empty && common.is_founding {
            let members = BTreeMap::from([(self.me.0, Node { name: common.config.node_name.clone() })]);
            return self.raft.initialize(members).await.map_err(|error| failed(error.to_string()));
        }
        if self.left.far().is_none() && self.is_alone().await? {
            self.raft.trigger().elect(false).await.map_err(|error| failed(error.to_string()))?;
        }
        Ok(())
    }

    /// Whether this node is the only voter.
    pub async fn is_alone(&self) -> Result<bool, ShardError> {
        let me = self.me.0;
        let is_alone = self.raft.with_raft_state(move |state| state.membership_state.effective().voter_ids().eq([me]));
        is_alone.await.map_err(|error| ShardError::Raft { shard: self.id, reason: error.to_string() })
    }

    /// Looks at openraft's metrics. `look` must be short: openraft waits for it.
    pub fn look<T>(&self, look: impl FnOnce(&Metrics) -> T) -> T {
        look(&self.raft.metrics().borrow_watched())
    }

    /// What takes messages from other nodes.
    pub fn seat(&self) -> Seat {
        Seat { raft: self.raft.clone(), snapshots: self.snapshots.clone(), left: self.left.clone() }
    }

    /// The group has failed for good.
    pub fn is_failed(&self) -> bool {
        self.is_failed.load(Ordering::Acquire) || self.machine.is_broken()
    }

    /// It can't go on, for a reason that openraft does not know.
    pub fn fail(&self) {
        self.is_failed.store(true, Ordering::Release);
    }

    /// Why it has failed, if it has.
    pub fn failure(&self) -> Option<String> {
        if !self.is_failed() {
            return None;
        }
        let state = self.look(|metrics| metrics.running_state.clone());
        Some(state.err().map_or_else(|| "a part of it has panicked".to_owned(), |fatal| fatal.to_string()))
    }

    /// Ends openraft and what looks after it. Again does nothing.
    pub async fn stop(&self, timeout: Duration) {
        let Some(Running { keeper, mut leader_watch }) = self.running.lock().expect("no holder panics").take() else { return };
        if let Some(keeper) = keeper {
            keeper.abort();
        }
        if !matches!(tokio::time::timeout(timeout, self.raft.shutdown()).await, Ok(Ok(()))) {
            warn!(shard = group_name(self.id), "the group did not stop in time");
        }
        leader_watch.close().await;
        // A build may go on beside the group.
        let snapshots = self.snapshots.clone();
        let closing = blocking::run(move || snapshots.close());
        if tokio::time::timeout(timeout, closing).await.is_err() {
            warn!(shard = group_name(self.id), "a snapshot was still being written when the group stopped");
        }
    }
}

/// Tells in which term this node leads, if it does.
fn watch_leadership(id: ShardId, raft: &Raft) -> (WatchChangeHandle<TypeConfig>, watch::Receiver<Option<u64>>) {
    let (sender, leading) = watch::channel(None);
    let sender = Arc::new(sender);
    let (won, lost) = (sender.clone(), sender);
    let elections = counter!(names::SHARD_ELECTIONS_TOTAL, "shard" => group_name(id));
    let handle = raft.on_leader_change(
        move |leader| {
            elections.increment(1);
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
    restored: Option<SnapshotMeta>,
    left: Left,
}

/// What a group that was emptied while the node runs still knows.
#[derive(Clone, Copy)]
pub struct Emptied {
    pub vote: Option<Vote>,
    /// How far the group was when the node left it.
    pub far: Far,
}

impl Opened {
    /// Reads and checks the log and the snapshot. Blocks.
    fn open(id: ShardId, (content, emptied): (&dyn Content, Option<Emptied>), common: &Common) -> Result<Opened, ShardError> {
        let (Some(disk), Some(data_dir)) = (&common.disk, &common.config.data_dir) else {
            let vote = emptied.and_then(|emptied| emptied.vote);
            let (log, snapshots) = (GroupLog::in_memory(id, vote), Arc::new(SnapshotStore::in_memory(id)));
            let left = Left::in_memory(emptied.map(|emptied| emptied.far));
            return Ok(Opened { log, leftover: 0..0, snapshots, restored: None, left });
        };
        let folder = data_dir.join("snapshots").join(group_name(id));
        let (snapshots, restored) = SnapshotStore::open(id, &folder, content)?;
        let (log, leftover) = GroupLog::load(id, disk.clone(), common.config.tuning.tail_bytes_max)?;
        let restored_to = restored.as_ref().and_then(|meta| meta.last_log_id);
        if is_behind(log.shared().vote(), restored_to) {
            return Err(Recovery { path: &data_dir.join("log") }.vote_is_behind(id));
        }
        let (purged, first_kept) = (log.shared().purged(), log.shared().kept().start);
        match first_kept.checked_sub(1) {
            // A log that was never purged may begin behind a snapshot too: that of a backup.
            Some(before) if restored_to < purged || restored_to.is_none_or(|restored| restored.index < before) => {
                Err(ShardError::SnapshotMissing { path: snapshots.path(), shard: id, purged: before })
            }
            _ => Ok(Opened { log, leftover, snapshots: Arc::new(snapshots), restored, left: Left::open(id, Some(data_dir))? }),
        }
    }
}

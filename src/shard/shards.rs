//! All shards of a node: opens what they share, starts and stops them, and brings each command to its shard.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tracing::{error, info};

use super::committer::{Committer, CommitterThread, Request};
use super::config::ShardsConfig;
use super::disk::Disk;
use super::error::ShardError;
use super::group::{Common, Group, raft_config};
use super::hash;
use super::identity::{FolderLock, Identity};
use super::log::LogDisk;
use crate::clock;
use crate::ledger::Command;
use crate::ledger::ids::{ShardId, UserId};
use crate::ports::{CarryOut, Done, Propose, ProposeError};

/// The shards of this node. Implements [`Propose`] and [`crate::ports::Read`].
pub struct Shards {
    pub(super) groups: Vec<Group>,
    pub(super) outcomes_changed: watch::Receiver<u64>,
    pub(super) read_timeout: Duration,
    stop_timeout: Duration,
    identity: Identity,
    pub(super) runtime: Handle,
    disk: Mutex<Option<OpenDisk>>,
}

/// What is open while the node runs on a disk.
struct OpenDisk {
    log: LogDisk,
    thread: CommitterThread,
    _lock: FolderLock,
}

impl Shards {
    /// Opens the data directory, starts all groups on `runtime`, and returns when every one of them has taken over.
    ///
    /// # Errors
    /// [`ShardError`], when what is on disk can't be used, or a group does not get ready. Nothing of it runs on then.
    pub async fn start(config: ShardsConfig, runtime: Handle, effects: Arc<dyn CarryOut>) -> Result<Arc<Shards>, ShardError> {
        let starting = runtime.clone();
        let started = runtime.spawn(async move { start(config, starting, effects).await }).await;
        started.map_err(|error| ShardError::Raft { shard: ShardId(0), reason: error.to_string() })?
    }

    /// The id of the cluster that this node belongs to.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        &self.identity.cluster_id
    }

    /// What tells this node from all others, past and future.
    #[must_use]
    pub fn node_uuid(&self) -> &str {
        &self.identity.node_uuid
    }

    /// This node's id in the groups.
    #[must_use]
    pub fn node_id(&self) -> u64 {
        self.identity.node_id
    }

    /// Whether every shard of this node has been taken over, and none has failed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.groups.iter().all(|group| group.is_served() && !group.is_failed())
    }

    /// Refuses what comes, answers what is in flight, ends all groups, syncs the log and lets go of the data directory. Takes a bounded time.
    pub async fn stop(self: Arc<Self>) {
        let runtime = self.runtime.clone();
        if let Err(error) = runtime.spawn(async move { self.stop_all().await }).await {
            error!(%error, "stopping the shards failed");
        }
    }

    async fn stop_all(&self) {
        join_all(self.groups.iter().map(|group| group.stop(self.stop_timeout))).await;
        let disk = self.disk.lock().expect("no holder panics").take();
        if let Some(disk) = disk {
            disk.close(self.stop_timeout).await;
        }
        info!("shards stopped");
    }

    pub(super) fn group_of(&self, user: &UserId) -> &Group {
        let shard = hash::shard_of(user, self.count());
        &self.groups[usize::from(shard.0)]
    }

    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.groups.len()).expect("shards are counted by a u16")
    }
}

impl Propose for Shards {
    fn propose(&self, command: Command, done: Done) {
        match command.user() {
            Some(user) => self.group_of(user).queue.push(command, done),
            // The shards' own commands are theirs to propose.
            None => done(Err(ProposeError::Unavailable)),
        }
    }
}

impl OpenDisk {
    async fn open(data_dir: &Path, shard_count: u16) -> Result<(OpenDisk, Identity), ShardError> {
        let (path, data_dir) = (data_dir.join("log"), data_dir.to_owned());
        let opened = tokio::task::spawn_blocking(move || {
            let lock = FolderLock::take(&data_dir)?;
            let identity = Identity::open(&data_dir, shard_count)?;
            let store = Arc::new(Disk::open(&data_dir.join("log"))?);
            let (committer, thread) = Committer::start(store.clone())?;
            Ok((OpenDisk { log: LogDisk { store, committer }, thread, _lock: lock }, identity))
        });
        // The database panics over some kinds of damage.
        opened.await.unwrap_or_else(|_| Err(ShardError::Log { path, reason: "the database gave up reading it".to_owned() }))
    }

    async fn close(self, timeout: Duration) {
        let OpenDisk { log, thread, _lock: lock } = self;
        log.committer.send(Request::Stop).await.ok();
        let closed = tokio::task::spawn_blocking(move || {
            thread.join();
            log.store.close();
            drop(lock);
        });
        if tokio::time::timeout(timeout, closed).await.is_err() {
            error!("the log did not stop in time");
        }
    }
}

async fn start(config: ShardsConfig, runtime: Handle, effects: Arc<dyn CarryOut>) -> Result<Arc<Shards>, ShardError> {
    let started_at = clock::monotonic();
    config.validate()?;
    let raft = raft_config(&config.tuning)?;
    let (disk, identity) = match &config.data_dir {
        Some(data_dir) => OpenDisk::open(data_dir, config.shard_count).await.map(|(disk, identity)| (Some(disk), identity))?,
        None => (None, Identity::draw(config.shard_count)),
    };
    let (outcomes_sender, outcomes_changed) = watch::channel(0);
    let millis = Duration::from_millis;
    let (start_timeout, stop_timeout) = (millis(config.tuning.start_timeout_ms), millis(config.tuning.stop_timeout_ms));
    let mut shards = Shards {
        groups: Vec::new(),
        outcomes_changed,
        read_timeout: millis(config.tuning.read_timeout_ms),
        stop_timeout,
        identity,
        runtime,
        disk: Mutex::new(None),
    };
    let common = Common {
        raft,
        node_id: shards.identity.node_id,
        disk: disk.as_ref().map(|disk| disk.log.clone()),
        effects,
        outcomes_changed: Arc::new(outcomes_sender),
        snapshot_turns: Arc::new(Semaphore::new(1)),
        config,
    };
    shards.disk = Mutex::new(disk);
    match start_groups(Arc::new(common), &mut shards.groups, start_timeout).await {
        Ok(()) => {
            let took_ms = clock::monotonic().saturating_duration_since(started_at).as_millis() as u64;
            info!(
                shards = shards.groups.len(),
                node_id = shards.identity.node_id,
                cluster_id = shards.identity.cluster_id,
                took_ms,
                "shards ready"
            );
            Ok(Arc::new(shards))
        }
        Err(error) => {
            shards.stop_all().await;
            Err(error)
        }
    }
}

async fn start_groups(common: Arc<Common>, groups: &mut Vec<Group>, timeout: Duration) -> Result<(), ShardError> {
    let starts = (0..common.config.shard_count).map(|shard| Group::start(ShardId(shard), common.clone()));
    let mut first_error = None;
    for started in join_all(starts).await {
        match started {
            Ok(group) => groups.push(group),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    if let Some(error) = first_error {
        return Err(error);
    }
    for ready in join_all(groups.iter().map(|group| group.wait_until_served(timeout))).await {
        ready?;
    }
    Ok(())
}

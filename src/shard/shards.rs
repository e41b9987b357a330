//! All groups of a node: opens what they share, starts and stops them, and brings each command to its shard. Every node runs a group for every shard; the groups'
//! members decide whose replicas count.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tracing::{error, info};

use super::config::ShardsConfig;
use super::error::ShardError;
use super::group::{Group, Life};
use super::groups::{Groups, Slot};
use super::hash;
use super::home::Home;
use super::identity::Identity;
use super::meta_group::MetaGroup;
use super::raft_group::{Common, raft_config};
use super::replicated::Replicated;
use super::service::RaftService;
use crate::blocking;
use crate::clock;
use crate::ledger::Command;
use crate::ledger::ids::{ShardId, UserId};
use crate::ports::peers::{NodeId, Peers, Serve};
use crate::ports::{CarryOut, Done, Propose, ProposeError};

/// What the shards are plugged into.
pub struct Seams {
    /// The way to the other nodes.
    pub peers: Arc<dyn Peers>,
    /// Carries out what the ledgers decide, where this node owns them.
    pub effects: Arc<dyn CarryOut>,
    /// What the meta group replicates.
    pub meta: Arc<dyn Replicated>,
}

/// The shards of this node. Implements [`Propose`] and [`crate::ports::Read`].
pub struct Shards {
    pub(super) groups: Arc<Groups>,
    pub(super) common: Arc<Common>,
    pub(super) outcomes_changed: watch::Receiver<u64>,
    pub(super) ownership_changed: watch::Receiver<u64>,
    pub(super) read_timeout: Duration,
    service: Arc<RaftService>,
    identity: Identity,
    pub(super) runtime: Handle,
    home: Home,
}

impl Shards {
    /// Starts all groups on `runtime`, and returns when they run. A node that founds its cluster makes them groups of itself alone; others wait until they are
    /// added to groups, or go on with what they know.
    ///
    /// # Errors
    /// [`ShardError`], when what is on disk can't be used. Nothing of it runs on then.
    pub async fn start(config: ShardsConfig, home: Home, seams: Seams, runtime: Handle) -> Result<Arc<Shards>, ShardError> {
        let starting = runtime.clone();
        let started = runtime.spawn(async move { start(config, home, seams, starting).await }).await;
        started.map_err(|error| ShardError::Raft { shard: ShardId(0), reason: error.to_string() })?
    }

    /// Who this node is in its cluster.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
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
    pub fn node_id(&self) -> NodeId {
        self.identity.node_id
    }

    /// What answers the other nodes' messages to [`crate::ports::peers::Service::Raft`].
    #[must_use]
    pub fn raft_service(&self) -> Arc<dyn Serve> {
        self.service.clone()
    }

    /// The meta group.
    #[must_use]
    pub fn meta(&self) -> &Arc<MetaGroup> {
        &self.groups.meta
    }

    /// Waits until this node leads all groups: to be used where it is their only member.
    ///
    /// # Errors
    /// [`ShardError::NotReady`], or why one has failed.
    pub async fn wait_until_led(&self, timeout: Duration) -> Result<(), ShardError> {
        self.groups.meta.wait_until_led(timeout).await?;
        let groups: Vec<_> = self.groups.iter().collect();
        for ready in join_all(groups.iter().map(|group| group.wait_until_served(timeout))).await {
            ready?;
        }
        Ok(())
    }

    /// Whether no group has failed for good. One that has must end the process.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.groups.meta.is_failed() && !self.groups.iter().any(|group| group.core.is_failed())
    }

    /// Refuses what comes, answers what is in flight, ends all groups, syncs the log and lets go of the data directory. Takes a bounded time.
    pub async fn stop(self: Arc<Self>) {
        let runtime = self.runtime.clone();
        if let Err(error) = runtime.spawn(async move { self.stop_all().await }).await {
            error!(%error, "stopping the shards failed");
        }
    }

    async fn stop_all(&self) {
        let timeout = stop_timeout(&self.common.config);
        let groups: Vec<_> = self.groups.iter().collect();
        join_all(groups.iter().map(|group| group.stop(timeout))).await;
        self.groups.meta.stop(timeout).await;
        self.home.close(timeout).await;
        info!("shards stopped");
    }

    pub(super) fn count(&self) -> u16 {
        u16::try_from(self.groups.shards.len()).expect("shards are counted by a u16")
    }
}

impl Propose for Shards {
    fn propose(&self, command: Command, done: Done) {
        let shard = command.user().map(|user: &UserId| hash::shard_of(user, self.count()));
        // The shards' own commands are theirs to propose.
        match shard.and_then(|shard| self.groups.peek(shard)) {
            Some(group) => group.queue.push(command, done),
            None => done(Err(ProposeError::Unavailable)),
        }
    }
}

fn stop_timeout(config: &ShardsConfig) -> Duration {
    Duration::from_millis(config.tuning.stop_timeout_ms)
}

async fn start(config: ShardsConfig, home: Home, seams: Seams, runtime: Handle) -> Result<Arc<Shards>, ShardError> {
    config.validate()?;
    let identity = home.identity().ok_or(ShardError::NoCluster)?;
    let timeout = stop_timeout(&config);
    match open(config, &home, seams, &identity).await {
        Ok(opened) => Ok(assemble(opened, home, identity, runtime)),
        Err(error) => {
            home.close(timeout).await;
            Err(error)
        }
    }
}

/// What runs, before it is put together.
struct OpenedGroups {
    common: Arc<Common>,
    groups: Groups,
    outcomes_changed: watch::Receiver<u64>,
    ownership_changed: watch::Receiver<u64>,
}

async fn open(config: ShardsConfig, home: &Home, seams: Seams, identity: &Identity) -> Result<OpenedGroups, ShardError> {
    let started_at = clock::monotonic();
    if identity.shards != config.shard_count {
        let path = config.data_dir.clone().unwrap_or_default();
        return Err(ShardError::ShardCount { path, stored: identity.shards, configured: config.shard_count });
    }
    let (outcomes_sender, outcomes_changed) = watch::channel(0);
    let (ownership_sender, ownership_changed) = watch::channel(0);
    let Seams { peers, effects, meta } = seams;
    let common = Arc::new(Common {
        raft: raft_config(&config.tuning)?,
        me: identity.node_id,
        is_founding: home.is_founding(),
        disk: home.open_log().await?,
        peers,
        effects,
        outcomes_changed: Arc::new(outcomes_sender),
        ownership_changed: Arc::new(ownership_sender),
        snapshot_turns: Arc::new(Semaphore::new(1)),
        refused: Arc::default(),
        config,
    });
    let groups = start_groups(meta, &common).await?;
    let took_ms = clock::monotonic().saturating_duration_since(started_at).as_millis() as u64;
    let (shards, node_id, cluster_id) = (groups.shards.len(), identity.node_id.0, &identity.cluster_id);
    info!(shards, node_id, cluster_id, took_ms, "shards run");
    Ok(OpenedGroups { common, groups, outcomes_changed, ownership_changed })
}

async fn start_groups(meta: Arc<dyn Replicated>, common: &Arc<Common>) -> Result<Groups, ShardError> {
    let timeout = stop_timeout(&common.config);
    let meta = MetaGroup::start(meta, common).await?;
    let starts = (0..common.config.shard_count).map(|shard| Group::start(ShardId(shard), Life::First, common.clone()));
    let (mut started, mut first_error) = (Vec::new(), None);
    for result in join_all(starts).await {
        match result {
            Ok(group) => started.push(group),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    match first_error {
        None => Ok(Groups { shards: started.into_iter().map(Slot::new).collect(), meta: Arc::new(meta) }),
        Some(error) => {
            join_all(started.iter().map(|group| group.stop(timeout))).await;
            meta.stop(timeout).await;
            Err(error)
        }
    }
}

fn assemble(opened: OpenedGroups, home: Home, identity: Identity, runtime: Handle) -> Arc<Shards> {
    let OpenedGroups { common, groups, outcomes_changed, ownership_changed } = opened;
    let groups = Arc::new(groups);
    let service = Arc::new(RaftService::new(groups.clone(), runtime.clone()));
    let read_timeout = Duration::from_millis(common.config.tuning.read_timeout_ms);
    let shards = Shards { groups, common, outcomes_changed, ownership_changed, read_timeout, service, identity, runtime, home };
    let shards = Arc::new(shards);
    if shards.common.is_founding {
        tokio::spawn(note_founded(Arc::downgrade(&shards)));
    }
    shards
}

/// Once all groups of a new cluster are on the disk, a log that is missing is a loss.
async fn note_founded(shards: std::sync::Weak<Shards>) {
    const LOOK: Duration = Duration::from_millis(100);
    while let Some(shards) = shards.upgrade() {
        if shards.wait_until_led(LOOK).await.is_ok() {
            let noted = blocking::run(move || shards.home.founded()).await;
            if let Ok(Err(error)) = noted {
                error!(%error, "that the cluster is founded can't be noted; the next start tries again");
            }
            return;
        }
        if !shards.is_sound() {
            return;
        }
        drop(shards);
        tokio::time::sleep(LOOK).await;
    }
}

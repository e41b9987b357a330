//! The meta group on this node: a Raft group like a shard's, on the same log, whose commands and state are plugged in as [`Replicated`]. Only its leader proposes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use openraft::ReadPolicy;
use openraft::errors::{ClientWriteError, RaftError};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use super::change_error::ChangeError;
use super::error::ShardError;
use super::machine::Applied;
use super::members::Members;
use super::raft_group::{Common, RaftGroup};
use super::replicated::{Opaque, Replicated};
use super::types::{Data, META_GROUP, Replies};
use crate::ports::peers::NodeId;
use crate::ports::{ProposeError, ReadError};

/// Commands under way at a time.
const PROPOSALS_MAX: usize = 256;

/// The group of the cluster itself.
pub struct MetaGroup {
    pub(super) core: RaftGroup,
    leading: watch::Receiver<Option<u64>>,
    applied: watch::Receiver<u64>,
    places: Semaphore,
    follower: Mutex<Option<AbortHandle>>,
}

impl MetaGroup {
    /// Starts it.
    pub(super) async fn start(replicated: Arc<dyn Replicated>, common: &Arc<Common>) -> Result<MetaGroup, ShardError> {
        let (core, elected) = RaftGroup::open(META_GROUP, (Arc::new(Opaque(replicated)), None), common).await?;
        let (leading_sender, leading) = watch::channel(None);
        let (applied_sender, applied) = watch::channel(core.machine.applied_index());
        let progress = core.machine.watch_applied();
        let follower = tokio::spawn(follow(elected, progress, leading_sender, applied_sender));
        let abort = follower.abort_handle();
        core.run(follower);
        let places = Semaphore::new(PROPOSALS_MAX);
        let meta = MetaGroup { core, leading, applied, places, follower: Mutex::new(Some(abort)) };
        match meta.core.begin(common).await {
            Ok(()) => Ok(meta),
            Err(error) => {
                meta.stop(Duration::from_millis(common.config.tuning.stop_timeout_ms)).await;
                Err(error)
            }
        }
    }

    /// Has a command applied by all nodes, and gives this one's reply. Only the leader takes commands.
    ///
    /// # Errors
    /// [`ProposeError`].
    pub async fn propose(&self, command: Bytes, timeout: Duration) -> Result<Bytes, ProposeError> {
        let _place = self.places.try_acquire().map_err(|_| ProposeError::Unavailable)?;
        let write = self.core.raft.client_write(Data::Opaque(command));
        match tokio::time::timeout(timeout, write).await {
            Ok(Ok(response)) => match response.data {
                Replies::Opaque(reply) => Ok(reply),
                Replies::None | Replies::Applied(_) => unreachable!("an opaque entry has an opaque reply"),
            },
            Ok(Err(RaftError::APIError(ClientWriteError::ForwardToLeader(_)))) => Err(ProposeError::Unavailable),
            Ok(Err(_)) | Err(_) => Err(ProposeError::Unknown),
        }
    }

    /// The leader, if it is known. It may have died since.
    #[must_use]
    pub fn leader(&self) -> Option<NodeId> {
        self.core.look(|metrics| metrics.current_leader).map(NodeId)
    }

    /// This node leads, and has applied all that came before.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.leading.borrow().is_some()
    }

    /// The term in which this node leads, once it has applied an entry of it.
    #[must_use]
    pub fn leading(&self) -> watch::Receiver<Option<u64>> {
        self.leading.clone()
    }

    /// The last entry that this node has applied.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.applied.clone()
    }

    /// Waits until this node has applied all that was committed before the call. Only the leader can know.
    ///
    /// # Errors
    /// [`ReadError`], where it does not lead, or no majority says so in time.
    pub async fn linearize(&self, timeout: Duration) -> Result<(), ReadError> {
        let linearized = self.core.raft.ensure_linearizable(ReadPolicy::ReadIndex);
        match tokio::time::timeout(timeout, linearized).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ReadError),
        }
    }

    /// Its members; none while this node knows of none.
    #[must_use]
    pub fn members(&self) -> Option<Members> {
        self.core.members()
    }

    /// See [`super::Shards::add_learner`].
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn add_learner(&self, node: NodeId, name: &str) -> Result<(), ChangeError> {
        self.core.add_learner(node, name).await
    }

    /// See [`super::Shards::set_voters`].
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn set_voters(&self, voters: &[NodeId]) -> Result<(), ChangeError> {
        self.core.set_voters(voters).await
    }

    /// See [`super::Shards::remove_learner`].
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn remove_learner(&self, node: NodeId) -> Result<(), ChangeError> {
        self.core.remove_learner(node).await
    }

    /// See [`super::Shards::transfer`]. A command under way may end as unknown.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn transfer(&self, to: NodeId) -> Result<(), ChangeError> {
        self.core.transfer(to, std::future::ready(None)).await
    }

    /// The group has failed for good; the process must end.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.core.is_failed()
    }

    pub(super) async fn wait_until_led(&self, timeout: Duration) -> Result<(), ShardError> {
        let waited_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let mut leading = self.leading();
        let led = tokio::time::timeout(timeout, leading.wait_for(Option::is_some)).await;
        match (led, self.core.failure()) {
            (_, Some(reason)) => Err(ShardError::Raft { shard: META_GROUP, reason }),
            (Ok(Ok(_)), None) => Ok(()),
            (Ok(Err(_)) | Err(_), None) => Err(ShardError::NotReady { shard: META_GROUP, waited_ms }),
        }
    }

    pub(super) async fn stop(&self, timeout: Duration) {
        let follower = self.follower.lock().expect("no holder panics").take();
        if let Some(follower) = follower {
            self.core.stop(timeout).await;
            follower.abort();
        }
    }
}

/// Tells what has been applied, and that this node leads only when an entry of its term is among it.
async fn follow(
    mut elected: watch::Receiver<Option<u64>>,
    mut progress: watch::Receiver<Applied>,
    leading: watch::Sender<Option<u64>>,
    applied: watch::Sender<u64>,
) {
    loop {
        let Applied { index, term } = *progress.borrow_and_update();
        let led = elected.borrow_and_update().filter(|elected| *elected == term);
        applied.send_if_modified(|known| std::mem::replace(known, index) != index);
        leading.send_if_modified(|known| std::mem::replace(known, led) != led);
        let changed = tokio::select! {
            changed = elected.changed() => changed,
            changed = progress.changed() => changed,
        };
        // The group is gone.
        if changed.is_err() {
            return;
        }
    }
}

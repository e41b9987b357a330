//! Plugs the shards, the links and the actors into what the cluster room asks for by traits. Nothing is decided here: words of one room become words of another.

use async_trait::async_trait;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

use crate::actors::connections::Connections;
use crate::actors::registry::Registry;
use crate::cluster::balancer_ops::{Group, GroupMembers, OpError, ShardOps, Step};
use crate::cluster::directory::Directory;
use crate::cluster::membership_wipe::Replicas;
use crate::cluster::meta_group::{Meta, MetaLog};
use crate::cluster::pulse::{Oneself, Owned};
use crate::ledger::ids::ShardId;
use crate::ports::ProposeError;
use crate::ports::network::{LinkUp, LinkWatch};
use crate::ports::peers::NodeId;
use crate::shard::{ChangeError, Leave, Members, MetaGroup, Replicated, RestoreError, Shards};

/// A command of the meta group is given up after that long; it may still be done.
const PROPOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The cluster's own state, as the meta group replicates it.
pub(super) struct ReplicatedMeta(pub Arc<Meta>);

impl Replicated for ReplicatedMeta {
    fn apply(&self, command: &[u8]) -> Bytes {
        self.0.apply(command)
    }

    fn save(&self) -> Bytes {
        self.0.save()
    }

    fn restore(&self, saved: &[u8]) -> Result<(), RestoreError> {
        self.0.restore(saved).map_err(|error| RestoreError(error.to_string()))
    }
}

/// The meta group, as the cluster room proposes to it.
pub(super) struct GroupLog(pub Arc<MetaGroup>, pub NodeId);

#[async_trait]
impl MetaLog for GroupLog {
    fn leader(&self) -> Option<NodeId> {
        let leader = self.0.leader()?;
        let is_ready = leader != self.1 || self.0.is_leader();
        is_ready.then_some(leader)
    }

    fn leading(&self) -> watch::Receiver<Option<u64>> {
        self.0.leading()
    }

    async fn propose(&self, command: Bytes) -> Result<Bytes, ProposeError> {
        self.0.propose(command, PROPOSE_TIMEOUT).await
    }
}

/// The replicas of this node, as the balancer has their leaders change members, and those that count for nobody go.
pub(super) struct LocalReplicas(pub Arc<Shards>);

#[async_trait]
impl ShardOps for LocalReplicas {
    async fn members(&self, group: Group) -> Result<GroupMembers, OpError> {
        let members = match group {
            Group::Meta => self.0.meta().members(),
            Group::Shard(shard) => self.0.members(shard),
        };
        members.filter(|members| members.is_leader).map(|members| told(&members)).ok_or(OpError::NotLeader)
    }

    async fn perform(&self, group: Group, step: Step) -> Result<(), OpError> {
        match group {
            Group::Meta => self.change_meta(step).await,
            Group::Shard(shard) => self.change_shard(shard, step).await,
        }
        .map_err(failed)
    }
}

impl LocalReplicas {
    async fn change_meta(&self, step: Step) -> Result<(), ChangeError> {
        let meta = self.0.meta();
        match step {
            Step::AddLearner { node, name } => meta.add_learner(node, &name).await,
            Step::SetVoters { voters } => meta.set_voters(&voters).await,
            Step::RemoveLearner { node } => meta.remove_learner(node).await,
            Step::Transfer { to } => meta.transfer(to).await,
        }
    }

    async fn change_shard(&self, shard: ShardId, step: Step) -> Result<(), ChangeError> {
        match step {
            Step::AddLearner { node, name } => self.0.add_learner(shard, node, &name).await,
            Step::SetVoters { voters } => self.0.set_voters(shard, &voters).await,
            Step::RemoveLearner { node } => self.0.remove_learner(shard, node).await,
            Step::Transfer { to } => self.0.transfer(shard, to).await,
        }
    }
}

#[async_trait]
impl Replicas for LocalReplicas {
    fn last_change(&self, shard: ShardId) -> Option<u64> {
        self.0.last_change(shard)
    }

    async fn wipe(&self, shard: ShardId, leave: Leave) -> Result<(), OpError> {
        self.0.wipe(shard, leave).await.map_err(failed)
    }
}

fn told(members: &Members) -> GroupMembers {
    GroupMembers {
        term: members.term,
        voters: members.voters.clone(),
        learners: members.learners.clone(),
        is_joint: members.is_joint,
        is_changing: !members.is_settled,
        lags: members.followers.iter().map(|follower| (follower.node, follower.lag)).collect(),
    }
}

fn failed(error: ChangeError) -> OpError {
    match error {
        ChangeError::NotLeader { .. } => OpError::NotLeader,
        ChangeError::Busy => OpError::Busy,
        other => OpError::Failed(other.to_string()),
    }
}

/// What this node tells the others of itself.
pub(super) struct Myself {
    pub(super) shards: Arc<Shards>,
    pub(super) connections: Arc<Connections>,
}

impl Oneself for Myself {
    fn owned(&self) -> BTreeMap<ShardId, Owned> {
        let owned = self.shards.ownership().into_iter();
        owned
            .filter_map(|owned| {
                let members = self.shards.members(owned.shard)?;
                let about = Owned {
                    term: owned.term,
                    quorum_age_ms: owned.quorum_age_ms,
                    applied_index: members.applied_index,
                    user_count: members.users,
                    members: told(&members),
                };
                Some((owned.shard, about))
            })
            .collect()
    }

    fn owned_changed(&self) -> watch::Receiver<u64> {
        self.shards.ownership_changed()
    }

    fn connection_count(&self) -> u64 {
        self.connections.count() as u64
    }
}

/// Tells who must know that a link went up or down.
pub(super) struct LinkNews {
    pub(super) directory: Arc<Directory>,
    pub(super) registry: Arc<Registry>,
}

impl LinkWatch for LinkNews {
    fn up(&self, link: LinkUp) {
        self.directory.link_up(link.node, link.link);
    }

    fn down(&self, node: NodeId, link: u64) {
        self.directory.link_down(node, link);
        // What it said of its connections may be lost: they are attached anew when it is back.
        self.registry.edge_lost(node);
    }
}

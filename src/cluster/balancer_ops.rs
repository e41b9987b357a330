//! What the balancer has the leader of a group do: the words of it, the way to a leader on another node, and the serving of it here. Decides nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::debug;

use super::format;
use crate::ledger::ids::ShardId;
use crate::ports::peers::{Answer, Lane, NodeId, PeerError, Peers, Serve, Service};

/// A step may have to wait for a majority of two memberships.
const STEP_TIMEOUT: Duration = Duration::from_secs(5);
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(1);
/// Steps in progress here; more are refused. The balancer has four under way at most.
const STEPS_MAX: usize = 32;

/// A Raft group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Group {
    Meta,
    Shard(ShardId),
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Group::Meta => f.write_str("meta"),
            Group::Shard(shard) => write!(f, "{shard}"),
        }
    }
}

/// Who is in a group, as its leader knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMembers {
    pub term: u64,
    /// While they are being changed, those of before and those of after.
    pub voters: Vec<NodeId>,
    pub learners: Vec<NodeId>,
    /// A change of voters is half done.
    pub is_joint: bool,
    /// The last change is not committed yet, and may be undone by another leader.
    pub is_changing: bool,
    /// Log entries that each other member lacks; who has not answered is left out.
    pub lags: BTreeMap<NodeId, u64>,
}

/// One change of a group. Each is safe to ask for again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The leader sends its log to one more node. It does not wait until that has caught up.
    AddLearner { node: NodeId, name: String },
    /// These vote, and no others, by one joint change.
    SetVoters { voters: Vec<NodeId> },
    /// The leader sends nothing to that node any more.
    RemoveLearner { node: NodeId },
    /// A voter takes the lead.
    Transfer { to: NodeId },
}

impl Step {
    /// Afterwards another node leads.
    #[must_use]
    pub fn moves_leader(&self) -> bool {
        matches!(self, Step::Transfer { .. })
    }
}

/// Why a step was not, or may not have been, done. The balancer looks again, and goes on from what it sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum OpError {
    #[error("the node does not lead the group")]
    NotLeader,
    #[error("too much is under way")]
    Busy,
    #[error("no answer came")]
    NoAnswer,
    #[error("{0}")]
    Failed(String),
}

/// What a leader can be asked, by a node that has groups.
#[async_trait]
pub trait ShardOps: Send + Sync {
    /// Who is in a group that this node leads.
    async fn members(&self, group: Group) -> Result<GroupMembers, OpError>;
    /// Does a step in a group that this node leads.
    async fn perform(&self, group: Group, step: Step) -> Result<(), OpError>;
}

/// A question to a leader.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Question {
    pub(super) group: Group,
    /// None: only the members are asked for.
    pub(super) step: Option<Step>,
}

/// Asks leaders, wherever they are.
#[derive(Clone)]
pub struct Leaders {
    pub me: NodeId,
    pub ops: Arc<dyn ShardOps>,
    pub peers: Arc<dyn Peers>,
}

impl Leaders {
    /// Who is in a group that a node leads.
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn members(&self, leader: NodeId, group: Group) -> Result<GroupMembers, OpError> {
        if leader == self.me {
            return self.ops.members(group).await;
        }
        self.ask(leader, Question { group, step: None }).await
    }

    /// Has a group's leader do a step.
    ///
    /// # Errors
    /// [`OpError`].
    pub async fn perform(&self, leader: NodeId, group: Group, step: Step) -> Result<(), OpError> {
        if leader == self.me {
            return tokio::time::timeout(STEP_TIMEOUT, self.ops.perform(group, step)).await.unwrap_or(Err(OpError::NoAnswer));
        }
        self.ask(leader, Question { group, step: Some(step) }).await.map(drop)
    }

    async fn ask(&self, leader: NodeId, question: Question) -> Result<GroupMembers, OpError> {
        let timeout = if question.step.is_some() { STEP_TIMEOUT } else { MEMBERS_TIMEOUT };
        let answer = self.peers.ask(leader, Lane::Raft, Service::Shard, format::encode(&question), timeout).await;
        let answer = answer.map_err(|error| match error {
            PeerError::NotSent => OpError::Busy,
            PeerError::NoAnswer => OpError::NoAnswer,
        })?;
        format::decode::<Result<GroupMembers, OpError>>(&answer).unwrap_or_else(|error| Err(OpError::Failed(error.to_string())))
    }
}

/// Answers [`Service::Shard`].
pub struct ServeSteps {
    ops: Arc<dyn ShardOps>,
    runtime: Handle,
    places: Arc<Semaphore>,
}

impl ServeSteps {
    /// Steps run on `runtime`.
    #[must_use]
    pub fn new(ops: Arc<dyn ShardOps>, runtime: Handle) -> ServeSteps {
        ServeSteps { ops, runtime, places: Arc::new(Semaphore::new(STEPS_MAX)) }
    }
}

impl Serve for ServeSteps {
    fn told(&self, from: NodeId, _body: Bytes) {
        debug!(node = from.0, "a message to the shards that wants no answer is dropped");
    }

    fn asked(&self, from: NodeId, body: Bytes, answer: Answer) {
        let Ok(Question { group, step }) = format::decode(&body) else {
            debug!(node = from.0, "a question to the shards is not understood");
            return;
        };
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return answer.send(format::encode(&Err::<GroupMembers, _>(OpError::Busy)));
        };
        let ops = self.ops.clone();
        self.runtime.spawn(async move {
            let answering = answer_to(ops.as_ref(), group, step);
            let members = tokio::time::timeout(STEP_TIMEOUT, answering).await.unwrap_or(Err(OpError::NoAnswer));
            answer.send(format::encode(&members));
            drop(place);
        });
    }
}

async fn answer_to(ops: &dyn ShardOps, group: Group, step: Option<Step>) -> Result<GroupMembers, OpError> {
    match step {
        None => ops.members(group).await,
        Some(step) => ops.perform(group, step).await.map(|()| GroupMembers::default()),
    }
}

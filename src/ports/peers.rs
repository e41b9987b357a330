//! The seam to the other nodes: who they are, and how one is told or asked something. `cluster` plugs in links; tests plug in queues.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A node of the cluster. Given out once, by the cluster, and never used again: a node that lost its disk gets another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The queues of a link, most urgent first. Each is bounded by itself; what one holds never delays an earlier one by more than a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    Raft,
    Session,
    Snapshot,
}

/// Whom a message is for, on the other node. The numbers go over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// openraft's own messages, snapshots among them.
    Raft = 1,
    /// What the balancer has the leader of a shard do.
    Shard = 2,
    /// Between an edge and an owner: [`super::session`].
    Session = 3,
    /// Calls and reads that the owner of a user must answer.
    Call = 4,
    /// How a node is, and what it owns.
    Pulse = 5,
    /// Commands for the meta group, for its leader.
    Meta = 6,
    /// The only one that answers a node which is not a member yet.
    Join = 7,
    /// What a node measures, for whoever shows it. A node of an earlier version does not answer.
    Figures = 8,
}

impl Service {
    pub const ALL: [Service; 8] =
        [Service::Raft, Service::Shard, Service::Session, Service::Call, Service::Pulse, Service::Meta, Service::Join, Service::Figures];
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It was not sent: there is no link to that node, or the lane is full. Safe to try again.
    #[error("the node can't be reached now")]
    NotSent,
    /// It was sent, and no answer came in time: it may have been done.
    #[error("the node gave no answer")]
    NoAnswer,
}

/// The way to the other nodes. Nothing here blocks or waits for room.
#[async_trait]
pub trait Peers: Send + Sync {
    /// Sends a message that wants no answer. Messages of one lane arrive in order, or the link has broken in between.
    ///
    /// # Errors
    /// [`PeerError::NotSent`].
    fn tell(&self, to: NodeId, lane: Lane, service: Service, body: Bytes) -> Result<(), PeerError>;

    /// Sends a question, and waits for its answer.
    ///
    /// # Errors
    /// [`PeerError`].
    async fn ask(&self, to: NodeId, lane: Lane, service: Service, body: Bytes, timeout: Duration) -> Result<Bytes, PeerError>;
}

/// Takes what other nodes send to one service. Called on the link's own task, in order: must neither block nor wait.
pub trait Serve: Send + Sync {
    /// A message that wants no answer.
    fn told(&self, from: NodeId, body: Bytes);
    /// A question. An answer that is dropped leaves the asker to its timeout.
    fn asked(&self, from: NodeId, body: Bytes, answer: Answer);
}

/// The way back to who asked.
pub struct Answer(Box<dyn FnOnce(Bytes) + Send>);

impl Answer {
    /// `send` puts the answer on its way, and must not block.
    pub fn new(send: impl FnOnce(Bytes) + Send + 'static) -> Answer {
        Answer(Box::new(send))
    }

    /// Answers.
    pub fn send(self, body: Bytes) {
        (self.0)(body);
    }
}

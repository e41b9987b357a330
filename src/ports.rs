//! The seams between the rooms, as traits: what actors and routes need of the shards, and what the shards need of the actors. `node.rs` plugs the real ones in;
//! tests plug in their own. Imports the ledger's types only.

pub mod backup;
pub mod calls;
pub mod figures;
pub mod joining;
pub mod members;
pub mod owners;
pub mod peers;
pub mod network;
pub mod replicas;
pub mod session;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::ledger::effect::Effect;
use crate::ledger::ids::{EngagementId, ShardId, UserId};
use crate::ledger::outcome::{CursorExpired, Outcome};
use crate::ledger::view::{Counts, DeliveryView, EngagementView, UserView};
use crate::ledger::{Applied, Command};
use peers::NodeId;

/// Called once with what became of a proposed command, from a thread of the Raft runtime: it must only hand the result on (a send to an actor, a oneshot).
pub type Done = Box<dyn FnOnce(Result<Applied, ProposeError>) + Send>;

/// Why a command was not, or may not have been, applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// Not applied: the shard's queue is full, or it has no leader here. Safe to send again later.
    #[error("the shard takes no commands now; hint: try again in a second")]
    Unavailable,
    /// Not known: it may still be applied. Safe to send again: commands are idempotent by key.
    #[error("the shard lost its leader before it answered; hint: send it again")]
    Unknown,
}

/// The way into the ledger.
pub trait Propose: Send + Sync {
    /// Queues a command for the shard of its user, and returns at once. Commands of one caller for one user are applied in the order of the calls, and their
    /// results come in that order too. Where the queue is full, `done` is called with [`ProposeError::Unavailable`] before this returns.
    fn propose(&self, command: Command, done: Done);
}

/// Takes effects that no caller waits for (of `Advance` and `Takeover`), in the order in which they are to be carried out.
pub trait CarryOut: Send + Sync {
    /// Hands the effects to the actors of their users. Where no actor lives, nobody is connected, and the effects are void. Never blocks.
    fn carry_out(&self, effects: Vec<Effect>);
    /// This node owns the shard in this term, from now on; called before anything of the term is carried out or answered. Never blocks.
    fn owned(&self, shard: ShardId, term: u64);
    /// This node does not own the shard any more; called before it can own it again. What its users' actors hold is void. Never blocks.
    fn disowned(&self, shard: ShardId);
}

/// A linearizable read of the ledger failed: no leader, or no majority. Safe to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shard can't be read now; hint: try again in a second")]
pub struct ReadError;

/// Linearizable reads: what is answered holds everything that was confirmed before the call, and what was due by then has been done.
#[async_trait]
pub trait Read: Send + Sync {
    /// The shard of a user.
    fn shard_of(&self, user: &UserId) -> ShardId;
    /// How many shards there are; they are numbered from 0.
    fn shard_count(&self) -> u16;
    /// See [`crate::ledger::Ledger::user`].
    async fn user(&self, user: &UserId) -> Result<Option<UserView>, ReadError>;
    /// See [`crate::ledger::Ledger::deliveries`].
    async fn deliveries(&self, user: &UserId, after: u64, limit: usize) -> Result<Vec<DeliveryView>, ReadError>;
    /// One engagement of a user: its deliveries, and what happened to them as far as it is kept.
    async fn engagement(&self, user: &UserId, id: &EngagementId) -> Result<Option<EngagementView>, ReadError>;
    /// The outcomes of a shard after a sequence number; see [`crate::ledger::outcome::OutcomeLog::after`].
    async fn outcomes(&self, shard: ShardId, after: u64, limit: usize) -> Result<Result<Vec<(u64, Outcome)>, CursorExpired>, ReadError>;
    /// The sequence number before the oldest outcome that a shard keeps.
    async fn outcomes_before_oldest(&self, shard: ShardId) -> Result<u64, ReadError>;
    /// Changes whenever some shard has new outcomes.
    fn outcomes_changed(&self) -> watch::Receiver<u64>;
    /// How the shards of this node are.
    fn status(&self) -> Vec<ShardStatus>;
}

/// How one shard is, as this node's replica sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardStatus {
    pub shard: ShardId,
    /// This node leads it in Raft's sense; it owns it when it has also taken over.
    pub is_leader: bool,
    /// This node leads it, and has applied an entry of its own term.
    pub is_owner: bool,
    /// The leader's numeric node id, if known.
    pub leader: Option<u64>,
    pub term: u64,
    /// The members, as far as this node knows; it need not be one.
    pub voters: Vec<NodeId>,
    pub learners: Vec<NodeId>,
    /// How many entries the other members are behind; empty where this node does not lead.
    pub lag: Vec<(NodeId, u64)>,
    /// Where this node owns it: a majority stood behind it that long ago, at the least.
    pub quorum_age_ms: Option<u64>,
    pub applied_index: u64,
    /// Bytes of log entries on disk or in memory since the last purge, about.
    pub log_bytes: u64,
    pub snapshot_index: u64,
    pub counts: Counts,
    /// Outcomes there ever were, in the order of [`crate::ledger::outcome::What::ALL`].
    pub outcome_totals: Vec<u64>,
    /// Commands that wait to be proposed.
    pub queued_count: u64,
    /// The group has failed for good; the process must end.
    pub is_fatal: bool,
}

impl Default for ShardStatus {
    /// Of shard 0, of which nothing is known.
    fn default() -> Self {
        ShardStatus {
            shard: ShardId(0),
            is_leader: false,
            is_owner: false,
            leader: None,
            term: 0,
            voters: Vec::new(),
            learners: Vec::new(),
            lag: Vec::new(),
            quorum_age_ms: None,
            applied_index: 0,
            log_bytes: 0,
            snapshot_index: 0,
            counts: Counts::default(),
            outcome_totals: Vec::new(),
            queued_count: 0,
            is_fatal: false,
        }
    }
}

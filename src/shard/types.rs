//! The types that openraft is run with, and short names for those of its own. Nothing outside this room may name them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ledger::ids::ShardId;
use crate::ledger::time::LedgerTime;
use crate::ledger::{Applied, Command};

openraft::declare_raft_types!(
    /// Standard Raft: one leader in a term, so that a term fences what an old leader still has to say.
    pub TypeConfig:
        D = Data,
        R = Replies,
        NodeId = u64,
        Node = Node,
        AsyncRuntime = super::tempo::Tempo,
        LeaderId = openraft::impls::leader_id_std::LeaderId<Self::Term, Self::NodeId>,
);

pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
pub type Entry = openraft::alias::EntryOf<TypeConfig>;
pub type Membership = openraft::alias::StoredMembershipOf<TypeConfig>;
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;
pub type CommittedLeader = openraft::alias::CommittedLeaderIdOf<TypeConfig>;
pub type WriteResult = openraft::raft::ClientWriteResult<TypeConfig>;
pub type WriteReceiver = openraft::alias::OneshotReceiverOf<TypeConfig, WriteResult>;
pub type Raft = openraft::Raft<TypeConfig, super::machine::Machine>;
pub type Metrics = openraft::RaftMetrics<TypeConfig>;

/// The number of the meta group, which no shard has.
pub const META_GROUP: ShardId = ShardId(u16::MAX);

/// What a group is called in a sentence.
pub fn named(group: ShardId) -> String {
    if group == META_GROUP { "the meta group".to_owned() } else { format!("shard {group}") }
}

/// What a group is called in logs, metrics and folders.
pub fn group_name(group: ShardId) -> String {
    if group == META_GROUP { "meta".to_owned() } else { group.to_string() }
}

/// A member of a group, as its membership entries hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it was called when it became a member; for people. Links find it by its id.
    pub name: String,
}

/// What one log entry holds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    /// A shard's.
    Commands(Batch),
    /// The meta group's: one command that only what it is for can read.
    Opaque(Bytes),
}

impl Data {
    /// About the bytes of the entry.
    pub fn bytes(&self) -> u64 {
        match self {
            Data::Commands(batch) => batch.bytes(),
            Data::Opaque(command) => command.len() as u64,
        }
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Data::Commands(batch) => fmt::Display::fmt(batch, f),
            Data::Opaque(command) => write!(f, "a command of {} bytes", command.len()),
        }
    }
}

/// Commands that were waiting together. They are applied in this order, all at the same ledger time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub at: LedgerTime,
    /// Shared, so that the log's tail, the replication and the machine hold one copy.
    pub commands: Arc<Vec<Command>>,
}

impl Batch {
    /// About the bytes of the entry.
    pub fn bytes(&self) -> u64 {
        self.commands.iter().map(command_bytes).sum()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} commands at {}", self.commands.len(), self.at.0)
    }
}

/// About the bytes that a command takes in an entry; cheap, and the same on every node.
pub fn command_bytes(command: &Command) -> u64 {
    let user = command.user().map_or(0, |user| user.as_str().len());
    let rest = match command {
        Command::Publish { engagement, .. } => 64 + engagement.id.as_str().len() + engagement.payload.0.len(),
        Command::Attach { attach, .. } => 64 + attach.acks.iter().map(ack_bytes).sum::<usize>() + attach.open.len() * 32,
        Command::Ack { ack, .. } => 16 + ack_bytes(ack),
        Command::Takeover { edges, .. } => 64 + edges.len() * 8,
        Command::Detach { .. }
        | Command::Visible { .. }
        | Command::Dismiss { .. }
        | Command::Withdraw { .. }
        | Command::Forget { .. }
        | Command::Notice { .. }
        | Command::Advance
        | Command::RenewLeases => 32,
    };
    (8 + user + rest) as u64
}

fn ack_bytes(ack: &crate::ledger::command::Ack) -> usize {
    24 + ack.id.as_str().len() + ack.data.as_ref().map_or(0, |data| data.0.len())
}

/// What became of an entry. It stays on the node that applied it: other nodes compute their own.
#[derive(Default)]
pub enum Replies {
    /// The entry held no command.
    #[default]
    None,
    /// Of each command, in their order.
    Applied(Vec<Applied>),
    Opaque(Bytes),
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("replies")
    }
}

impl Serialize for Replies {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("replies stay on the node that applied the entry"))
    }
}

impl<'de> Deserialize<'de> for Replies {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom("replies stay on the node that applied the entry"))
    }
}

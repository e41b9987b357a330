//! The seam to what nodes measure: counters, times, links, memory, as of a moment, for whoever shows how a cluster does. Plain values, and names of nobody.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::peers::NodeId;
use crate::ledger::ids::ShardId;

/// What one node measures. What is counted is counted since its process began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeFigures {
    /// The node's own wall clock, ms since the epoch.
    pub at: u64,
    /// Ms since its process began to measure, by its monotonic clock: what rates are made with. It begins anew with the process.
    pub up_ms: u64,
    pub version: String,
    pub counts: Counts,
    pub times: Times,
    /// Open client connections, by kind.
    pub connections: BTreeMap<String, u64>,
    pub links: Vec<LinkFigures>,
    /// Those that it owns.
    pub shards: Vec<OwnedFigures>,
    /// Groups that have failed for good here.
    pub failed: Vec<ShardId>,
    pub memory_bytes: Option<u64>,
    pub open_files: Option<u64>,
    /// What is free, and all there is, where the data lies; none in memory mode.
    pub disk: Option<DiskFigures>,
    pub bounds: Bounds,
}

/// How often something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Publishes answered, by status.
    pub publishes: BTreeMap<String, u64>,
    /// Acks and dismisses answered, by result.
    pub acks: BTreeMap<String, u64>,
    pub offers: u64,
    /// Refused by a rate or a cap, by its name.
    pub limited: BTreeMap<String, u64>,
    /// Refused credentials, by kind.
    pub refused: BTreeMap<String, u64>,
    /// Refused peers, by reason.
    pub refused_peers: BTreeMap<String, u64>,
    /// Connections that ended, by code.
    pub closed: BTreeMap<String, u64>,
    /// Connections from which all was withdrawn, because no owner spoke for them in time.
    pub leases_run_out: u64,
    /// Offers of what was confirmed before: broken promises.
    pub redelivered: u64,
}

/// How long something took: for each bound of the buckets that `telemetry` sets, how often it took up to that long and longer than the bound before; last, how often longer
/// than all. Empty where nothing was timed yet.
pub type Histogram = Vec<u64>;

/// How long it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// From taking a publish to its commit.
    pub publish: Histogram,
    /// From taking an ack to its confirm.
    pub confirm: Histogram,
    /// From proposing an entry to its result, all shards together.
    pub commit: Histogram,
    /// One sync of the log.
    pub log_sync: Histogram,
}

/// The link to one other node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkFigures {
    /// The name of the other node.
    pub node: String,
    pub is_up: bool,
    /// Links that came up; all but the first are reconnects.
    pub opened: u64,
    /// From a ping to its pong.
    pub round_trip: Histogram,
    pub queued_bytes: u64,
    pub in_bytes: u64,
    pub out_bytes: u64,
    /// Messages that found their lane full.
    pub not_sent: u64,
}

/// A shard, as its owner measures it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedFigures {
    pub shard: ShardId,
    pub quorum_age_ms: u64,
    /// Commands that wait to be proposed.
    pub queued: u64,
    /// How many entries each other replica is behind.
    pub lags: Vec<(NodeId, u64)>,
    pub buffered_deliveries: u64,
    pub buffered_bytes: u64,
    pub ledger_bytes: u64,
    /// Outcomes there ever were: the sequence number of the newest.
    pub outcomes: u64,
}

/// Where the data lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskFigures {
    pub free_bytes: u64,
    pub all_bytes: u64,
}

/// The bounds that some of the figures are to be held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub replication: u16,
    pub connections: u64,
    pub open_files: Option<u64>,
    pub ledger_bytes_per_shard: u64,
    pub shard_queue_commands: u64,
}

/// One member, and what it measures.
#[derive(Clone, Debug, PartialEq)]
pub struct MemberFigures {
    pub name: String,
    pub id: NodeId,
    /// None of a node that gave no answer in time.
    pub figures: Option<NodeFigures>,
    /// By how much its wall clock is ahead of this node's, about: half of the way there and back is unknown.
    pub clock_ahead_ms: Option<i64>,
}

/// Tells what this node measures.
#[async_trait]
pub trait Measure: Send + Sync {
    /// As of now. Takes about a millisecond, and not on the thread that asks.
    async fn measure(&self) -> NodeFigures;
}

/// Tells what all nodes measure.
#[async_trait]
pub trait Figures: Send + Sync {
    /// The name of the node that is asked.
    fn me(&self) -> String;
    /// All members, in the order of their ids, this one included; each is given the same short time to answer.
    async fn of_all(&self) -> Vec<MemberFigures>;
}

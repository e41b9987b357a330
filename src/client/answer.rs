//! What the API answers to readers: deliveries, users, outcomes, the cluster. Unknown fields are ignored, so that an older client reads a newer node.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A delivery, as the delivery routes show it. What isn't known, or no longer, is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    pub id: String,
    pub window: String,
    /// Of a delivery of `scope: "device"`.
    #[serde(default)]
    pub device: Option<String>,
    pub scope: String,
    #[serde(default)]
    pub targets: Option<String>,
    pub state: String,
    #[serde(default)]
    pub reason: Option<String>,
    /// The highest confirmed step.
    pub step: u32,
    pub steps: u32,
    #[serde(default)]
    pub data: Option<Value>,
    /// How often it was offered.
    #[serde(default)]
    pub offers: Option<u32>,
    #[serde(default)]
    pub holders: Option<Vec<String>>,
    #[serde(default)]
    pub priority: Option<i8>,
    #[serde(default)]
    pub published_at: Option<u64>,
    #[serde(default)]
    pub expires_at: Option<u64>,
    /// It is not offered before then.
    #[serde(default)]
    pub waits_until: Option<u64>,
    #[serde(default)]
    pub settled_at: Option<u64>,
}

/// One page of a user's deliveries, newest last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deliveries {
    pub deliveries: Vec<Delivery>,
    /// Where the next page starts; none at the end.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// One engagement of a user, with what happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// The newest delivery.
    #[serde(flatten)]
    pub newest: Delivery,
    /// All of them, where there may be several.
    #[serde(default)]
    pub deliveries: Option<Vec<Delivery>>,
    /// Oldest first.
    pub timeline: Vec<Event>,
}

/// A line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub at: u64,
    /// As in the outcome feed.
    pub outcome: String,
    #[serde(default)]
    pub device: Option<String>,
    #[serde(default)]
    pub step: u32,
    #[serde(default)]
    pub reason: Option<String>,
}

/// How a withdrawn delivery ended, or had ended before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub state: String,
    #[serde(default)]
    pub reason: Option<String>,
    pub step: u32,
}

/// A user, as the ledger and the owner know them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    pub user: String,
    pub shard: u32,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub window: Option<super::Window>,
    pub devices: Vec<UserDevice>,
    pub buffered: Buffered,
}

/// A connected device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDevice {
    pub device: String,
    #[serde(default)]
    pub node: Option<String>,
    pub visible: bool,
    pub connected_at: u64,
}

/// How much waits in a user's replay buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffered {
    pub deliveries: u64,
    pub bytes: u64,
}

/// One line of the outcome feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub cursor: String,
    pub at: u64,
    pub outcome: String,
    pub user: String,
    #[serde(default)]
    pub device: Option<String>,
    pub id: String,
    #[serde(default)]
    pub window: Option<String>,
    #[serde(default)]
    pub step: Option<u32>,
    #[serde(default)]
    pub reason: Option<String>,
}

/// The nodes and shards of a cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    pub cluster_id: String,
    pub nodes: Vec<ClusterNode>,
    pub shards: Vec<Shard>,
}

/// One node, as the answering node sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterNode {
    pub name: String,
    pub id: Value,
    #[serde(default)]
    pub http: Option<String>,
    #[serde(default)]
    pub cluster: Option<String>,
    pub state: String,
    pub leaders: u64,
    pub replicas: u64,
    /// Devices connected to it, where the node says so.
    #[serde(default)]
    pub connections: Option<u64>,
}

/// One shard, as the answering node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    pub shard: u32,
    #[serde(default)]
    pub leader: Option<String>,
    pub term: u64,
    #[serde(default)]
    pub voters: Vec<String>,
    #[serde(default)]
    pub learners: Vec<String>,
    pub applied_index: u64,
    pub users: u64,
    /// Log entries that the slowest replica is behind, where the node says so.
    #[serde(default)]
    pub lag: Option<u64>,
}

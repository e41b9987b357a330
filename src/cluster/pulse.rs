//! What nodes tell each other about once a second, and at once when it changes: that they live, how they are, and what they own. The times in it make leases without any
//! agreement of clocks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tracing::debug;

use super::balancer_ops::GroupMembers;
use super::directory::Directory;
use super::format;
use crate::clock;
use crate::ledger::ids::{EdgeId, ShardId};
use crate::ports::members::NodeState;
use crate::ports::peers::{Answer, Lane, NodeId, Peers, Serve, Service};

/// Two pulses are at least that far apart, whatever changes.
const APART: Duration = Duration::from_millis(5);
/// After a link came up, they come that often for that long: what the first one echoes is old, or nothing, and a lease is counted from it.
const HURRIED: Duration = Duration::from_millis(25);
const HURRY: Duration = Duration::from_millis(250);
/// They come that often at least.
const LONGEST_INTERVAL_MS: u64 = 1_000;

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulse {
    /// The sender's own monotonic time when it made this.
    pub sent_at_ms: u64,
    /// The last such time that it had from the receiver before it looked at what it owns.
    pub echo: Option<Echo>,
    /// What is the same for all receivers.
    pub about: About,
}

/// A time of the receiver, as it comes back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// The run of the receiver whose clock it was.
    pub run: EdgeId,
    pub sent_at_ms: u64,
}

/// How a node is, and what it owns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    pub run: EdgeId,
    pub http: String,
    pub cluster: String,
    /// By its own word.
    pub state: NodeState,
    /// Client connections.
    pub connection_count: u64,
    pub owned: BTreeMap<ShardId, Owned>,
}

impl Default for About {
    fn default() -> Self {
        let (run, state) = (EdgeId(0), NodeState::NotReady);
        About { run, http: String::new(), cluster: String::new(), state, connection_count: 0, owned: BTreeMap::new() }
    }
}

/// What an owner says of a shard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owned {
    /// The term in which it took over.
    pub term: u64,
    /// How old the last answer of a majority is.
    pub quorum_age_ms: u64,
    pub members: GroupMembers,
    pub applied_index: u64,
    pub user_count: u64,
}

/// What a node knows of itself, gathered from its rooms.
pub trait Oneself: Send + Sync {
    /// The shards that this node owns, as they are now.
    fn owned(&self) -> BTreeMap<ShardId, Owned>;
    /// Changes when this node takes a shard over, or loses one.
    fn owned_changed(&self) -> watch::Receiver<u64>;
    /// How many client connections it holds.
    fn connection_count(&self) -> u64;
}

/// How often a pulse is sent when nothing changes.
#[must_use]
pub fn interval(lease_ms: u64) -> Duration {
    Duration::from_millis((lease_ms / 10).clamp(10, LONGEST_INTERVAL_MS))
}

/// Sends this node's pulse, and takes those of the others.
pub struct Pulses {
    directory: Arc<Directory>,
    oneself: Arc<dyn Oneself>,
    peers: Arc<dyn Peers>,
}

impl Pulses {
    /// Nothing is sent before [`Pulses::run`].
    #[must_use]
    pub fn new(directory: Arc<Directory>, oneself: Arc<dyn Oneself>, peers: Arc<dyn Peers>) -> Pulses {
        Pulses { directory, oneself, peers }
    }

    /// Sends pulses for as long as it is polled.
    pub async fn run(self: Arc<Self>) {
        let mut owned = self.oneself.owned_changed();
        let mut state = self.directory.meta().watch();
        let mut news = self.directory.news();
        let interval = interval(self.directory.lease_ms());
        let mut hurry_until = clock::monotonic() + HURRY;
        loop {
            owned.mark_unchanged();
            if news.has_changed().unwrap_or(false) {
                news.mark_unchanged();
                hurry_until = clock::monotonic() + HURRY;
            }
            state.mark_unchanged();
            self.send();
            tokio::time::sleep(APART).await;
            tokio::select! {
                Ok(()) = owned.changed() => {}
                Ok(()) = state.changed() => {}
                Ok(()) = news.changed() => {}
                () = tokio::time::sleep(if clock::monotonic() < hurry_until { HURRIED } else { interval }) => {}
            }
        }
    }

    /// Looks at what this node owns, and tells everybody.
    fn send(&self) {
        let directory = &self.directory;
        // First the times, then how old the majorities' answers are: see the lease.
        let now_ms = clock::monotonic_ms();
        let echoes = directory.echoes();
        let owned = self.oneself.owned();
        let about = directory.take_own(owned, self.oneself.connection_count(), now_ms);
        for (node, echo) in echoes {
            let pulse = Pulse { sent_at_ms: clock::monotonic_ms(), echo, about: about.clone() };
            // Who can't be told now is told as soon as there is a link again.
            let _ = self.peers.tell(node, Lane::Raft, Service::Pulse, format::encode(&pulse));
        }
    }
}

impl Serve for Pulses {
    fn told(&self, from: NodeId, body: Bytes) {
        match format::decode::<Pulse>(&body) {
            Ok(pulse) => self.directory.take(from, pulse, clock::monotonic_ms()),
            Err(error) => debug!(node = from.0, %error, "a pulse is not understood"),
        }
    }

    fn asked(&self, from: NodeId, _body: Bytes, _answer: Answer) {
        debug!(node = from.0, "a pulse wants no answer");
    }
}

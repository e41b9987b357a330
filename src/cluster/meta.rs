//! What the cluster knows of itself: its nodes, where replicas lie, and the settings that must agree. Replicated by the meta group on every node, so it reads no clock, draws
//! no random number and walks ordered maps only: the same commands give the same state everywhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::ids::{EdgeId, ShardId};
use crate::ports::peers::NodeId;

/// Most nodes of a cluster that are not removed.
pub const NODES_MAX: usize = 128;
/// Most removed nodes that are remembered by name. An id that was given out and is not known any more counts as removed.
pub(super) const TOMBSTONES_MAX: usize = 1_024;

/// The state of the meta group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// None before the cluster is founded.
    pub settings: Option<Settings>,
    /// GroupMembers, and those that were.
    pub nodes: BTreeMap<NodeId, Member>,
    /// The last id that was given out; ids are never used again.
    pub last_node: u64,
    /// Where the replicas of each shard are wanted.
    pub placement: BTreeMap<ShardId, Placed>,
    /// The wanted voters of the meta group itself; all other members follow it as learners.
    pub meta_voters: Vec<NodeId>,
    /// Counts the changes of nodes and settings, on which a placement is based.
    pub nodes_revision: u64,
    /// The nodes and settings that the placement was made for.
    pub placement_revision: u64,
}

/// A node, as the cluster knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Drawn with the data directory.
    pub uuid: String,
    pub name: String,
    /// Where publishers and clients reach it, as `host:port`; empty once removed.
    pub http: String,
    /// Where the other nodes reach it.
    pub cluster: String,
    /// Its last run that was announced.
    pub run: EdgeId,
    pub standing: Standing,
}

/// What a node is in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// It has an id, and has not been heard of since. It holds nothing.
    Joining,
    /// It holds replicas and leads.
    Ready,
    /// It holds replicas and leads nothing.
    Draining,
    /// Its replicas are being taken off it, for good.
    Leaving,
    /// It holds nothing, and is refused for ever.
    Removed,
}

/// Where the replicas of a shard are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    pub voters: Vec<NodeId>,
    /// None: no node may lead it.
    pub leader: Option<NodeId>,
}

/// What must be the same on all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `cluster.shards`: fixed when the cluster is founded.
    pub shards: u16,
    /// `cluster.replication`.
    pub replication: u16,
    /// `cluster.lease`: fixed when the cluster is founded, since edges and ledgers must agree on it at every moment.
    pub lease_ms: u64,
    /// What each leader puts in force, by the names of the configuration, as text.
    pub ledger: BTreeMap<String, String>,
}

/// A setting on which two nodes differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{key} is {theirs} here and {ours} in the cluster; hint: configure it alike on all nodes")]
pub struct Difference {
    pub key: String,
    /// The cluster's.
    pub ours: String,
    /// The other node's.
    pub theirs: String,
}

impl Settings {
    /// The first setting that can't be changed while the cluster lives, and differs.
    #[must_use]
    pub fn fixed_difference(&self, theirs: &Settings) -> Option<Difference> {
        let fixed = [
            ("cluster.shards", self.shards.to_string(), theirs.shards.to_string()),
            ("cluster.lease", format!("{}ms", self.lease_ms), format!("{}ms", theirs.lease_ms)),
        ];
        let differs = fixed.into_iter().find(|(_, ours, theirs)| ours != theirs);
        differs.map(|(key, ours, theirs)| Difference { key: key.to_owned(), ours, theirs })
    }

    /// The first setting that differs.
    #[must_use]
    pub fn difference(&self, theirs: &Settings) -> Option<Difference> {
        if let Some(difference) = self.fixed_difference(theirs) {
            return Some(difference);
        }
        if self.replication != theirs.replication {
            let (ours, theirs) = (self.replication.to_string(), theirs.replication.to_string());
            return Some(Difference { key: "cluster.replication".to_owned(), ours, theirs });
        }
        let keys = self.ledger.keys().chain(theirs.ledger.keys());
        let differs = keys.into_iter().find(|key| self.ledger.get(*key) != theirs.ledger.get(*key))?;
        let text = |settings: &Settings| settings.ledger.get(differs).cloned().unwrap_or_else(|| "not known".to_owned());
        Some(Difference { key: differs.clone(), ours: text(self), theirs: text(theirs) })
    }
}

impl State {
    /// All nodes that are not removed.
    pub fn members(&self) -> impl Iterator<Item = (NodeId, &Member)> {
        self.nodes.iter().filter(|(_, member)| member.standing != Standing::Removed).map(|(id, member)| (*id, member))
    }

    /// The member with that name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<(NodeId, &Member)> {
        // A node that is leaving may share its name with the one that took its place.
        self.members().filter(|(_, member)| member.name == name).min_by_key(|(_, member)| member.standing)
    }

    /// Whether a node was a member, and is none any more.
    #[must_use]
    pub fn is_removed(&self, node: NodeId) -> bool {
        match self.nodes.get(&node) {
            Some(member) => member.standing == Standing::Removed,
            None => node.0 <= self.last_node,
        }
    }

    /// What a node is; none for one that is not known.
    #[must_use]
    pub fn standing(&self, node: NodeId) -> Option<Standing> {
        self.nodes.get(&node).map(|member| member.standing)
    }

    /// Whether the placement or the meta group still wants something of a node.
    #[must_use]
    pub fn is_placed(&self, node: NodeId) -> bool {
        self.meta_voters.contains(&node) || self.placement.values().any(|placed| placed.voters.contains(&node))
    }
}

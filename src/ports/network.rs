//! The seam to what connects nodes, for who builds a node: whom it may reach, who answers for it, and who is told of links that come and go. `cluster` plugs in TCP;
//! the simulation plugs in a network that loses, delays and cuts.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use super::peers::{NodeId, Peers, Serve, Service};
use crate::ledger::ids::EdgeId;

/// A link that came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkUp {
    pub node: NodeId,
    /// Counts the links to that node, from 1.
    pub link: u64,
    /// The run of that node.
    pub run: EdgeId,
    pub name: String,
}

/// Told of links that come up and go down. For one node: up, then what arrives over the link, then down, and only then the next up. Called on the link's task: must neither block
/// nor wait.
pub trait LinkWatch: Send + Sync {
    fn up(&self, link: LinkUp);
    fn down(&self, node: NodeId, link: u64);
}

/// The links of a node to the others.
#[async_trait]
pub trait Network: Peers {
    /// Who serves a service; once for each, before anybody can be reached. What is said to a service that nobody serves is dropped, and a question has no answer.
    fn serve(&self, service: Service, with: Arc<dyn Serve>);

    /// Tells a watcher of every link from now on; before anybody can be reached, so that it misses none.
    fn on_change(&self, watcher: Arc<dyn LinkWatch>);

    /// A member, and where it is reached (`host:port`). It is let in from now on. Another address counts from the next link on; the same again changes nothing.
    fn know(&self, node: NodeId, address: String);

    /// Not a member any more, for good: its link is closed, and it learns why, now or when it comes back.
    fn forget(&self, node: NodeId);

    /// Becomes true when a member has proven itself and said that this node was removed.
    fn refused_as_removed(&self) -> watch::Receiver<bool>;

    /// Takes and makes no link any more, and waits until all are down.
    async fn stop(&self);
}

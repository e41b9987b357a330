//! Where an owner hands in what it has to say to a connection: at the connection itself, where this node is its edge; else at the link to its edge. Never blocks.

use bytes::Bytes;
use std::sync::Arc;

use super::letter::Letter;
use crate::ledger::effect::Action;
use crate::ports::peers::{Lane, NodeId, Peers, Service};
use crate::ports::session::{Item, ToEdge};

/// About as much goes over the link in one message; a single item is never cut.
const MESSAGE_BYTES: usize = 128 * 1024;
/// About what an item takes besides payloads and data.
const ITEM_BYTES: usize = 256;

/// See the head of the file.
pub trait Desk: Send + Sync {
    /// Hands words in.
    ///
    /// # Errors
    /// [`NotDelivered`]; the connection is lost for its owner.
    fn deliver(&self, words: ToEdge) -> Result<(), NotDelivered>;
}

/// Why words did not get to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDelivered {
    /// It was cut: its client doesn't read.
    Cut,
    /// The way to its edge is broken or full: the edge does not know that it misses something.
    NotSent,
}

/// The way to the connections of another node.
pub struct RemoteDesk {
    peers: Arc<dyn Peers>,
    node: NodeId,
}

impl RemoteDesk {
    /// To that node.
    #[must_use]
    pub fn new(peers: Arc<dyn Peers>, node: NodeId) -> RemoteDesk {
        RemoteDesk { peers, node }
    }

    fn tell(&self, words: ToEdge) -> Result<(), NotDelivered> {
        let body = Bytes::from(Letter::ToEdge(words).encode());
        self.peers.tell(self.node, Lane::Session, Service::Session, body).map_err(|_| NotDelivered::NotSent)
    }
}

impl Desk for RemoteDesk {
    fn deliver(&self, words: ToEdge) -> Result<(), NotDelivered> {
        let ToEdge { attempt, shard, term, items } = words;
        let mut part = Vec::with_capacity(items.len());
        let mut part_bytes = 0;
        for item in items {
            let bytes = size(&item);
            if part_bytes > 0 && part_bytes + bytes > MESSAGE_BYTES {
                self.tell(ToEdge { attempt, shard, term, items: std::mem::take(&mut part) })?;
                part_bytes = 0;
            }
            part_bytes += bytes;
            part.push(item);
        }
        self.tell(ToEdge { attempt, shard, term, items: part })
    }
}

/// About how long an item is on the link.
fn size(item: &Item) -> usize {
    let own = match item {
        Item::Welcome { acks, .. } | Item::Refused { acks, .. } => acks.len() * ITEM_BYTES,
        Item::Do(Action::Offer(offer)) => offer.payload.0.len() + offer.data.as_ref().map_or(0, |data| data.0.len()),
        Item::Do(Action::Progress { data, .. }) => data.as_ref().map_or(0, |data| data.0.len()),
        Item::Notice { payload, .. } => payload.0.len(),
        _ => 0,
    };
    ITEM_BYTES + own
}

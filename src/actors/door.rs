//! The way into a user's actor: its address, and a count of the messages that wait behind it. The count is what bounds the mailbox, exactly and over all senders
//! (actix's own bound grows with each clone of an address), and what tells whether the actor may leave.

use actix::Addr;
use actix::prelude::SendError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::user::User;
use super::work::ToUser;
use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;

/// A door to one actor; one for everybody who talks to it.
pub struct Door {
    /// The shard of the user.
    pub shard: ShardId,
    addr: Addr<User>,
    waiting_count: AtomicUsize,
    waiting_max: usize,
    /// A bit for each node (by its number modulo 64) that has had connections of this user.
    edges: AtomicU64,
}

/// A message that was not sent.
#[derive(Debug)]
pub enum NotSent {
    /// As many wait as may; here is the message.
    Full(ToUser),
    /// The actor is gone; here is the message.
    Gone(ToUser),
}

impl Door {
    /// `addr` must lead to a mailbox without a bound of its own.
    pub fn new(shard: ShardId, addr: Addr<User>, waiting_max: usize) -> Door {
        Door { shard, addr, waiting_count: AtomicUsize::new(0), waiting_max, edges: AtomicU64::new(0) }
    }

    /// Sends from outside: a call, an attach, a client's messages.
    ///
    /// # Errors
    /// [`NotSent`].
    pub fn try_send(&self, message: ToUser) -> Result<(), NotSent> {
        if self.waiting_count.fetch_add(1, Ordering::AcqRel) >= self.waiting_max {
            self.entered();
            return Err(NotSent::Full(message));
        }
        self.put(message)
    }

    /// Sends what must not be refused: results, effects, the end of a connection. Their number is bounded by the commands in flight, by what is in the ledger, and by
    /// the connections. To an actor that is gone, they mean nothing.
    pub fn send(&self, message: ToUser) {
        let _ = self.insist(message);
    }

    /// The same; gives the message back, when the actor is gone.
    ///
    /// # Errors
    /// [`NotSent::Gone`].
    pub fn insist(&self, message: ToUser) -> Result<(), NotSent> {
        self.waiting_count.fetch_add(1, Ordering::AcqRel);
        self.put(message)
    }

    /// Whether a node may have connections of this user.
    pub fn may_have_edge(&self, node: NodeId) -> bool {
        self.edges.load(Ordering::Acquire) & edge_bit(node) != 0
    }

    fn put(&self, message: ToUser) -> Result<(), NotSent> {
        if let ToUser::Attach(arrival) = &message {
            self.edges.fetch_or(edge_bit(arrival.node), Ordering::AcqRel);
        }
        self.addr.try_send(message).map_err(|error| {
            self.entered();
            match error {
                SendError::Full(message) => NotSent::Full(message),
                SendError::Closed(message) => NotSent::Gone(message),
            }
        })
    }

    /// The actor has taken a message.
    pub fn entered(&self) {
        self.waiting_count.fetch_sub(1, Ordering::AcqRel);
    }

    /// Whether nothing waits. Only under the registry's lock does that stay true.
    pub fn nobody_waits(&self) -> bool {
        self.waiting_count.load(Ordering::Acquire) == 0
    }
}

fn edge_bit(node: NodeId) -> u64 {
    1 << (node.0 % 64)
}

//! The way into a user's actor: its address, and a count of the messages that wait behind it. The count is what bounds the mailbox, exactly and over all senders
//! (actix's own bound grows with each clone of an address), and what tells whether the actor may leave.

use actix::Addr;
use actix::prelude::SendError;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::user::User;
use super::work::ToUser;
use crate::ledger::ids::ShardId;

/// A door to one actor; one for everybody who talks to it.
pub struct Door {
    /// The shard of the user.
    pub shard: ShardId,
    addr: Addr<User>,
    waiting_count: AtomicUsize,
    waiting_max: usize,
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
        Door { shard, addr, waiting_count: AtomicUsize::new(0), waiting_max }
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

    fn put(&self, message: ToUser) -> Result<(), NotSent> {
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

//! What an edge and an owner say to each other about one connection. The edge holds the socket, and knows what it wrote to it; the owner's user actor holds the truth. On
//! one node they call each other; between nodes, this goes over a link, a message a frame.
//!
//! Every attach of a connection has its own attempt number, counted by the edge: what an owner says to an earlier attempt means nothing.

use serde::{Deserialize, Serialize};

use crate::ledger::command::{Ack, Attach, Departure, Key, Visibility};
use crate::ledger::effect::Action;
use crate::ledger::engagement::Payload;
use crate::ledger::ids::{ConnectionId, DeviceId, EngagementId, ShardId, UserId};
use crate::ledger::reply::AckReply;
use crate::ledger::time::LedgerTime;
use crate::ledger::window::Window;

/// Which attach of a connection is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub connection: ConnectionId,
    pub number: u32,
}

/// What a device says after its hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Said {
    /// Wants an answer with this number, which the edge counts up over a connection.
    Ack {
        ack: Ack,
        number: u64,
    },
    /// The same.
    Dismiss {
        key: Key,
        number: u64,
    },
    Visible(Visibility),
    Seen(EngagementId),
}

/// From an edge to an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToOwner {
    /// A connection wants to be attached. What was said and is not answered yet comes along: behind a first hello, before a later attach, so that acks come first (G9).
    Attach { user: UserId, attempt: Attempt, attach: Attach, said: Vec<Said> },
    /// A connected device said these things, in this order.
    Said { user: UserId, attempt: Attempt, said: Vec<Said> },
    /// A connection ended. Names its device, because the owner may have let go of this connection before, and the ledger not.
    Gone { user: UserId, device: DeviceId, attempt: Attempt, departure: Departure },
    /// A device said these things without its connection; none of them wants an answer.
    Posted { user: UserId, device: DeviceId, said: Vec<Said> },
    /// A device brought a new token without its connection: its connection, if it has one, is good until then.
    Renew { user: UserId, device: DeviceId, expires_at_ms: u64 },
}

impl ToOwner {
    /// The user whom it concerns.
    #[must_use]
    pub fn user(&self) -> &UserId {
        match self {
            ToOwner::Attach { user, .. }
            | ToOwner::Said { user, .. }
            | ToOwner::Gone { user, .. }
            | ToOwner::Posted { user, .. }
            | ToOwner::Renew { user, .. } => user,
        }
    }
}

/// From an owner to an edge: all that one answer of the ledger, or one event, has to say to one connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToEdge {
    pub attempt: Attempt,
    pub shard: ShardId,
    /// The term in which the owner leads. What comes from an older one than is known is dropped.
    pub term: u64,
    /// In the order in which they are to be told.
    pub items: Vec<Item>,
}

/// One thing to tell a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Item {
    /// The first hello was taken. `acks` answers its acks, in their order.
    Welcome { window: Window, at: LedgerTime, acks: Vec<AckReply> },
    /// A later attach was taken: what is missing on the connection follows.
    Resumed,
    /// The attach was turned down; the connection ends.
    Refused { why: AttachRefused, acks: Vec<AckReply> },
    /// The owner is not, or is no more, in a state to serve this attempt: the edge attaches anew, in a while or to another owner.
    NotNow,
    /// The answer to an ack or a dismiss.
    Answer { number: u64, reply: AckReply },
    /// An ack or a dismiss that was not taken: too much waits for this user.
    NotTaken { number: u64 },
    /// The device acked or dismissed this without its connection, and was answered there: nothing is told, but the edge's books must have it.
    Noted { key: Key, step: u32, hold: Hold },
    /// An effect.
    Do(Action),
    /// A fire-and-forget engagement.
    Notice { id: EngagementId, payload: Payload, at: LedgerTime },
    /// The device brought a new token elsewhere.
    Renew { expires_at_ms: u64 },
}

/// Whether a device still holds what it acked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hold {
    Kept,
    /// It is settled, or put off.
    Over,
}

/// Why an attach was turned down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttachRefused {
    /// The user has as many devices as one may.
    TooManyDevices,
    /// The shard holds as much as it may.
    Full,
    /// A later connection of the device has taken its place.
    Replaced,
    /// Too much waits for this user.
    Overloaded,
}

//! What a user's actor is told, and what it does about it: messages in, commands out, and for each command who asked.

use actix::Message;
use std::sync::Arc;
use tokio::sync::oneshot;

use super::desk::Desk;
use super::door::Door;
use crate::ledger::command::{Attach, Departure, Visibility};
use crate::ledger::effect::Effect;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{ConnectionId, DeviceId, EngagementId};
use crate::ledger::{Applied, Command};
use crate::ports::ProposeError;
use crate::ports::calls::CallError;
use crate::ports::peers::NodeId;
use crate::ports::session::{Attempt, Said};

/// A message to a user's actor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum ToUser {
    /// An edge asks to attach a connection.
    Attach(Box<Arrival>),
    /// A connected device said these things, in one frame.
    Said { attempt: Attempt, said: Vec<Said> },
    /// A connection ended.
    Gone { device: DeviceId, attempt: Attempt, departure: Departure },
    /// A caller has a command for this user.
    Call(Box<Call>),
    /// The ledger answered.
    Decided(Box<Decided>),
    /// Effects that nobody here asked for.
    Effects(Vec<Effect>),
    /// A fire-and-forget engagement.
    Notice(Box<Notice>),
    /// A device said these things without its connection.
    Posted { device: DeviceId, said: Vec<Said> },
    /// A device renewed its token without its connection.
    Renew { device: DeviceId, expires_at_ms: u64 },
    /// This node does not own the shard any more.
    Disowned,
    /// The link to this node broke: its connections are on a lease.
    EdgeLost(NodeId),
}

/// A connection that is to be attached.
pub struct Arrival {
    /// The node that holds it.
    pub node: NodeId,
    pub desk: Arc<dyn Desk>,
    /// The term in which its shard was owned when it came.
    pub term: u64,
    /// Which attach of the connection it is.
    pub attempt: u32,
    pub attach: Attach,
    pub said: Vec<Said>,
}

impl std::fmt::Debug for Arrival {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arrival({} {})", self.attach.connection, self.attempt)
    }
}

/// A command of a caller who waits for the answer.
#[derive(Debug)]
pub struct Call {
    pub command: Command,
    pub answer: oneshot::Sender<Result<Applied, CallError>>,
}

/// A notice to send.
#[derive(Debug)]
pub struct Notice {
    pub id: EngagementId,
    pub payload: Payload,
    pub targets: Targets,
    /// To how many devices it was sent.
    pub answer: oneshot::Sender<u32>,
}

/// A command on its way to the ledger.
#[derive(Debug)]
pub struct Work {
    pub command: Command,
    pub asker: Asker,
}

/// The ledger's answer to a command.
#[derive(Debug)]
pub struct Decided {
    /// In which reign over the shard it was proposed, as the actor counts them.
    pub reign: u32,
    pub asker: Asker,
    pub result: Result<Applied, ProposeError>,
}

/// Who asked, and how to answer.
#[derive(Debug)]
pub enum Asker {
    Attach {
        attempt: Attempt,
        word: AttachWord,
    },
    /// A connected device that waits for the answer to what it numbered so.
    Device {
        attempt: Attempt,
        device: DeviceId,
        number: u64,
    },
    Call {
        device: Option<Poster>,
        answer: oneshot::Sender<Result<Applied, CallError>>,
    },
    /// A connection that ended: the ledger must be told, however long it takes.
    Gone {
        device: DeviceId,
        connection: ConnectionId,
        departure: Departure,
        tries: u32,
    },
    /// A device that shows or hides itself: the ledger must be told the last of it.
    Visible {
        connection: ConnectionId,
        visibility: Visibility,
        tries: u32,
    },
    Nobody,
}

/// What an edge is told when its attach was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachWord {
    Welcome,
    Resumed,
}

/// A device that acks or dismisses without its connection.
#[derive(Debug)]
pub struct Poster {
    pub device: DeviceId,
    pub is_dismiss: bool,
}

/// Brings one answer of the ledger back to the actor, whatever happens: dropped unanswered, the result is not known.
pub struct Errand {
    door: Arc<Door>,
    reign: u32,
    asker: Option<Asker>,
}

impl Errand {
    /// For a command that is proposed now.
    pub fn new(door: Arc<Door>, reign: u32, asker: Asker) -> Errand {
        Errand { door, reign, asker: Some(asker) }
    }

    /// Hands the result on. Called on any thread.
    pub fn done(mut self, result: Result<Applied, ProposeError>) {
        self.report(result);
    }

    fn report(&mut self, result: Result<Applied, ProposeError>) {
        if let Some(asker) = self.asker.take() {
            self.door.send(ToUser::Decided(Box::new(Decided { reign: self.reign, asker, result })));
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.report(Err(ProposeError::Unknown));
    }
}

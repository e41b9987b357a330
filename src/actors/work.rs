//! What a user's actor is told, and what it does about it: messages in, commands out, and for each command who asked.

use actix::Message;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

use super::admission::HelloAcks;
use super::live::Live;
use super::registry::CallError;
use crate::ledger::command::{Ack, Attach, Departure, Key, Visibility};
use crate::ledger::effect::Effect;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{ConnectionId, DeviceId, EngagementId};
use crate::ledger::{Applied, Command};
use crate::ports::ProposeError;
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;

use super::door::Door;

/// A message to a user's actor.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub enum ToUser {
    /// A device said hello.
    Connect(Box<Connect>),
    /// A connected device said these things, in one frame.
    Said { connection: ConnectionId, messages: Vec<Said> },
    /// A connection ended.
    Gone { connection: ConnectionId, departure: Departure },
    /// A caller has a command for this user.
    Call(Box<Call>),
    /// The ledger answered.
    Decided(Box<Decided>),
    /// Effects that nobody here asked for.
    Effects(Vec<Effect>),
    /// A fire-and-forget engagement.
    Notice(Box<Notice>),
    /// A device said these things without its connection.
    Posted { device: DeviceId, messages: Vec<Said> },
    /// A device renewed its token without its connection.
    Renew { device: DeviceId, expires_at_ms: u64 },
}

/// A hello that was admitted.
#[derive(Debug)]
pub struct Connect {
    pub live: Live,
    pub attach: Attach,
    pub acks: HelloAcks,
}

/// What a device says after its hello.
#[derive(Clone, Debug)]
pub enum Said {
    Ack { ack: Ack, reference: Option<i64> },
    Dismiss { key: Key, reference: Option<i64> },
    Visible(Visibility),
    Seen(EngagementId),
}

impl Said {
    /// What to answer where it can't be taken now; none where no answer is due.
    #[must_use]
    pub fn refuse(&self) -> Option<Refusal> {
        let (id, window, reference) = match self {
            Said::Ack { ack, reference } => (&ack.id, ack.window, *reference),
            Said::Dismiss { key, reference } => (&key.id, key.window, *reference),
            Said::Visible(_) | Said::Seen(_) => return None,
        };
        let refusal = Refusal::new(Code::RateLimited, "too much waits for this user; hint: send it again in a second");
        Some(refusal.with_reference(reference).with_key(id, window))
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
    pub asker: Asker,
    pub result: Result<Applied, ProposeError>,
}

/// Who asked, and how to answer.
#[derive(Debug)]
pub enum Asker {
    Hello {
        connection: ConnectionId,
        acks: HelloAcks,
    },
    Ack(Box<AckAsker>),
    Call {
        device: Option<DeviceId>,
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

/// A device that waits for a confirm.
#[derive(Debug)]
pub struct AckAsker {
    pub connection: ConnectionId,
    pub device: DeviceId,
    pub key: Key,
    pub reference: Option<i64>,
    pub taken_at: Instant,
}

/// Brings one answer of the ledger back to the actor, whatever happens: dropped unanswered, the result is not known.
pub struct Errand {
    door: Arc<Door>,
    asker: Option<Asker>,
}

impl Errand {
    /// For a command that is proposed now.
    pub fn new(door: Arc<Door>, asker: Asker) -> Errand {
        Errand { door, asker: Some(asker) }
    }

    /// Hands the result on. Called on any thread.
    pub fn done(mut self, result: Result<Applied, ProposeError>) {
        self.report(result);
    }

    fn report(&mut self, result: Result<Applied, ProposeError>) {
        if let Some(asker) = self.asker.take() {
            self.door.send(ToUser::Decided(Box::new(Decided { asker, result })));
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.report(Err(ProposeError::Unknown));
    }
}

//! What the server says to a client, written as the contract shows it (§8). Payloads and data are JSON text already: they go in unchanged. Nothing is read here.

use super::code::Code;
use super::object::Object;
use super::refusal::Refusal;
use crate::ledger::effect::{Offer, WithdrawReason};
use crate::ledger::engagement::{Payload, Scope, SettleOn};
use crate::ledger::ids::{ConnectionId, DeviceId, EngagementId, UserId, WindowId};
use crate::ledger::reply::{AckReply, Confirm, State};
use crate::ledger::time::LedgerTime;
use crate::ledger::window::Window;

/// A message to a client.
#[derive(Clone, Copy, Debug)]
pub enum ServerMessage<'a> {
    Welcome(Welcome<'a>),
    Offer(&'a Offer),
    CaughtUp,
    Confirm { confirm: &'a Confirm, reference: Option<i64> },
    Progress { id: &'a EngagementId, window: WindowId, step: u32, data: Option<&'a Payload> },
    Withdraw { id: &'a EngagementId, window: WindowId, reason: WithdrawReason, at: LedgerTime },
    Notice { id: &'a EngagementId, payload: &'a Payload, at: LedgerTime },
    Window(Window),
    Error(&'a Refusal),
    Pong { reference: Option<i64>, server_time: LedgerTime },
    Bye(Bye),
}

/// The answer to a hello.
#[derive(Clone, Copy, Debug)]
pub struct Welcome<'a> {
    pub user: &'a UserId,
    pub device: &'a DeviceId,
    pub connection: ConnectionId,
    /// The name of the node that holds the connection.
    pub node: &'a str,
    pub window: Window,
    pub server_time: LedgerTime,
    pub heartbeat_ms: u64,
    pub max_in_flight: u16,
    /// One for each ack of the hello, in its order.
    pub acks: &'a [(Answer, Option<i64>)],
}

/// What became of an ack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Confirm(Confirm),
    Error(Refusal),
}

impl Answer {
    /// As a message of its own.
    #[must_use]
    pub fn message(&self, reference: Option<i64>) -> ServerMessage<'_> {
        match self {
            Answer::Confirm(confirm) => ServerMessage::Confirm { confirm, reference },
            Answer::Error(refusal) => ServerMessage::Error(refusal),
        }
    }
}

impl Answer {
    /// An error carries the client's number itself.
    pub fn refer_to(&mut self, reference: Option<i64>) {
        if let Answer::Error(refusal) = self {
            refusal.reference = reference;
        }
    }
}

impl From<AckReply> for Answer {
    fn from(reply: AckReply) -> Answer {
        match reply {
            AckReply::Confirm(confirm) => Answer::Confirm(confirm),
            AckReply::Unknown { id, window } => {
                Answer::Error(Refusal::new(Code::UnknownDelivery, "there is no such delivery").with_key(id, window))
            }
            AckReply::OutOfRange { id, window, steps } => {
                Answer::Error(Refusal::new(Code::StepOutOfRange, format!("steps go from 0 to {steps}")).with_key(id, window))
            }
        }
    }
}

/// The last word before the server ends a connection that did nothing wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bye {
    pub code: Code,
    /// For people.
    pub reason: &'static str,
    /// How long a client waits at least before it connects again.
    pub after_ms: u64,
}

impl ServerMessage<'_> {
    /// The word of its `type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            ServerMessage::Welcome(_) => "welcome",
            ServerMessage::Offer(_) => "offer",
            ServerMessage::CaughtUp => "caught_up",
            ServerMessage::Confirm { .. } => "confirm",
            ServerMessage::Progress { .. } => "progress",
            ServerMessage::Withdraw { .. } => "withdraw",
            ServerMessage::Notice { .. } => "notice",
            ServerMessage::Window(_) => "window",
            ServerMessage::Error(_) => "error",
            ServerMessage::Pong { .. } => "pong",
            ServerMessage::Bye(_) => "bye",
        }
    }

    /// About the length of its text, or somewhat more.
    #[must_use]
    pub fn room_bytes(&self) -> usize {
        const WORDS_BYTES: usize = 320;
        let json = |json: Option<&Payload>| json.map_or(0, |json| json.0.len());
        let carried = match self {
            ServerMessage::Offer(offer) => json(Some(&offer.payload)) + json(offer.data.as_ref()),
            ServerMessage::Notice { payload, .. } => json(Some(payload)),
            ServerMessage::Progress { data, .. } => json(*data),
            ServerMessage::CaughtUp => return r#"{"type":"caught_up"}"#.len(),
            _ => 0,
        };
        carried + WORDS_BYTES
    }

    /// Writes it as a JSON object.
    pub fn write(&self, out: &mut String) {
        let mut object = Object::open(out, self.kind());
        match self {
            ServerMessage::Welcome(welcome) => write_welcome(&mut object, welcome),
            ServerMessage::Offer(offer) => write_offer(&mut object, offer),
            ServerMessage::CaughtUp => {}
            ServerMessage::Confirm { confirm, reference } => write_confirm(&mut object, confirm, *reference),
            ServerMessage::Progress { id, window, step, data } => {
                object.key(id, *window);
                object.number("step", step);
                object.json("data", *data);
            }
            ServerMessage::Withdraw { id, window, reason, at } => {
                object.key(id, *window);
                object.word("reason", withdraw_reason(*reason));
                object.number("at", at.0);
            }
            ServerMessage::Notice { id, payload, at } => {
                object.text("id", id.as_str());
                object.json("payload", Some(payload));
                object.number("at", at.0);
            }
            ServerMessage::Window(window) => object.window("window", window),
            ServerMessage::Error(refusal) => write_error(&mut object, refusal),
            ServerMessage::Pong { reference, server_time } => {
                object.reference(*reference);
                object.number("server_time", server_time.0);
            }
            ServerMessage::Bye(bye) => write_bye(&mut object, bye),
        }
        object.close();
    }
}

fn write_welcome(object: &mut Object<'_>, welcome: &Welcome<'_>) {
    object.text("user", welcome.user.as_str());
    object.text("device", welcome.device.as_str());
    object.display("connection", welcome.connection);
    object.text("node", welcome.node);
    object.window("window", &welcome.window);
    object.number("server_time", welcome.server_time.0);
    object.number("heartbeat_ms", welcome.heartbeat_ms);
    object.number("max_in_flight", welcome.max_in_flight);
    object.list("acks", welcome.acks, |(answer, reference), out| answer.message(*reference).write(out));
}

fn write_offer(object: &mut Object<'_>, offer: &Offer) {
    object.key(&offer.id, offer.window);
    object.word("scope", scope(offer.scope));
    object.number("offer", offer.offer);
    object.number("step", offer.step);
    object.number("steps", offer.steps);
    object.word("settle_on", settle_on(offer.settle_on));
    object.json("data", offer.data.as_ref());
    object.json("payload", Some(&offer.payload));
    object.number("priority", offer.priority);
    object.number("expires_in_ms", offer.expires_in.0);
    object.number("at", offer.at.0);
}

fn write_confirm(object: &mut Object<'_>, confirm: &Confirm, reference: Option<i64>) {
    object.key(&confirm.id, confirm.window);
    object.number("step", confirm.step);
    object.number("steps", confirm.steps);
    object.word("state", state(confirm.state));
    object.number("yours", confirm.yours);
    object.number("at", confirm.at.0);
    object.reference(reference);
}

fn write_error(object: &mut Object<'_>, refusal: &Refusal) {
    object.word("code", refusal.code.name());
    object.text("message", &refusal.message);
    object.number("retry", refusal.code.meaning().retry);
    object.reference(refusal.reference);
    if let Some(id) = &refusal.id {
        object.text("id", id);
    }
    if let Some(window) = &refusal.window {
        object.text("window", window);
    }
}

fn write_bye(object: &mut Object<'_>, bye: &Bye) {
    object.word("code", bye.code.name());
    object.text("reason", bye.reason);
    object.number("reconnect", bye.code.meaning().reconnect);
    object.number("after_ms", bye.after_ms);
}

/// The words of the contract; also for the HTTP API.
#[must_use]
pub fn state(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Offered => "offered",
        State::Shown => "shown",
        State::InProgress => "in_progress",
        State::Completed => "completed",
        State::Dismissed => "dismissed",
        State::Expired => "expired",
        State::Withdrawn => "withdrawn",
        State::Dropped => "dropped",
    }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::User => "user",
        Scope::Device => "device",
    }
}

fn settle_on(settle_on: SettleOn) -> &'static str {
    match settle_on {
        SettleOn::Shown => "shown",
        SettleOn::Completed => "completed",
    }
}

fn withdraw_reason(reason: WithdrawReason) -> &'static str {
    match reason {
        WithdrawReason::Moved => "moved",
        WithdrawReason::DoneElsewhere => "done_elsewhere",
        WithdrawReason::Withdrawn => "withdrawn",
        WithdrawReason::Expired => "expired",
    }
}

#[cfg(test)]
#[path = "server_message_tests.rs"]
mod tests;

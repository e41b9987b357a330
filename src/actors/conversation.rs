//! What one client says, and what is made of it: the hello, acks, renewals, refusals, the end. It knows no socket: whoever carries the frames hands in what came and
//! writes what goes out, be it the actor of a WebSocket or a simulation.

use metrics::counter;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::admission::{self, Arrival};
use super::attached::Attached;
use super::connections::OpenLine;
use super::edge::Edge;
use super::line::{Line, Outgoing};
use super::outbox::{Ending, Outbox as _};
use super::rate::{Bucket, Verdict};
use super::session::Heard;
use super::session::pending::Question;
use super::wire::Violation;
use crate::clock;
use crate::ledger::command::Departure;
use crate::ledger::time::LedgerTime;
use crate::protocol::batch::Batch;
use crate::protocol::client_message::{ClientMessage, Token};
use crate::protocol::code::Code;
use crate::protocol::frame;
use crate::protocol::hello::Hello;
use crate::protocol::refusal::Refusal;
use crate::protocol::server_message::ServerMessage;
use crate::protocol::token::Claims;
use crate::telemetry::names;

pub use super::connections::Closing;

/// See the head of the file. Dropped, the connection is gone: lost, unless the client closed it.
pub struct Conversation {
    edge: Arc<Edge>,
    open: OpenLine,
    /// What the token of the upgrade said; until the hello, which is all it is for.
    bearer: Option<Claims>,
    attached: Option<Attached>,
    bucket: Bucket,
}

impl Conversation {
    /// With a client that said nothing yet.
    #[must_use]
    pub fn new(edge: Arc<Edge>, open: OpenLine, bearer: Option<Claims>) -> Conversation {
        let bucket = Bucket::new(edge.limits.messages_per_second, clock::monotonic_ms());
        Conversation { edge, open, bearer, attached: None, bucket }
    }

    /// The most bytes that a frame of a client may have.
    #[must_use]
    pub fn frame_max_bytes(&self) -> usize {
        self.edge.limits.frame_max_bytes
    }

    /// A sign of life that says nothing: a ping or a pong.
    pub fn heard(&self) {
        self.line().heard();
    }

    /// Whether this side has ended it.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.line().is_closing()
    }

    /// A text frame came.
    pub fn text(&mut self, text: &str) {
        self.heard();
        // Until the client has heard of the end, what it says means nothing.
        if !self.is_closing() {
            self.messages(text);
        }
    }

    /// Something came that ends the connection.
    pub fn bad(&self, violation: Violation) {
        self.open.bad(violation, self.frame_max_bytes());
    }

    /// A Close frame came.
    pub fn closed_by_client(&mut self) -> Closing {
        let closing = self.open.closed_by_client();
        if let Some(attached) = self.attached.as_mut().filter(|_| closing == Closing::Client) {
            attached.departure = Departure::Closed;
        }
        closing
    }

    /// What goes out next.
    pub fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<Outgoing> {
        self.open.poll_next(task)
    }

    fn line(&self) -> &Arc<Line> {
        &self.open.line
    }

    fn refuse(&self, refusal: &Refusal) {
        self.line().close(Ending::refused(refusal));
    }

    fn messages(&mut self, text: &str) {
        let messages = match frame::parse(text) {
            Ok(messages) => messages,
            Err(refusal) => return self.refuse(&refusal),
        };
        let mut messages = messages.into_iter();
        if self.attached.is_none() {
            match messages.next() {
                Some(Ok(ClientMessage::Hello(hello))) => self.hello(*hello),
                Some(Ok(_)) => return self.refuse(&Refusal::new(Code::BadMessage, "a hello must come first")),
                Some(Err(refusal)) => return self.refuse(&Refusal { code: Code::BadMessage, ..refusal }),
                None => return,
            }
        }
        let mut answers = Batch::default();
        let mut heard = Vec::new();
        for message in messages {
            if self.line().is_closing() {
                return;
            }
            match self.limited(message).and_then(|message| self.message(message, &mut answers)) {
                Ok(to_owner) => heard.extend(to_owner),
                Err(refusal) => answers.push(&ServerMessage::Error(&refusal)),
            }
        }
        self.pass_on(heard, &mut answers);
        if !answers.is_empty() && self.line().answer(answers).is_err() {
            self.line().close(Ending::slow_consumer());
        }
    }

    fn hello(&mut self, hello: Hello) {
        let arrival = Arrival { connection: self.line().id, bearer: self.bearer.as_ref(), wall_ms: clock::wall_ms() };
        counter!(names::MESSAGES_RECEIVED_TOTAL, "type" => "hello").increment(1);
        let admitted = match admission::admit(&self.edge.verifier, hello, &arrival) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                counter!(names::REFUSED_CREDENTIALS_TOTAL, "kind" => "token").increment(1);
                return self.refuse(&refusal);
            }
        };
        self.bearer = None;
        self.attached = Some(Attached::attach(&self.edge.sessions, self.line(), admitted));
    }

    /// Whether a ping is answered: it counts as a message does. One that comes too fast is not.
    pub fn may_pong(&mut self) -> bool {
        match self.bucket.take(clock::monotonic_ms()) {
            Verdict::Taken => return true,
            Verdict::Refused => {}
            Verdict::Ended => self.refuse(&too_fast()),
        }
        counter!(names::LIMITED_TOTAL, "limit" => "messages_per_second").increment(1);
        false
    }

    /// Lets a message pass, unless there are too many of them.
    fn limited(&mut self, message: Result<ClientMessage, Refusal>) -> Result<ClientMessage, Refusal> {
        match self.bucket.take(clock::monotonic_ms()) {
            Verdict::Taken => return message,
            Verdict::Refused => {}
            Verdict::Ended => self.refuse(&too_fast()),
        }
        counter!(names::LIMITED_TOTAL, "limit" => "messages_per_second").increment(1);
        let named = message.map_or_else(|refusal| refusal, |message| message.refuse(Code::RateLimited, ""));
        Err(Refusal { code: Code::RateLimited, message: too_fast().message, ..named })
    }

    /// Does what the connection can do by itself; gives back what is for the owner.
    fn message(&mut self, message: ClientMessage, answers: &mut Batch) -> Result<Option<Heard>, Refusal> {
        counter!(names::MESSAGES_RECEIVED_TOTAL, "type" => message.kind()).increment(1);
        match message {
            ClientMessage::Hello(_) => Err(Refusal::new(Code::BadMessage, "there was a hello already")),
            ClientMessage::Ack { ack, reference } => Ok(Some(Heard::Asked { question: Question::Ack(ack), reference })),
            ClientMessage::Dismiss { key, reference } => Ok(Some(Heard::Asked { question: Question::Dismiss(key), reference })),
            ClientMessage::Visible(visibility) => Ok(Some(Heard::Visible(visibility))),
            ClientMessage::Seen(id) => Ok(Some(Heard::Seen(id))),
            ClientMessage::Token(token) => {
                self.renew(&token);
                Ok(None)
            }
            ClientMessage::Ping { reference } => {
                answers.push(&ServerMessage::Pong { reference, server_time: LedgerTime(clock::wall_ms()) });
                Ok(None)
            }
        }
    }

    fn renew(&self, token: &Token) {
        let Some(attached) = &self.attached else { return };
        let claims = match self.edge.verifier.verify(&token.0, clock::wall_ms()) {
            Ok(claims) => claims,
            Err(error) => {
                counter!(names::REFUSED_CREDENTIALS_TOTAL, "kind" => "token").increment(1);
                return self.refuse(&admission::refusal(error));
            }
        };
        let is_same_device = claims.device.as_ref().is_none_or(|device| *device == attached.device);
        if claims.user != attached.user || !is_same_device {
            return self.refuse(&Refusal::new(Code::Forbidden, "the token is for another user or device"));
        }
        self.line().renew(claims.expires_at_ms);
    }

    fn pass_on(&self, heard: Vec<Heard>, answers: &mut Batch) {
        let Some(attached) = &self.attached else { return };
        if heard.is_empty() {
            return;
        }
        for refusal in attached.say(heard) {
            counter!(names::LIMITED_TOTAL, "limit" => "user_queue").increment(1);
            counter!(names::ACKS_TOTAL, "result" => refusal.code.name()).increment(1);
            answers.push(&ServerMessage::Error(&refusal));
        }
    }
}

fn too_fast() -> Refusal {
    Refusal::new(Code::RateLimited, "too many messages; hint: send it again in a second")
}

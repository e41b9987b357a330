//! The actor of one WebSocket: reads what the client says, hands it to its session, and writes what its line holds. It keeps nothing of the user.

use actix::{Actor, ActorContext as _, ActorFuture, AsyncContext as _, StreamHandler};
use actix_web::web::Payload;
use actix_web_actors::ws::{self, CloseCode, CloseReason, WebsocketContext};
use metrics::counter;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::admission::{self, Arrival};
use super::attached::Attached;
use super::connections::OpenLine;
use super::edge::Edge;
use super::frames::{Frames, Incoming};
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

/// Bytes written at a time, before the transport is asked whether it can take more.
const WRITE_BYTES: usize = 32 * 1024;

/// See the head of the file.
pub struct Connection {
    edge: Arc<Edge>,
    open: OpenLine,
    /// What the client sends; taken when the actor starts.
    payload: Option<Payload>,
    /// What the token of the upgrade said.
    bearer: Option<Claims>,
    attached: Option<Attached>,
    bucket: Bucket,
}

impl Connection {
    /// A connection that said nothing yet.
    #[must_use]
    pub fn new(edge: Arc<Edge>, open: OpenLine, payload: Payload, bearer: Option<Claims>) -> Connection {
        let bucket = Bucket::new(edge.limits.messages_per_second, clock::monotonic_ms());
        Connection { edge, open, payload: Some(payload), bearer, attached: None, bucket }
    }

    fn line(&self) -> &Arc<Line> {
        &self.open.line
    }

    fn refuse(&self, refusal: &Refusal) {
        self.line().close(Ending::refused(refusal));
    }

    fn text(&mut self, text: &str) {
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
        self.attached = Some(Attached::attach(&self.edge.sessions, self.line(), admitted));
    }

    /// A ping costs a pong, so it counts as a message does. One that comes too fast has no answer.
    fn pinged(&mut self, bytes: &[u8], context: &mut WebsocketContext<Self>) {
        match self.bucket.take(clock::monotonic_ms()) {
            Verdict::Taken => return context.pong(bytes),
            Verdict::Refused => {}
            Verdict::Ended => self.refuse(&too_fast()),
        }
        counter!(names::LIMITED_TOTAL, "limit" => "messages_per_second").increment(1);
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

    fn bad(&self, violation: Violation) {
        let refusal = match violation {
            Violation::Protocol => return self.line().close(Ending::protocol(1002)),
            Violation::Utf8 => return self.line().close(Ending::protocol(1007)),
            Violation::TooLarge => {
                Refusal::new(Code::TooLarge, format!("a message has at most {} bytes", self.edge.limits.frame_max_bytes))
            }
            Violation::Binary => Refusal::new(Code::BadMessage, "there are no binary messages"),
        };
        self.refuse(&refusal);
    }

    fn client_closed(&mut self, code: Option<u16>, context: &mut WebsocketContext<Self>) {
        if !self.line().is_closing() {
            // The client's own wish, not the echo of ours.
            self.open.ended = "client";
            if let Some(attached) = &mut self.attached {
                attached.departure = Departure::Closed;
            }
            context.close(code.map(|code| CloseReason { code: CloseCode::from(code), description: None }));
        }
        context.stop();
    }
}

fn too_fast() -> Refusal {
    Refusal::new(Code::RateLimited, "too many messages; hint: send it again in a second")
}

impl Actor for Connection {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(payload) = self.payload.take() {
            context.add_stream(Frames::new(payload, self.edge.limits.frame_max_bytes));
        }
        context.spawn(Writer);
    }
}

impl StreamHandler<Incoming> for Connection {
    fn handle(&mut self, incoming: Incoming, context: &mut Self::Context) {
        self.line().heard();
        match incoming {
            Incoming::Close(code) => self.client_closed(code, context),
            // Until the client has heard of the end, what it says means nothing.
            _ if self.line().is_closing() => {}
            Incoming::Text(text) => self.text(&text),
            Incoming::Ping(bytes) => self.pinged(&bytes, context),
            Incoming::Pong => {}
            Incoming::Bad(violation) => self.bad(violation),
        }
    }

    fn finished(&mut self, context: &mut Self::Context) {
        context.stop();
    }
}

/// The crate's own reader demands this. It gets an empty stream instead of the socket, because it hands out fragments unassembled, takes frames of any length, and
/// repeats an error for ever: [`Frames`] reads in its place.
impl StreamHandler<Result<ws::Message, ws::ProtocolError>> for Connection {
    fn handle(&mut self, _: Result<ws::Message, ws::ProtocolError>, _: &mut Self::Context) {}

    fn finished(&mut self, _: &mut Self::Context) {}
}

/// Moves what the line holds to the socket, a little at a time.
struct Writer;

impl ActorFuture<Connection> for Writer {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        connection: &mut Connection,
        context: &mut WebsocketContext<Connection>,
        task: &mut Context<'_>,
    ) -> Poll<()> {
        let mut written_bytes = 0;
        loop {
            match connection.open.line.poll_next(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Outgoing::Frame(text)) => {
                    written_bytes += text.len();
                    context.text(text);
                }
                Poll::Ready(Outgoing::Ping) => context.ping(b""),
                Poll::Ready(Outgoing::End(ending)) => {
                    connection.open.ended = ending.word;
                    context.close(Some(CloseReason { code: CloseCode::from(ending.close), description: Some(ending.word.to_owned()) }));
                }
                Poll::Ready(Outgoing::Cut) => {
                    context.stop();
                    return Poll::Ready(());
                }
            }
            if written_bytes >= WRITE_BYTES {
                // The transport asks again when it has room.
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

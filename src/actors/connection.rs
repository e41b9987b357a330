//! The actor of one WebSocket: hands what the client says to its conversation, and writes what that has to say. It keeps nothing of the user.

use actix::{Actor, ActorContext as _, ActorFuture, AsyncContext as _, StreamHandler};
use actix_web::web::Payload;
use actix_web_actors::ws::{self, CloseCode, CloseReason, WebsocketContext};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::conversation::{Closing, Conversation};
use super::frames::{Frames, Incoming};
use super::line::Outgoing;

/// Bytes written at a time, before the transport is asked whether it can take more.
const WRITE_BYTES: usize = 32 * 1024;

/// See the head of the file.
pub struct Connection {
    conversation: Conversation,
    /// What the client sends; taken when the actor starts.
    payload: Option<Payload>,
}

impl Connection {
    /// A connection that said nothing yet.
    #[must_use]
    pub fn new(conversation: Conversation, payload: Payload) -> Connection {
        Connection { conversation, payload: Some(payload) }
    }

    fn client_closed(&mut self, code: Option<u16>, context: &mut WebsocketContext<Self>) {
        if self.conversation.closed_by_client() == Closing::Client {
            context.close(code.map(|code| CloseReason { code: CloseCode::from(code), description: None }));
        }
        context.stop();
    }
}

impl Actor for Connection {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(payload) = self.payload.take() {
            context.add_stream(Frames::new(payload, self.conversation.frame_max_bytes()));
        }
        context.spawn(Writer);
    }
}

impl StreamHandler<Incoming> for Connection {
    fn handle(&mut self, incoming: Incoming, context: &mut Self::Context) {
        match incoming {
            Incoming::Close(code) => self.client_closed(code, context),
            Incoming::Text(text) => self.conversation.text(&text),
            Incoming::Ping(bytes) => {
                self.conversation.heard();
                // After a Close frame of ours, nothing may follow.
                if !self.conversation.is_closing() {
                    context.pong(&bytes);
                }
            }
            Incoming::Pong => self.conversation.heard(),
            Incoming::Bad(violation) => self.conversation.bad(violation),
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
            match connection.conversation.poll_next(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Outgoing::Frame(text)) => {
                    written_bytes += text.len();
                    context.text(text);
                }
                Poll::Ready(Outgoing::Ping) => context.ping(b""),
                Poll::Ready(Outgoing::End(ending)) => {
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

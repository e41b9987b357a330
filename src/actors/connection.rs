//! The actor of one WebSocket: hands what the client says to its conversation, and writes what that has to say, as [`socket`] does it. It keeps nothing of the user.

use actix::{Actor, ActorContext as _, AsyncContext as _, StreamHandler};
use actix_web_actors::ws::{self, WebsocketContext};
use std::task::{Context, Poll};

use super::connections::Closing;
use super::conversation::Conversation;
use super::frames::{Frames, Incoming, Received};
use super::line::Outgoing;
use super::socket::{self, Socket, Writer};
use super::wire::Violation;

/// See the head of the file.
pub struct Connection {
    conversation: Conversation,
    /// What the client sends; taken when the actor starts.
    received: Option<Received>,
}

impl Connection {
    /// A connection that said nothing yet.
    #[must_use]
    pub fn new(conversation: Conversation, received: Received) -> Connection {
        Connection { conversation, received: Some(received) }
    }
}

impl Actor for Connection {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(received) = self.received.take() {
            context.add_stream(Frames::new(received, self.conversation.frame_max_bytes()));
        }
        context.spawn(Writer);
    }
}

impl Socket for Connection {
    fn heard(&self) {
        self.conversation.heard();
    }

    fn is_closing(&self) -> bool {
        self.conversation.is_closing()
    }

    fn may_pong(&mut self) -> bool {
        self.conversation.may_pong()
    }

    fn text(&mut self, text: String, _: &mut Self::Context) {
        self.conversation.text(&text);
    }

    fn bad(&mut self, violation: Violation) {
        self.conversation.bad(violation);
    }

    fn closed_by_client(&mut self) -> Closing {
        self.conversation.closed_by_client()
    }

    fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<Outgoing> {
        self.conversation.poll_next(task)
    }
}

impl StreamHandler<Incoming> for Connection {
    fn handle(&mut self, incoming: Incoming, context: &mut Self::Context) {
        socket::take(self, incoming, context);
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

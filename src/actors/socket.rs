//! The WebSocket under an actor: what is the same whatever is said on it. It takes what was read, answers control frames, closes as the RFC wants it, and writes what
//! the line holds. It knows no message: an actor that echoes everything stands on it as well, and is how a WebSocket test suite gets at this part of the node.

use actix::{Actor, ActorContext as _, ActorFuture};
use actix_web_actors::ws::{CloseCode, CloseReason, WebsocketContext};
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::connections::Closing;
use super::frames::Incoming;
use super::line::Outgoing;
use super::wire::Violation;

/// Bytes written at a time, before the transport is asked whether it can take more.
const WRITE_BYTES: usize = 32 * 1024;

/// An actor that has a WebSocket.
pub trait Socket: Actor<Context = WebsocketContext<Self>> {
    /// A sign of life that says nothing: a ping or a pong.
    fn heard(&self);

    /// Whether this side has ended it.
    fn is_closing(&self) -> bool;

    /// A ping came: whether it is answered. A pong costs as much as an answer does, so a client may not have any number of them.
    fn may_pong(&mut self) -> bool {
        true
    }

    /// A text came.
    fn text(&mut self, text: String, context: &mut Self::Context);

    /// A binary message came. The client protocol has none.
    fn binary(&mut self, _: Bytes, _: &mut Self::Context) {
        self.bad(Violation::Binary);
    }

    /// Something came that ends the connection.
    fn bad(&mut self, violation: Violation);

    /// A Close frame came.
    fn closed_by_client(&mut self) -> Closing;

    /// What goes out next.
    fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<Outgoing>;
}

/// Takes what was read.
pub fn take<S: Socket>(socket: &mut S, incoming: Incoming, context: &mut S::Context) {
    match incoming {
        Incoming::Close(code) => {
            if socket.closed_by_client() == Closing::Client {
                context.close(code.map(|code| CloseReason { code: CloseCode::from(code), description: None }));
            }
            context.stop();
        }
        Incoming::Text(text) => socket.text(text, context),
        Incoming::Binary(bytes) => socket.binary(bytes, context),
        Incoming::Ping(bytes) => {
            socket.heard();
            // After a Close frame of ours, nothing may follow.
            if !socket.is_closing() && socket.may_pong() {
                context.pong(&bytes);
            }
        }
        Incoming::Pong => socket.heard(),
        Incoming::Bad(violation) => socket.bad(violation),
    }
}

/// Moves what the line holds to the socket, a little at a time. An actor spawns one when it starts.
pub struct Writer;

impl<S: Socket> ActorFuture<S> for Writer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, socket: &mut S, context: &mut S::Context, task: &mut Context<'_>) -> Poll<()> {
        let mut written_bytes = 0;
        loop {
            match socket.poll_next(task) {
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

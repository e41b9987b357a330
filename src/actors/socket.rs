//! The WebSocket under an actor: what is the same whatever is said on it. It takes what was read, answers control frames, closes as the RFC wants it, and writes what
//! the line holds. It knows no message: an actor that echoes everything stands on it as well, and is how a WebSocket test suite gets at this part of the node.

use actix::{Actor, ActorContext as _, ActorFuture};
use actix_web_actors::ws::{CloseCode, CloseReason, WebsocketContext};
use bytes::Bytes;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::connections::OpenLine;
use super::frames::Incoming;
use super::line::Outgoing;
use super::outbox::{Ending, Outbox as _};
use super::wire::Violation;
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;

/// Bytes written at a time, before the transport is asked whether it can take more.
const WRITE_BYTES: usize = 32 * 1024;

/// An actor that has a WebSocket.
pub trait Socket: Actor<Context = WebsocketContext<Self>> {
    /// Its place among the connections.
    fn open(&mut self) -> &mut OpenLine;

    /// The longest message that it reads.
    fn message_max_bytes(&self) -> usize;

    /// Takes a text.
    fn text(&mut self, text: String, context: &mut Self::Context);

    /// Takes a binary message. The client protocol has none.
    fn binary(&mut self, _: Bytes, _: &mut Self::Context) {
        let ending = ending(Violation::Binary, self.message_max_bytes());
        self.open().line.close(ending);
    }

    /// The client closed the connection by its own wish.
    fn left(&mut self) {}
}

/// Takes what was read.
pub fn take<S: Socket>(socket: &mut S, incoming: Incoming, context: &mut S::Context) {
    socket.open().line.heard();
    match incoming {
        Incoming::Close(code) => closed(socket, code, context),
        // Until the client has heard of the end, what it says means nothing.
        _ if socket.open().line.is_closing() => {}
        Incoming::Text(text) => socket.text(text, context),
        Incoming::Binary(bytes) => socket.binary(bytes, context),
        Incoming::Ping(bytes) => context.pong(&bytes),
        Incoming::Pong => {}
        Incoming::Bad(violation) => {
            let ending = ending(violation, socket.message_max_bytes());
            socket.open().line.close(ending);
        }
    }
}

fn closed<S: Socket>(socket: &mut S, code: Option<u16>, context: &mut S::Context) {
    if !socket.open().line.is_closing() {
        // The client's own wish, not the echo of ours.
        socket.open().ended = "client";
        socket.left();
        context.close(code.map(|code| CloseReason { code: CloseCode::from(code), description: None }));
    }
    context.stop();
}

fn ending(violation: Violation, message_max_bytes: usize) -> Ending {
    let refusal = match violation {
        Violation::Protocol => return Ending::protocol(1002),
        Violation::Utf8 => return Ending::protocol(1007),
        Violation::TooLarge => Refusal::new(Code::TooLarge, format!("a message has at most {message_max_bytes} bytes")),
        Violation::Binary => Refusal::new(Code::BadMessage, "there are no binary messages"),
    };
    Ending::refused(&refusal)
}

/// Moves what the line holds to the socket, a little at a time. An actor spawns one when it starts.
pub struct Writer;

impl<S: Socket> ActorFuture<S> for Writer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, socket: &mut S, context: &mut S::Context, task: &mut Context<'_>) -> Poll<()> {
        let open = socket.open();
        let mut written_bytes = 0;
        loop {
            match open.line.poll_next(task) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Outgoing::Frame(text)) => {
                    written_bytes += text.len();
                    context.text(text);
                }
                Poll::Ready(Outgoing::Ping) => context.ping(b""),
                Poll::Ready(Outgoing::End(ending)) => {
                    open.ended = ending.word;
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

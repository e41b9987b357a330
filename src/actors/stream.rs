//! The body of `POST /v1/stream`: a connection as server-sent events, for clients that cannot hold a WebSocket. They talk back over `POST /v1/messages`.

use bytes::Bytes;
use futures_util::Stream;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::attached::Attached;
use super::connections::OpenLine;
use super::line::Outgoing;

/// A stream of events. Dropped by the server when the client is gone.
pub struct Events {
    open: OpenLine,
    /// Dropped with the body, which tells the owner that the connection was lost.
    _attached: Attached,
}

impl Events {
    /// The events of a connection that said hello.
    #[must_use]
    pub fn new(open: OpenLine, attached: Attached) -> Events {
        Events { open, _attached: attached }
    }
}

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.open.line.poll_next(task) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Outgoing::Frame(text)) => Poll::Ready(Some(Ok(event(&text)))),
            Poll::Ready(Outgoing::Ping) => Poll::Ready(Some(Ok(Bytes::from_static(b":\n\n")))),
            Poll::Ready(Outgoing::End(ending)) => {
                self.open.ended = ending.word;
                Poll::Ready(None)
            }
            Poll::Ready(Outgoing::Cut) => Poll::Ready(None),
        }
    }
}

/// One event. A line break would end its line; in JSON text it can only stand between tokens, where a space means the same.
fn event(text: &str) -> Bytes {
    let mut event = String::with_capacity(text.len() + 8);
    event.push_str("data: ");
    event.extend(text.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }));
    event.push_str("\n\n");
    Bytes::from(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_a_payload_holds() {
        assert_eq!(&event("{\"a\":\r\n[1,\n2]}")[..], b"data: {\"a\":  [1, 2]}\n\n");
    }
}

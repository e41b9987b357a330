//! The bytes of a WebSocket as messages: frames taken apart, fragments put together under a bound on their total. After what ends the connection, it reads on and
//! throws away: a socket closed with unread bytes is reset, and the client would never see why.

use actix_web::error::PayloadError;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

pub use super::assembler::Incoming;

use super::assembler::Assembler;
use super::wire;

/// The bytes of a client, as they come in.
pub type Received = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// A stream of [`Incoming`]; it ends where the bytes end.
pub struct Frames<S> {
    bytes: S,
    assembler: Assembler,
    buffer: BytesMut,
    /// After a Close or a violation.
    is_over: bool,
}

impl<S> Frames<S> {
    /// Reads messages of at most `message_max_bytes`. A binary one is a violation, by its first header.
    pub fn new(bytes: S, message_max_bytes: usize) -> Frames<S> {
        Frames { bytes, assembler: Assembler::new(message_max_bytes), buffer: BytesMut::new(), is_over: false }
    }

    /// The same, of an actor that takes binary messages too.
    #[must_use]
    pub fn taking_binary(mut self) -> Frames<S> {
        self.assembler = self.assembler.taking_binary();
        self
    }

    fn next(&mut self) -> Option<Incoming> {
        let next = loop {
            match wire::take_frame(&mut self.buffer, self.assembler.message_max_bytes()) {
                Ok(None) => break None,
                Ok(Some(frame)) => match self.assembler.take(frame) {
                    Ok(None) => {}
                    Ok(Some(incoming)) => break Some(incoming),
                    Err(violation) => break Some(Incoming::Bad(violation)),
                },
                Err(violation) => break Some(Incoming::Bad(violation)),
            }
        };
        self.is_over = matches!(next, Some(Incoming::Bad(_) | Incoming::Close(_)));
        if self.is_over || self.buffer.is_empty() {
            // An idle connection keeps no memory for it.
            self.buffer = BytesMut::new();
        }
        next
    }
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for Frames<S> {
    type Item = Incoming;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Incoming>> {
        loop {
            if !self.is_over
                && let Some(incoming) = self.next()
            {
                return Poll::Ready(Some(incoming));
            }
            match ready!(Pin::new(&mut self.bytes).poll_next(task)) {
                Some(Ok(_)) if self.is_over => {}
                Some(Ok(chunk)) => self.buffer.extend_from_slice(&chunk),
                // A broken connection ends like one that was closed without a word.
                Some(Err(_)) | None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::wire::Violation;
    use crate::actors::wire::tests::masked;
    use futures_util::{FutureExt as _, StreamExt as _, stream};

    /// What is read of these bytes, however they are cut into chunks.
    fn read(bytes: &[u8]) -> Vec<Incoming> {
        let in_chunks = |size: usize| {
            let chunks: Vec<Result<Bytes, PayloadError>> = bytes.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            Frames::new(stream::iter(chunks), 1_000).collect::<Vec<_>>().now_or_never().expect("it never waits")
        };
        let whole = in_chunks(bytes.len().max(1));
        for size in [1, 3, 7] {
            assert_eq!(in_chunks(size), whole);
        }
        whole
    }

    fn text(text: &str) -> Incoming {
        Incoming::Text(text.to_owned())
    }

    #[test]
    fn fragments_become_one_text_with_pings_between_them() {
        let bytes = [masked(0x01, "ä".as_bytes()), masked(0x89, b"p"), masked(0x00, b"b"), masked(0x80, b"c"), masked(0x81, b"d")].concat();
        assert_eq!(read(&bytes), [Incoming::Ping(Bytes::from_static(b"p")), text("äbc"), text("d")]);
        // A letter may be cut in two.
        assert_eq!(read(&[masked(0x01, &[0xc3]), masked(0x80, &[0xa4])].concat()), [text("ä")]);
        assert_eq!(read(&[masked(0x01, b""), masked(0x80, b"")].concat()), [text("")]);
    }

    #[test]
    fn the_bound_holds_for_the_sum_of_the_fragments() {
        let bytes = [masked(0x01, &[b'a'; 600]), masked(0x00, &[b'a'; 400])].concat();
        assert_eq!(read(&bytes), []);
        assert_eq!(read(&[bytes, masked(0x80, b"a")].concat()), [Incoming::Bad(Violation::TooLarge)]);
        assert_eq!(read(&masked(0x81, &[b'a'; 1_001])), [Incoming::Bad(Violation::TooLarge)]);
    }

    #[test]
    fn binary_messages_come_whole_where_they_are_taken() {
        let bytes =
            [masked(0x02, &[0xff]), masked(0x89, b"p"), masked(0x80, &[0xfe]), masked(0x81, b"t"), masked(0x02, b"x"), masked(0x82, b"y")];
        let chunk: Result<Bytes, PayloadError> = Ok(Bytes::from(bytes.concat()));
        let read = Frames::new(stream::iter([chunk]), 1_000).taking_binary().collect::<Vec<_>>().now_or_never();
        let binary = Incoming::Binary(Bytes::from_static(&[0xff, 0xfe]));
        let expected = vec![Incoming::Ping(Bytes::from_static(b"p")), binary, text("t"), Incoming::Bad(Violation::Protocol)];
        assert_eq!(read, Some(expected));
    }

    #[test]
    fn nothing_is_read_after_what_ends_the_connection() {
        let after = masked(0x81, b"more");
        let cases = [
            (masked(0x82, b"b"), Violation::Binary),
            (masked(0x81, &[0xff]), Violation::Utf8),
            (masked(0x80, b"x"), Violation::Protocol),
            ([masked(0x01, b"x"), masked(0x81, b"x")].concat(), Violation::Protocol),
            (masked(0x88, &[3]), Violation::Protocol),
            (masked(0x88, &[3, 0xed]), Violation::Protocol),
            (masked(0x88, &[3, 0xe8, 0xff]), Violation::Utf8),
        ];
        for (bytes, violation) in cases {
            assert_eq!(read(&[bytes, after.clone()].concat()), [Incoming::Bad(violation)]);
        }
        assert_eq!(read(&[masked(0x88, &[3, 0xe8]), after.clone()].concat()), [Incoming::Close(Some(1000))]);
        assert_eq!(read(&[masked(0x88, b""), after].concat()), [Incoming::Close(None)]);
    }
}

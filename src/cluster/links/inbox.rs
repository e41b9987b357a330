//! What arrives on a link after the proof: reads fragments, checks them, and puts messages together. Knows nothing of what they mean.
//!
//! Its buffer has one size, and a message grows as its fragments arrive: what the other side claims sets no memory aside.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::frame::{FRAGMENT_MAX_BYTES, FrameError, HEADER_BYTES, Header, Kind, Rest, index_of};
use crate::clock;
use crate::ports::peers::Lane;

const BUFFER_BYTES: usize = 2 * (FRAGMENT_MAX_BYTES + HEADER_BYTES);

/// A whole message.
pub struct Incoming {
    pub kind: Kind,
    pub lane: Lane,
    pub service: u8,
    pub id: u64,
    pub body: Bytes,
}

/// Why nothing more arrives.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    #[error("the other side closed the connection")]
    Closed,
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A message of which the last fragment is not there yet.
struct Partial {
    kind: Kind,
    service: u8,
    id: u64,
    body: BytesMut,
}

/// Reads messages.
pub struct Inbox<R> {
    reader: R,
    buffer: Box<[u8]>,
    /// What is in the buffer and not taken yet.
    start: usize,
    end: usize,
    partials: [Option<Partial>; 3],
    message_max_bytes: usize,
}

impl<R: AsyncRead + Unpin> Inbox<R> {
    /// Takes messages up to a length.
    pub fn new(reader: R, message_max_bytes: usize) -> Inbox<R> {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Inbox { reader, buffer, start: 0, end: 0, partials: [None, None, None], message_max_bytes }
    }

    /// The next message. `heard_ms` is set whenever bytes arrive, be they a whole message or not.
    ///
    /// # Errors
    /// [`InboxError`]: there will be no other message.
    pub async fn next(&mut self, heard_ms: &AtomicU64) -> Result<Incoming, InboxError> {
        loop {
            while let Some((header, body_at)) = self.fragment()? {
                if let Some(message) = self.assemble(header, body_at)? {
                    return Ok(message);
                }
            }
            self.make_room();
            let count = self.reader.read(&mut self.buffer[self.end..]).await?;
            if count == 0 {
                return Err(InboxError::Closed);
            }
            heard_ms.store(clock::monotonic_ms(), Ordering::Relaxed);
            self.end += count;
        }
    }

    /// The fragment at the start of the buffer, checked, and where its body starts; none when it is not all there. It is taken out.
    fn fragment(&mut self) -> Result<Option<(Header, usize)>, FrameError> {
        let waiting = &self.buffer[self.start..self.end];
        let Some((head, rest)) = waiting.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        // Judged before its body is waited for: what is wrong is refused at once.
        let header = Header::read(head)?;
        let Some(body) = rest.get(..header.len_bytes) else { return Ok(None) };
        Header::check(head, body)?;
        let body_at = self.start + HEADER_BYTES;
        self.start = body_at + header.len_bytes;
        Ok(Some((header, body_at)))
    }

    fn assemble(&mut self, header: Header, body_at: usize) -> Result<Option<Incoming>, FrameError> {
        let piece = &self.buffer[body_at..body_at + header.len_bytes];
        let slot = &mut self.partials[index_of(header.lane)];
        let arrived_bytes = slot.as_ref().map_or(0, |partial| partial.body.len());
        if arrived_bytes + piece.len() > self.message_max_bytes {
            return Err(FrameError::TooLong);
        }
        if let (None, Rest::None) = (&slot, header.rest) {
            // A copy, so that a short message that is kept for long does not keep the buffer.
            return Ok(Some(incoming(header, Bytes::copy_from_slice(piece))));
        }
        let partial =
            slot.get_or_insert_with(|| Partial { kind: header.kind, service: header.service, id: header.id, body: BytesMut::new() });
        if (partial.kind, partial.service, partial.id) != (header.kind, header.service, header.id) {
            return Err(FrameError::Broken);
        }
        partial.body.extend_from_slice(piece);
        if header.rest == Rest::Follows {
            return Ok(None);
        }
        Ok(slot.take().map(|partial| incoming(header, partial.body.freeze())))
    }

    /// Moves what is left to the front, when there is no room for a whole fragment behind it.
    fn make_room(&mut self) {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.start < FRAGMENT_MAX_BYTES + HEADER_BYTES {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
    }
}

fn incoming(header: Header, body: Bytes) -> Incoming {
    Incoming { kind: header.kind, lane: header.lane, service: header.service, id: header.id, body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    fn fragment(id: u64, rest: Rest, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let header = Header { kind: Kind::Tell, lane: Lane::Session, service: 3, id, len_bytes: piece.len(), rest };
        header.write(piece, &mut out);
        out
    }

    async fn all_of(wire: &[u8], message_max_bytes: usize) -> (Vec<Bytes>, InboxError, usize) {
        let mut inbox = Inbox::new(wire, message_max_bytes);
        let heard_ms = AtomicU64::new(0);
        let mut bodies = Vec::new();
        loop {
            match inbox.next(&heard_ms).await {
                Ok(message) => bodies.push(message.body),
                Err(error) => {
                    let held = inbox.partials.iter().flatten().map(|partial| partial.body.capacity()).sum();
                    return (bodies, error, held);
                }
            }
        }
    }

    #[tokio::test]
    async fn messages_arrive_whole_however_the_bytes_come() {
        let (mut near, far) = tokio::io::duplex(7);
        let long = vec![5; FRAGMENT_MAX_BYTES];
        let mut wire = fragment(0, Rest::None, b"short");
        wire.extend(fragment(1, Rest::Follows, &long));
        wire.extend(fragment(1, Rest::None, b"tail"));
        wire.extend(fragment(2, Rest::None, b""));
        let writer = tokio::spawn(async move { near.write_all(&wire).await });
        let mut inbox = Inbox::new(far, 1024 * 1024);
        let heard_ms = AtomicU64::new(0);
        assert_eq!(inbox.next(&heard_ms).await.unwrap().body, "short");
        assert_eq!(inbox.next(&heard_ms).await.unwrap().body.len(), FRAGMENT_MAX_BYTES + 4);
        assert_eq!(inbox.next(&heard_ms).await.unwrap().body, "");
        writer.await.unwrap().unwrap();
        assert!(matches!(inbox.next(&heard_ms).await, Err(InboxError::Closed)));
    }

    #[tokio::test]
    async fn a_message_that_is_too_long_ends_the_link_before_it_is_held() {
        let mut wire = Vec::new();
        for _ in 0..10 {
            wire.extend(fragment(1, Rest::Follows, &[0; 1_000]));
        }
        let (bodies, error, held_bytes) = all_of(&wire, 4_500).await;
        assert!(bodies.is_empty());
        assert!(matches!(error, InboxError::Frame(FrameError::TooLong)), "{error}");
        assert!(held_bytes < 16_384, "{held_bytes}");
    }

    #[tokio::test]
    async fn a_claimed_length_sets_nothing_aside() {
        let mut wire = fragment(1, Rest::None, b"x");
        wire[..4].copy_from_slice(&(16 * 1024 * 1024_u32).to_le_bytes());
        let (_, error, held_bytes) = all_of(&wire, 16 * 1024 * 1024).await;
        assert!(matches!(error, InboxError::Frame(FrameError::TooLong)), "{error}");
        assert_eq!(held_bytes, 0);
    }

    #[tokio::test]
    async fn fragments_of_two_messages_in_one_lane_are_refused() {
        let wire = [fragment(1, Rest::Follows, b"a"), fragment(2, Rest::None, b"b")].concat();
        let (_, error, _) = all_of(&wire, 1_000).await;
        assert!(matches!(error, InboxError::Frame(FrameError::Broken)), "{error}");
    }
}

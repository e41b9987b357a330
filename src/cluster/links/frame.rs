//! What stands on the wire of a link: fragments, each a header of fixed size and a piece of a message. Codes and decodes headers; reads and writes nothing itself.
//!
//! A message is cut into fragments of at most 64 KiB, so that a long one of a lane that can wait lets an urgent one of another lane by. No header can therefore claim more than
//! 64 KiB, and nobody sets more memory aside than has arrived.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::ports::peers::{Lane, Service};

/// Length of a header.
pub const HEADER_BYTES: usize = 24;
/// Longest piece of a message in one fragment.
pub const FRAGMENT_MAX_BYTES: usize = 64 * 1024;
/// All lanes, most urgent first; a lane's number on the wire is its place here.
pub const LANES: [Lane; 3] = [Lane::Raft, Lane::Session, Lane::Snapshot];

const FLAG_MORE: u8 = 1;

/// A lane's place in [`LANES`].
#[must_use]
pub const fn index_of(lane: Lane) -> usize {
    match lane {
        Lane::Raft => 0,
        Lane::Session => 1,
        Lane::Snapshot => 2,
    }
}

/// The word for a lane in metrics.
#[must_use]
pub const fn word_of(lane: Lane) -> &'static str {
    match lane {
        Lane::Raft => "raft",
        Lane::Session => "session",
        Lane::Snapshot => "snapshot",
    }
}

/// The service with a number; none for one that only a later version knows.
#[must_use]
pub fn service_of(number: u8) -> Option<Service> {
    Service::ALL.into_iter().find(|service| *service as u8 == number)
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wants no answer.
    Tell = 1,
    /// Wants an answer with its id.
    Ask = 2,
    /// The answer to the question with its id.
    Answer = 3,
    /// There will be no answer to the question with its id.
    Void = 4,
    /// Asks for a pong with its id.
    Ping = 5,
    Pong = 6,
    /// The link ends; the id is a [`super::refusal::Refusal`]'s number, or 0 for a node that stops.
    Goodbye = 7,
}

impl Kind {
    const ALL: [Kind; 7] = [Kind::Tell, Kind::Ask, Kind::Answer, Kind::Void, Kind::Ping, Kind::Pong, Kind::Goodbye];

    fn of(number: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// Why a frame can't be taken. The link ends, since nothing behind it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the frame is too long")]
    TooLong,
    #[error("the frame is damaged")]
    Broken,
}

/// The head of one fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    pub lane: Lane,
    /// Whom it is for; 0 where that says nothing.
    pub service: u8,
    pub id: u64,
    /// Invariant: no more than [`FRAGMENT_MAX_BYTES`].
    pub len_bytes: usize,
    pub rest: Rest,
}

/// Whether more fragments of the same message follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    Follows,
    None,
}

impl Header {
    /// The head of a message that has no body.
    #[must_use]
    pub const fn bare(kind: Kind, id: u64) -> Header {
        Header { kind, lane: Lane::Raft, service: 0, id, len_bytes: 0, rest: Rest::None }
    }

    /// Appends the header for this piece, and the piece.
    pub fn write(&self, piece: &[u8], out: &mut Vec<u8>) {
        debug_assert_eq!(self.len_bytes, piece.len());
        debug_assert!(piece.len() <= FRAGMENT_MAX_BYTES);
        let mut head = [0; HEADER_BYTES];
        head[..4].copy_from_slice(&u32::try_from(piece.len()).unwrap_or(u32::MAX).to_le_bytes());
        head[4] = self.kind as u8;
        head[5] = u8::try_from(index_of(self.lane)).unwrap_or(u8::MAX);
        head[6] = self.service;
        head[7] = if self.rest == Rest::Follows { FLAG_MORE } else { 0 };
        head[8..16].copy_from_slice(&self.id.to_le_bytes());
        let sum = checksum(&head, piece);
        head[16..].copy_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&head);
        out.extend_from_slice(piece);
    }

    /// Reads a header. Its checksum is told by [`Header::check`], when the piece is there.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn read(head: &[u8; HEADER_BYTES]) -> Result<Header, FrameError> {
        let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let len_bytes = usize::try_from(len).map_err(|_| FrameError::TooLong)?;
        let kind = Kind::of(head[4]).ok_or(FrameError::Broken)?;
        let lane = *LANES.get(usize::from(head[5])).ok_or(FrameError::Broken)?;
        let rest = match head[7] {
            0 => Rest::None,
            FLAG_MORE => Rest::Follows,
            _ => return Err(FrameError::Broken),
        };
        if len_bytes > FRAGMENT_MAX_BYTES {
            return Err(FrameError::TooLong);
        }
        Ok(Header { kind, lane, service: head[6], id: eight(&head[8..16]), len_bytes, rest })
    }

    /// Whether a piece is what its head says.
    ///
    /// # Errors
    /// [`FrameError::Broken`].
    pub fn check(head: &[u8; HEADER_BYTES], piece: &[u8]) -> Result<(), FrameError> {
        if checksum(head, piece) == eight(&head[16..]) { Ok(()) } else { Err(FrameError::Broken) }
    }
}

/// Over the head, without the checksum itself, and the piece. TCP's own checksum lets one damaged segment in 65,536 through.
fn checksum(head: &[u8; HEADER_BYTES], piece: &[u8]) -> u64 {
    xxh3_64_with_seed(piece, eight(&head[..8]) ^ eight(&head[8..16]).rotate_left(32))
}

fn eight(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(header: Header, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        header.write(piece, &mut out);
        out
    }

    fn head_of(bytes: &[u8]) -> [u8; HEADER_BYTES] {
        bytes[..HEADER_BYTES].try_into().unwrap()
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = Header { kind: Kind::Ask, lane: Lane::Snapshot, service: 7, id: u64::MAX - 3, len_bytes: 5, rest: Rest::Follows };
        let bytes = written(header, b"hello");
        assert_eq!(Header::read(&head_of(&bytes)), Ok(header));
        assert_eq!(Header::check(&head_of(&bytes), &bytes[HEADER_BYTES..]), Ok(()));
    }

    #[test]
    fn one_flipped_bit_anywhere_is_noticed() {
        let header = Header { kind: Kind::Tell, lane: Lane::Session, service: 3, id: 77, len_bytes: 5, rest: Rest::None };
        let good = written(header, b"hello");
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let head = head_of(&bytes);
            let is_taken =
                Header::read(&head).is_ok_and(|read| read.len_bytes == 5) && Header::check(&head, &bytes[HEADER_BYTES..]).is_ok();
            assert!(!is_taken, "bit {bit}");
        }
    }

    #[test]
    fn no_header_can_claim_more_than_a_fragment() {
        let mut head = head_of(&written(Header::bare(Kind::Ping, 1), b""));
        head[..4].copy_from_slice(&(16 * 1024 * 1024_u32).to_le_bytes());
        assert_eq!(Header::read(&head), Err(FrameError::TooLong));
    }
}

//! One WebSocket frame of a client, taken off a buffer (RFC 6455 §5). A length over the bound is refused by its header, before a byte of the frame is kept: the
//! parser of the HTTP crate waits for the whole frame first, so that a client could make it buffer any amount.

use bytes::{Buf, BytesMut};

/// What a client must not send. Each ends the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Against the RFC.
    Protocol,
    /// A text that is not UTF-8.
    Utf8,
    /// Longer than the bound.
    TooLarge,
    /// A binary message; the client protocol has none.
    Binary,
}

/// The kinds of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// A frame, unmasked.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub is_final: bool,
    pub kind: Kind,
    pub payload: BytesMut,
}

struct Header {
    is_final: bool,
    kind: Kind,
    header_bytes: usize,
    payload_bytes: usize,
    mask: [u8; 4],
}

const CONTROL_MAX_BYTES: usize = 125;

/// Takes the next frame off the buffer; none, when more bytes are needed.
///
/// # Errors
/// A [`Violation`]; nothing after it can be read.
pub fn take_frame(buffer: &mut BytesMut, payload_max_bytes: usize) -> Result<Option<Frame>, Violation> {
    let Some(header) = read_header(buffer)? else { return Ok(None) };
    if header.payload_bytes > payload_max_bytes {
        return Err(Violation::TooLarge);
    }
    let frame_bytes = header.header_bytes + header.payload_bytes;
    if buffer.len() < frame_bytes {
        buffer.reserve(frame_bytes - buffer.len());
        return Ok(None);
    }
    buffer.advance(header.header_bytes);
    let mut payload = buffer.split_to(header.payload_bytes);
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= header.mask[at % 4];
    }
    Ok(Some(Frame { is_final: header.is_final, kind: header.kind, payload }))
}

fn read_header(bytes: &[u8]) -> Result<Option<Header>, Violation> {
    let (Some(&first), Some(&second)) = (bytes.first(), bytes.get(1)) else { return Ok(None) };
    // No extension was agreed on, and a client masks all that it sends.
    if first & 0x70 != 0 || second & 0x80 == 0 {
        return Err(Violation::Protocol);
    }
    let is_final = first & 0x80 != 0;
    let kind = match first & 0x0f {
        0 => Kind::Continuation,
        1 => Kind::Text,
        2 => Kind::Binary,
        8 => Kind::Close,
        9 => Kind::Ping,
        10 => Kind::Pong,
        _ => return Err(Violation::Protocol),
    };
    let (length_bytes, payload_bytes) = match second & 0x7f {
        126 => (2, bytes.get(2..4).map(|length| u64::from(u16::from_be_bytes([length[0], length[1]])))),
        127 => (8, bytes.get(2..10).map(|length| u64::from_be_bytes(length.try_into().expect("it has 8 bytes")))),
        short => (0, Some(u64::from(short))),
    };
    let Some(payload_bytes) = payload_bytes else { return Ok(None) };
    let payload_bytes = usize::try_from(payload_bytes).map_err(|_| Violation::TooLarge)?;
    let is_control = matches!(kind, Kind::Close | Kind::Ping | Kind::Pong);
    if is_control && (!is_final || payload_bytes > CONTROL_MAX_BYTES) {
        return Err(Violation::Protocol);
    }
    let mask_at = 2 + length_bytes;
    let Some(mask) = bytes.get(mask_at..mask_at + 4) else { return Ok(None) };
    let mask = mask.try_into().expect("it has 4 bytes");
    Ok(Some(Header { is_final, kind, header_bytes: mask_at + 4, payload_bytes, mask }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A frame as a client sends it: `head` is its first byte.
    pub fn masked(head: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![head];
        match payload.len() {
            short @ 0..=125 => bytes.push(0x80 | short as u8),
            middle @ 126..=0xffff => {
                bytes.push(0x80 | 126);
                bytes.extend((middle as u16).to_be_bytes());
            }
            long => {
                bytes.push(0x80 | 127);
                bytes.extend((long as u64).to_be_bytes());
            }
        }
        let mask = [1, 2, 3, 4];
        bytes.extend(mask);
        bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        bytes
    }

    fn take(bytes: &[u8]) -> Result<Option<Frame>, Violation> {
        take_frame(&mut BytesMut::from(bytes), 70_000)
    }

    #[test]
    fn a_frame_of_any_length_is_read_whole_or_not_yet() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 70_000] {
            let payload: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let bytes = masked(0x81, &payload);
            let frame = take(&bytes).unwrap().expect("it is whole");
            assert_eq!((frame.is_final, frame.kind, &frame.payload[..]), (true, Kind::Text, &payload[..]));
            for cut in [0, 1, 2, 5, bytes.len() - 1] {
                assert_eq!(take(&bytes[..cut.min(bytes.len() - 1)]), Ok(None));
            }
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_by_its_header() {
        let bytes = masked(0x81, &vec![0; 70_001]);
        assert_eq!(take(&bytes[..14]), Err(Violation::TooLarge));
        assert_eq!(take(&[0x81, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]), Err(Violation::TooLarge));
    }

    #[test]
    fn what_the_rfc_forbids_is_a_violation() {
        let unmasked = [0x81, 0x01, b'a'];
        let long_ping = masked(0x89, &[0; 126]);
        for bytes in [&unmasked[..], &masked(0xc1, b"a"), &masked(0x83, b"a"), &masked(0x8b, b"a"), &masked(0x09, b"a"), &long_ping] {
            assert_eq!(take(bytes), Err(Violation::Protocol), "{bytes:?}");
        }
    }
}

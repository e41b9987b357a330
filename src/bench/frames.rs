//! Frames of RFC 6455, as much of them as a generator needs: short ones written with a mask of 0, which leaves the text as it is; whole ones read. Knows no socket.

use std::io;

/// What stands before the text of a frame that is written, at most.
pub const HEAD_BYTES: usize = 14;
/// A node sends no longer one.
const FRAME_MAX_BYTES: u64 = 16 * 1024 * 1024;

/// A frame as it was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message of text.
    Text(&'a str),
    /// A message of bytes; no node sends one, other servers do.
    Bytes(&'a [u8]),
    /// To be answered by a pong of the same payload.
    Ping(&'a [u8]),
    /// The connection ends, with that code.
    Close(Option<u16>),
    /// What needs nothing done.
    Other,
}

/// The first frame, and how many bytes it takes; nothing, while it isn't whole.
///
/// # Errors
/// It is one that no server sends here: too long, in parts, or of no text.
pub fn first(bytes: &[u8]) -> io::Result<Option<(Frame<'_>, usize)>> {
    let [kind, length, ..] = *bytes else { return Ok(None) };
    let (head, length) = match length & 0x7f {
        126 => {
            let Some(long) = bytes.get(2..4) else { return Ok(None) };
            (4, u64::from(u16::from_be_bytes([long[0], long[1]])))
        }
        127 => {
            let Some(long) = bytes.get(2..10).and_then(|long| long.try_into().ok()) else { return Ok(None) };
            (10, u64::from_be_bytes(long))
        }
        short => (2, u64::from(short)),
    };
    if length > FRAME_MAX_BYTES || kind & 0x80 == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame that no node sends"));
    }
    let end = head + usize::try_from(length).map_err(io::Error::other)?;
    let Some(payload) = bytes.get(head..end) else { return Ok(None) };
    let frame = match kind & 0x0f {
        1 => Frame::Text(std::str::from_utf8(payload).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?),
        2 => Frame::Bytes(payload),
        8 => Frame::Close(payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]))),
        9 => Frame::Ping(payload),
        _ => Frame::Other,
    };
    Ok(Some((frame, end)))
}

/// Writes a text frame.
pub fn write_text(out: &mut Vec<u8>, text: &str) {
    write(out, 0x81, text.as_bytes());
}

/// Writes a frame of bytes.
pub fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write(out, 0x82, bytes);
}

/// Writes the answer to a ping.
pub fn write_pong(out: &mut Vec<u8>, payload: &[u8]) {
    write(out, 0x8a, payload);
}

fn write(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.push(kind);
    match u16::try_from(payload.len()) {
        Ok(short @ 0..=125) => out.push(0x80 | short.to_be_bytes()[1]),
        Ok(long) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&long.to_be_bytes());
        }
        Err(_) => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmasked(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut written = Vec::new();
        write(&mut written, kind, payload);
        // A node's frame has no mask.
        written[1] &= 0x7f;
        let head = written.len() - payload.len();
        written.drain(head - 4..head);
        written
    }

    #[test]
    fn what_is_written_is_read_whatever_its_length() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            let bytes = unmasked(0x81, text.as_bytes());
            assert_eq!(first(&bytes).unwrap(), Some((Frame::Text(&text), bytes.len())));
            assert_eq!(first(&bytes[..bytes.len() - 1]).unwrap_or(None), None, "{length}: it isn't whole");
        }
    }

    #[test]
    fn pings_and_closes_are_told_from_text() {
        assert_eq!(first(&unmasked(0x89, b"now")).unwrap(), Some((Frame::Ping(b"now"), 5)));
        assert_eq!(first(&unmasked(0x88, &4440_u16.to_be_bytes())).unwrap(), Some((Frame::Close(Some(4440)), 4)));
        assert_eq!(first(&unmasked(0x88, b"")).unwrap(), Some((Frame::Close(None), 2)));
        assert!(first(&[0x81, 127, 1, 0, 0, 0, 0, 0, 0, 0]).is_err(), "longer than any");
        assert!(first(&[0x01, 0]).is_err(), "a part of a message");
    }
}

//! The one frame that goes each way between a guest and a node: a single fragment, read at its own length.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::frame::{FRAGMENT_MAX_BYTES, FrameError, HEADER_BYTES, Header, Kind, Rest};
use super::handshake::Wire;
use super::inbox::InboxError;
use crate::ports::peers::Lane;

/// Longest question of a guest, and longest answer.
pub const GUEST_MAX_BYTES: usize = FRAGMENT_MAX_BYTES;
const STEP_BYTES: usize = 4 * 1024;

/// Writes the frame.
///
/// # Errors
/// The connection broke, or the body is too long.
pub async fn write<S: Wire>(stream: &mut S, (kind, service): (Kind, u8), body: &[u8]) -> Result<(), InboxError> {
    if body.len() > GUEST_MAX_BYTES {
        return Err(FrameError::TooLong.into());
    }
    let header = Header { kind, lane: Lane::Session, service, id: 1, len_bytes: body.len(), rest: Rest::None };
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    header.write(body, &mut bytes);
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    Ok(())
}

/// Reads the frame; memory is set aside as it arrives.
///
/// # Errors
/// [`InboxError`].
pub async fn read<S: Wire>(stream: &mut S) -> Result<(Header, Bytes), InboxError> {
    let mut head = [0; HEADER_BYTES];
    stream.read_exact(&mut head).await?;
    let header = Header::read(&head)?;
    if header.rest == Rest::Follows {
        return Err(FrameError::TooLong.into());
    }
    let mut body = Vec::new();
    while body.len() < header.len_bytes {
        let start = body.len();
        body.resize(header.len_bytes.min(start + STEP_BYTES), 0);
        stream.read_exact(&mut body[start..]).await?;
    }
    Header::check(&head, &body)?;
    Ok((header, Bytes::from(body)))
}

//! How openraft's messages lie in a body between nodes: a version, the group, the kind, then the message. An answer: a version, whether it was refused, the
//! answer. What has another version is refused by both sides.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use xxhash_rust::xxh3::xxh3_64;

use super::types::{SnapshotMeta, Vote};
use crate::ledger::ids::ShardId;

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 4;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Append = 1,
    Vote = 2,
    PreVote = 3,
    TransferLeader = 4,
    SnapshotBegin = 5,
    SnapshotChunk = 6,
    SnapshotEnd = 7,
    SnapshotAbort = 8,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::Append,
        Kind::Vote,
        Kind::PreVote,
        Kind::TransferLeader,
        Kind::SnapshotBegin,
        Kind::SnapshotChunk,
        Kind::SnapshotEnd,
        Kind::SnapshotAbort,
    ];
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the node doesn't know the version of the message")]
    Version = 1,
    #[error("the node can't read the message")]
    Unreadable = 2,
    #[error("the node has no such group")]
    NoGroup = 3,
    #[error("the group on that node has stopped")]
    Stopped = 4,
    #[error("the node takes in as many snapshots as it can")]
    Busy = 5,
    #[error("a part of the snapshot is missing or damaged")]
    Damaged = 6,
}

impl Refusal {
    const ALL: [Refusal; 6] = [Refusal::Version, Refusal::Unreadable, Refusal::NoGroup, Refusal::Stopped, Refusal::Busy, Refusal::Damaged];
}

/// Announces a snapshot.
#[derive(Serialize, serde::Deserialize)]
pub struct SnapshotBegin {
    /// Drawn by the sender.
    pub id: u64,
    pub vote: Vote,
    pub meta: SnapshotMeta,
    pub length_bytes: u64,
}

/// All chunks were sent, or none will come any more.
#[derive(Serialize, serde::Deserialize)]
pub struct SnapshotEnd {
    pub id: u64,
}

/// A part of a snapshot.
pub struct SnapshotChunk {
    pub id: u64,
    pub offset_bytes: u64,
    pub bytes: Bytes,
}

const CHUNK_HEAD_BYTES: usize = 3 * 8;

impl SnapshotChunk {
    /// The whole body of the message.
    pub fn encode(group: ShardId, id: u64, offset_bytes: u64, bytes: &[u8]) -> Bytes {
        let mut body = head(group, Kind::SnapshotChunk, CHUNK_HEAD_BYTES + bytes.len());
        body.put_u64_le(id);
        body.put_u64_le(offset_bytes);
        body.put_u64_le(xxh3_64(bytes));
        body.put_slice(bytes);
        body.freeze()
    }

    /// Checks and decodes what stands behind the head.
    pub fn decode(message: &Bytes) -> Result<SnapshotChunk, Refusal> {
        let number = |at: usize| message.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let (Some(id), Some(offset_bytes), Some(checksum)) = (number(0), number(8), number(16)) else {
            return Err(Refusal::Unreadable);
        };
        let bytes = message.slice(CHUNK_HEAD_BYTES..);
        if xxh3_64(&bytes) != checksum {
            return Err(Refusal::Damaged);
        }
        Ok(SnapshotChunk { id, offset_bytes, bytes })
    }
}

fn head(group: ShardId, kind: Kind, room_bytes: usize) -> BytesMut {
    let mut body = BytesMut::with_capacity(HEAD_BYTES + room_bytes);
    body.put_u8(VERSION);
    body.put_u16(group.0);
    body.put_u8(kind as u8);
    body
}

/// The body of a question.
pub fn question(group: ShardId, kind: Kind, message: &impl Serialize) -> Bytes {
    let body: Vec<u8> = head(group, kind, 64).into();
    Bytes::from(postcard::to_extend(message, body).expect("openraft's types have a postcard form"))
}

/// The group, the kind and the message of a question.
pub fn parse(body: &Bytes) -> Result<(ShardId, Kind, Bytes), Refusal> {
    let head = body.get(..HEAD_BYTES).ok_or(Refusal::Unreadable)?;
    if head[0] != VERSION {
        return Err(Refusal::Version);
    }
    let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == head[3]).ok_or(Refusal::Version)?;
    Ok((ShardId(u16::from_be_bytes([head[1], head[2]])), kind, body.slice(HEAD_BYTES..)))
}

/// Decodes a message.
pub fn message<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    postcard::from_bytes(bytes).map_err(|_| Refusal::Unreadable)
}

/// The body of an answer.
pub fn answer(value: &impl Serialize) -> Bytes {
    Bytes::from(postcard::to_extend(value, vec![VERSION, 0]).expect("openraft's types have a postcard form"))
}

/// The body of an answer that refuses.
pub fn refuse(refusal: Refusal) -> Bytes {
    Bytes::copy_from_slice(&[VERSION, refusal as u8])
}

/// Reads an answer.
pub fn parse_answer<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    match body {
        [VERSION, 0, value @ ..] => message(value),
        [VERSION, code, ..] => Err(Refusal::ALL.into_iter().find(|refusal| *refusal as u8 == *code).unwrap_or(Refusal::Version)),
        [_, ..] => Err(Refusal::Version),
        [] => Err(Refusal::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_as_it_was_written() {
        let body = question(ShardId(300), Kind::PreVote, &7u64);
        let (group, kind, rest) = parse(&body).unwrap();
        assert_eq!((group, kind, message::<u64>(&rest)), (ShardId(300), Kind::PreVote, Ok(7)));
        assert_eq!(parse_answer::<u64>(&answer(&9u64)), Ok(9));
        assert_eq!(parse_answer::<u64>(&refuse(Refusal::Busy)), Err(Refusal::Busy));
    }

    #[test]
    fn what_has_another_version_or_is_cut_short_is_refused() {
        let body = question(ShardId(1), Kind::Append, &7u64);
        let mut newer = body.to_vec();
        newer[0] = 2;
        assert_eq!(parse(&Bytes::from(newer)).err(), Some(Refusal::Version));
        assert_eq!(parse(&body.slice(..3)).err(), Some(Refusal::Unreadable));
        assert_eq!(parse_answer::<u64>(&[9, 0, 7]), Err(Refusal::Version));
        assert_eq!(parse_answer::<u64>(&[]), Err(Refusal::Unreadable));
    }

    #[test]
    fn a_bent_chunk_is_found_out() {
        let body = SnapshotChunk::encode(ShardId(1), 5, 100, b"some bytes");
        let chunk = SnapshotChunk::decode(&parse(&body).unwrap().2).unwrap();
        assert_eq!((chunk.id, chunk.offset_bytes, &chunk.bytes[..]), (5, 100, &b"some bytes"[..]));
        for position in HEAD_BYTES + 16..body.len() {
            let mut bent = body.to_vec();
            bent[position] ^= 1;
            assert_eq!(SnapshotChunk::decode(&parse(&Bytes::from(bent)).unwrap().2).err(), Some(Refusal::Damaged), "byte {position}");
        }
        assert_eq!(SnapshotChunk::decode(&body.slice(HEAD_BYTES..HEAD_BYTES + 9)).err(), Some(Refusal::Unreadable));
    }
}

//! What replicas say to each other, and what lies on the disk: messages of Raft, records of the log, snapshots, backups. Whatever comes, it is read or refused, never a
//! panic; what is read is read again as it was written.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest, VoteResponse};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::backup_file::{Reader, Writer};
use super::content::{Content, Whole};
use super::error::ShardError;
use super::ledger_cell::LedgerCell;
use super::record::{self, HEAD_BYTES};
use super::recovery::{MarkKind, Records, Recovery, entry_key, is_behind};
use super::snapshot::{self, Header, ReadError};
use super::store::Loaded;
use super::tail::Found;
use super::types::{Entry, SnapshotMeta, TypeConfig, Vote};
use super::wire::{self, Kind, SnapshotBegin, SnapshotChunk, SnapshotEnd};
use crate::ledger::Ledger;
use crate::ledger::ids::ShardId;
use crate::ledger::snapshot::Restore;

/// A question between replicas, or, behind a first byte of 255, an answer.
pub fn raft_message(data: &[u8]) {
    if let Some((255, answer)) = data.split_first() {
        again::<AppendEntriesResponse<TypeConfig>>(answer);
        again::<VoteResponse<TypeConfig>>(answer);
        again::<Vote>(answer);
        return;
    }
    let Ok((group, kind, message)) = wire::parse(&Bytes::copy_from_slice(data)) else { return };
    match kind {
        Kind::Append => asked::<AppendEntriesRequest<TypeConfig>>(group, kind, &message),
        Kind::Vote | Kind::PreVote => asked::<VoteRequest<TypeConfig>>(group, kind, &message),
        Kind::TransferLeader => asked::<TransferLeaderRequest<TypeConfig>>(group, kind, &message),
        Kind::SnapshotBegin => asked::<SnapshotBegin>(group, kind, &message),
        Kind::SnapshotEnd | Kind::SnapshotAbort => asked::<SnapshotEnd>(group, kind, &message),
        Kind::SnapshotChunk => {
            if let Ok(chunk) = SnapshotChunk::decode(&message) {
                assert_eq!(SnapshotChunk::encode(group, chunk.id, chunk.offset_bytes, &chunk.bytes), data);
            }
        }
    }
}

fn asked<T: Serialize + DeserializeOwned>(group: ShardId, kind: Kind, message: &[u8]) {
    let Ok(value) = wire::message::<T>(message) else { return };
    let body = wire::question(group, kind, &value);
    let (group_again, kind_again, message) = wire::parse(&body).expect("what was written is read");
    assert_eq!((group_again, kind_again), (group, kind));
    let second: T = wire::message(&message).expect("what was written is read");
    assert_eq!(wire::question(group, kind, &second), body);
}

fn again<T: Serialize + DeserializeOwned>(answer: &[u8]) {
    let Ok(value) = wire::parse_answer::<T>(answer) else { return };
    let body = wire::answer(&value);
    let second: T = wire::parse_answer(&body).expect("what was written is read");
    assert_eq!(wire::answer(&second), body);
}

/// Records of a log, one behind the other: what it is, its length in two bytes, its bytes. Whether its checksum is right, the first byte says; else hardly any would be.
const IS_SEALED: u8 = 0x80;
const SHARD: ShardId = ShardId(3);

/// The records of a group's log, as they may lie on a disk: a log is made of them, or it is said which of them is damaged.
pub fn log_record(data: &[u8]) {
    let records = OnDisk::of(data);
    let recovery = Recovery { path: Path::new("log") };
    let keep_bytes = u64::from(data.first().copied().unwrap_or_default()) * 16;
    match recovery.load(SHARD, &records, keep_bytes) {
        Ok(loaded) => check_log(loaded, &records, keep_bytes),
        Err(error) => {
            assert!(matches!(error, ShardError::LogDamaged { .. } | ShardError::OtherVersion { .. }), "{error}");
            assert!(error.to_string().contains("hint: "), "{error}");
        }
    }
}

fn check_log(loaded: Loaded, records: &OnDisk, keep_bytes: u64) {
    let Loaded { mut tail, leftover } = loaded;
    assert!(tail.last() >= tail.purged() && tail.last() >= tail.committed());
    assert!(!is_behind(tail.vote(), tail.last()));
    assert!(leftover.start <= leftover.end && leftover.end <= tail.next_index());
    let kept = tail.kept();
    let count = records.entries.iter().filter(|(index, _)| *index >= leftover.end).count();
    assert_eq!(kept.end - kept.start, count as u64, "every entry is there");
    match tail.find(kept.clone(), u64::MAX) {
        Found::Here(entries) => {
            assert!(entries.iter().map(|entry| entry.log_id.index).eq(kept.clone()));
            entries.iter().for_each(check_entry);
        }
        Found::OnDisk(range) => assert!(range.start == kept.start && range.end <= kept.end),
    }
    if let Some(last) = tail.last() {
        tail.synced(last.index, keep_bytes / 2);
        tail.truncate(tail.committed().max(tail.purged()));
        tail.purge(last);
        assert_eq!((tail.last(), tail.kept()), (Some(last), last.index + 1..last.index + 1));
    }
}

fn check_entry(entry: &Entry) {
    let key = entry_key(SHARD, entry.log_id.index);
    let record = record::encode(&key, entry);
    assert_eq!(record::decode::<Entry>(&key, &record).as_ref(), Ok(entry));
}

struct OnDisk {
    marks: [Option<Vec<u8>>; 3],
    /// In order of their indexes.
    entries: Vec<(u64, Vec<u8>)>,
}

impl OnDisk {
    fn of(mut data: &[u8]) -> OnDisk {
        let mut found = OnDisk { marks: [None, None, None], entries: Vec::new() };
        let mut next = 0;
        while let Some(([kind, low, high], rest)) = data.split_first_chunk::<3>() {
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let (bytes, rest) = rest.split_at(length.min(rest.len()));
            data = rest;
            let record = |key: &[u8]| match kind & IS_SEALED {
                0 => bytes.to_vec(),
                _ => {
                    let mut record = [&[0; HEAD_BYTES], bytes].concat();
                    record::seal(key, &mut record);
                    record
                }
            };
            match kind & 7 {
                place @ 0..=2 => {
                    let kind = [MarkKind::Vote, MarkKind::Committed, MarkKind::Purged][usize::from(place)];
                    found.marks[usize::from(place)] = Some(record(&kind.key(SHARD)));
                }
                // The index of the first entry.
                3 => next = bytes.first_chunk().map_or(next, |index| u64::from_le_bytes(*index).max(next)),
                _ => {
                    found.entries.push((next, record(&entry_key(SHARD, next))));
                    // One that is left out makes a gap.
                    next = next.saturating_add(if kind & 7 == 7 { 2 } else { 1 });
                }
            }
        }
        found.entries.dedup_by_key(|(index, _)| *index);
        found
    }
}

impl Records for OnDisk {
    type Bytes = Vec<u8>;

    fn mark(&self, kind: MarkKind, _: ShardId) -> Result<Option<Vec<u8>>, ShardError> {
        Ok(self.marks[kind as usize].clone())
    }

    fn first_index(&self, _: ShardId) -> Result<Option<u64>, ShardError> {
        Ok(self.entries.first().map(|(index, _)| *index))
    }

    fn entries(&self, shard: ShardId, first: u64) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), ShardError>> {
        let rest = self.entries.iter().filter(move |(index, _)| *index >= first);
        rest.map(move |(index, record)| Ok((entry_key(shard, *index).to_vec(), record.clone())))
    }
}

/// A snapshot: its file as it stands, or, behind a first byte of 1, the chunks of a ledger, each with its length in two bytes; else no chunk would pass its checksum.
pub fn snapshot(data: &[u8]) {
    if let Some((1, chunks)) = data.split_first() {
        return ledger_chunks(chunks);
    }
    let verified = snapshot::verify(&mut &*data, SHARD);
    match snapshot::read(&mut &*data, SHARD, empty().rebuild()) {
        Ok((meta, Whole::Ledger(ledger))) => {
            assert_eq!(verified.expect("what is read passes all checksums"), meta);
            check_ledger(&ledger, &meta);
        }
        Ok((_, Whole::Opaque(_))) => panic!("a ledger was put together"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn empty() -> LedgerCell {
    LedgerCell::new(Arc::new(watch::channel(0).0))
}

fn ledger_chunks(mut data: &[u8]) {
    let mut restore = Restore::default();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let (chunk, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        if restore.push(chunk).is_err() {
            return;
        }
        data = rest;
    }
    if let Ok(ledger) = restore.finish() {
        check_ledger(&ledger, &SnapshotMeta::default());
    }
}

fn check_ledger(ledger: &Ledger, meta: &SnapshotMeta) {
    let mut file = Vec::new();
    let header = Header { shard: SHARD, meta: meta.clone() };
    let length = snapshot::write(&mut file, &header, ledger.view().chunks()).expect("memory takes it");
    assert_eq!(length, file.len() as u64);
    let (meta_again, whole) = snapshot::read(&mut &file[..], SHARD, empty().rebuild()).expect("what was written is read");
    let Whole::Ledger(second) = whole else { panic!("a ledger was put together") };
    assert_eq!(meta_again, *meta);
    assert!(second.view().chunks().eq(ledger.view().chunks()), "the same ledger gives the same bytes");
    assert_eq!(second.counts(), ledger.counts());
    assert!(matches!(snapshot::verify(&mut &file[..], ShardId(4)), Err(ReadError::OtherShard(_))));
}

/// The file of a backup.
pub fn backup(data: &[u8]) {
    let Ok((mut reader, header)) = Reader::begin(Cursor::new(data)) else { return };
    let mut shards = Vec::new();
    for _ in 0..header.shards {
        let mut bytes = Vec::new();
        if let Err(error) = std::io::Read::read_to_end(&mut reader.shard(), &mut bytes) {
            assert!(!error.to_string().is_empty());
            return;
        }
        assert!(bytes.len() <= data.len());
        shards.push(bytes);
    }
    if reader.end().is_ok() {
        let mut writer = Writer::begin(Vec::new(), &header).expect("memory takes it");
        for shard in &shards {
            writer.piece(shard).and_then(|()| writer.end_shard()).expect("memory takes it");
        }
        let file = writer.finish().expect("memory takes it");
        let (mut reader, again) = Reader::begin(Cursor::new(&file[..])).expect("what was written is read");
        assert_eq!(again, header);
        for shard in shards {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut reader.shard(), &mut bytes).expect("what was written is read");
            assert_eq!(bytes, shard);
        }
        reader.end().expect("what was written is read");
    }
}

#[cfg(test)]
#[path = "shard_tests.rs"]
mod tests;

//! The samples of what replicas say and keep, made by the code itself.

use std::collections::{BTreeMap, BTreeSet};

use openraft::EntryPayload;
use openraft::entry::RaftEntry;

use super::*;
use crate::fuzz_corpus::walk;
use crate::ledger::command::{Ack, Attach, By, Greeting, Visibility};
use crate::ledger::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use crate::ledger::ids::{ConnectionId, DeviceId, EdgeId, EngagementId, UserId};
use crate::ledger::reply::PublishReply;
use crate::ledger::time::{LedgerTime, Millis};
use crate::ledger::{Command, Reply};
use crate::shard::backup_file;
use crate::shard::types::{Batch, CommittedLeader, Data, LogId, Membership, Node};

fn id(index: u64) -> LogId {
    LogId::new(CommittedLeader::new(2), index)
}

fn user() -> UserId {
    UserId::parse("u1").unwrap()
}

fn publish(name: &str, steps: u8) -> Command {
    let engagement = Engagement {
        id: EngagementId::parse(name).unwrap(),
        payload: Payload("{\"q\":1}".into()),
        fingerprint: u64::from(steps),
        steps,
        settle_on: SettleOn::Completed,
        scope: if steps == 3 { Scope::Device } else { Scope::User },
        targets: Targets::Active,
        window: (steps == 2).then_some(Millis(120_000)),
        ttl: Some(Millis(90_000)),
        not_before: None,
        priority: -3,
        max_offers: 2,
        snooze: Some(Millis(4_000)),
    };
    Command::Publish { user: user(), engagement: Arc::new(engagement) }
}

fn attach() -> Command {
    let attach = Attach {
        device: DeviceId::parse("d1").unwrap(),
        connection: ConnectionId { edge: EdgeId(7), number: 1 },
        visibility: Visibility::Visible,
        max_in_flight: 16,
        acks: Vec::new(),
        open: Vec::new(),
        greeting: Greeting::Hello,
    };
    Command::Attach { user: user(), attach }
}

fn entry(index: u64, commands: Vec<Command>) -> Entry {
    let batch = Batch { at: LedgerTime(1_700_000_000_000 + index), commands: Arc::new(commands) };
    Entry { log_id: id(index), payload: EntryPayload::Normal(Data::Commands(batch)) }
}

fn membership(index: u64) -> Entry {
    let node = |name: &str| Node { name: name.to_owned() };
    let nodes = BTreeMap::from([(1, node("n1")), (2, node("n2"))]);
    let members = openraft::Membership::new(vec![BTreeSet::from([1, 2])], nodes).unwrap();
    Entry { log_id: id(index), payload: EntryPayload::Membership(members) }
}

fn meta() -> SnapshotMeta {
    let EntryPayload::Membership(members) = membership(4).payload else { panic!("it is one") };
    SnapshotMeta { last_log_id: Some(id(9)), last_membership: Membership::new(Some(id(4)), members) }
}

/// A ledger in which most things that can be are.
fn ledger() -> Ledger {
    let mut ledger = Ledger::default();
    let at = LedgerTime(1_700_000_000_000);
    let mut window = None;
    for command in [publish("a", 1), publish("b", 2), publish("c", 3), attach(), publish("d", 4)] {
        if let Reply::Publish(PublishReply::Queued { window: of_it, .. }) = ledger.apply(command, at).reply {
            window.get_or_insert(of_it);
        }
    }
    let (name, window) = (EngagementId::parse("a").unwrap(), window.unwrap());
    let device = DeviceId::parse("d1").unwrap();
    let ack = Ack { id: name.clone(), window, step: 1, data: Some(Payload("[9]".into())) };
    ledger.apply(Command::Ack { user: user(), by: By::posted(device.clone()), ack }, LedgerTime(at.0 + 5));
    let id = EngagementId::parse("d").unwrap();
    ledger.apply(Command::Dismiss { user: user(), by: By::posted(device), id, window }, LedgerTime(at.0 + 9));
    ledger
}

#[test]
fn raft_messages_of_the_corpus_are_read_or_refused() {
    let vote = Vote::new_committed(2, 1);
    let entries = vec![entry(7, vec![publish("a", 1), attach()]), Entry::new_blank(id(8)), membership(9)];
    let append = AppendEntriesRequest::<TypeConfig> { vote, prev_log_id: Some(id(6)), entries, leader_commit: Some(id(6)) };
    let asks = VoteRequest::<TypeConfig>::new(Vote::new(3, 2), Some(id(6)));
    let begin = SnapshotBegin { id: 5, vote, meta: meta(), length_bytes: 1_000 };
    let answer = |bytes: Bytes| [&[255], &bytes[..]].concat();
    let samples = vec![
        ("append", wire::question(SHARD, Kind::Append, &append).to_vec()),
        ("vote", wire::question(SHARD, Kind::Vote, &asks).to_vec()),
        ("pre_vote", wire::question(SHARD, Kind::PreVote, &asks).to_vec()),
        ("transfer", wire::question(SHARD, Kind::TransferLeader, &TransferLeaderRequest::<TypeConfig>::new(vote, 2, Some(id(6)))).to_vec()),
        ("snapshot_begin", wire::question(SHARD, Kind::SnapshotBegin, &begin).to_vec()),
        ("snapshot_chunk", SnapshotChunk::encode(SHARD, 5, 100, b"some bytes").to_vec()),
        ("snapshot_end", wire::question(SHARD, Kind::SnapshotEnd, &SnapshotEnd { id: 5 }).to_vec()),
        ("appended", answer(wire::answer(&AppendEntriesResponse::<TypeConfig>::Conflict))),
        ("voted", answer(wire::answer(&VoteResponse::<TypeConfig>::new(Vote::new(3, 2), Some(id(6)), true)))),
        ("refused", answer(wire::refuse(wire::Refusal::Busy))),
    ];
    walk("raft_message", samples, raft_message);
}

/// A record as the input of the target holds it.
fn on_disk(kind: u8, body: &[u8]) -> Vec<u8> {
    let [low, high] = u16::try_from(body.len()).unwrap().to_le_bytes();
    [&[kind, low, high], body].concat()
}

fn sealed(kind: u8, value: &impl Serialize) -> Vec<u8> {
    let record = record::encode(b"", value);
    on_disk(kind | IS_SEALED, &record[HEAD_BYTES..])
}

#[test]
fn records_of_the_corpus_make_a_log_or_are_refused() {
    let vote = sealed(0, &Vote::new_committed(2, 1));
    let first = |index: u64| on_disk(3, &index.to_le_bytes());
    let entries = |range: std::ops::Range<u64>| range.flat_map(|index| sealed(4, &entry(index, vec![publish("a", 1)]))).collect::<Vec<_>>();
    let whole = [vote.clone(), sealed(1, &id(7)), sealed(2, &id(4)), first(5), entries(5..9)].concat();
    let with_gap = [vote.clone(), entries(0..1), sealed(7, &Entry::new_blank(id(1))), entries(3..4)].concat();
    let last = Entry::new_blank(id(u64::MAX));
    let samples = vec![
        ("whole", whole.clone()),
        ("from_the_first_entry", [vote.clone(), first(0), sealed(4, &membership(0)), entries(1..4)].concat()),
        ("committed_and_gone", [vote.clone(), sealed(1, &id(7)), entries(0..3)].concat()),
        ("a_vote_older_than_the_entries", entries(0..3)),
        ("gap", with_gap),
        ("bent", [&whole[..], &on_disk(4, b"no record of ours")].concat()),
        ("purged_up_to_the_end_of_numbers", sealed(2, &id(u64::MAX))),
        ("entry_at_the_end_of_numbers", [first(u64::MAX), sealed(4, &last)].concat()),
        ("leftover", [vote, sealed(2, &id(6)), first(3), entries(3..9)].concat()),
    ];
    walk("log_record", samples, log_record);
}

#[test]
fn snapshots_of_the_corpus_are_read_or_refused() {
    let ledger = ledger();
    let mut file = Vec::new();
    snapshot::write(&mut file, &Header { shard: SHARD, meta: meta() }, ledger.view().chunks()).unwrap();
    let chunk = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_le_bytes(), bytes].concat();
    let chunks = ledger.view().chunks().flat_map(|bytes| chunk(&bytes)).collect::<Vec<_>>();
    let mut nothing = Vec::new();
    snapshot::write(&mut nothing, &Header { shard: SHARD, meta: SnapshotMeta::default() }, Ledger::default().view().chunks()).unwrap();
    let samples = vec![
        ("file", file.clone()),
        ("file_of_nothing", nothing),
        ("chunks", [vec![1], chunks.clone()].concat()),
        ("chunks_cut_short", [vec![1], chunks[..chunks.len() / 2].to_vec()].concat()),
        ("file_cut_short", file[..file.len() / 2].to_vec()),
    ];
    walk("snapshot", samples, snapshot);
}

#[test]
fn backups_of_the_corpus_are_read_or_refused() {
    let header = backup_file::Header { cluster_id: "c1".to_owned(), shards: 2, made_at_ms: 7 };
    let mut shard = Vec::new();
    snapshot::write(&mut shard, &Header { shard: ShardId(0), meta: meta() }, ledger().view().chunks()).unwrap();
    let mut writer = Writer::begin(Vec::new(), &header).unwrap();
    for _ in 0..2 {
        let (one, other) = shard.split_at(100);
        writer.piece(one).and_then(|()| writer.piece(other)).and_then(|()| writer.end_shard()).unwrap();
    }
    let file = writer.finish().unwrap();
    let none = backup_file::Header { shards: 0, ..header };
    let samples = vec![
        ("file", file.clone()),
        ("file_of_nothing", Writer::begin(Vec::new(), &none).unwrap().finish().unwrap()),
        ("file_cut_short", file[..file.len() - 20].to_vec()),
        ("file_with_more_behind_it", [&file[..], b"x"].concat()),
    ];
    walk("backup", samples, backup);
}

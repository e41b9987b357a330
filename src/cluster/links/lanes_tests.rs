//! Tests of the lanes: bounds, priority, fairness, the window of snapshots.

use bytes::Bytes;

use super::config::LaneBound;
use super::frame::{FRAGMENT_MAX_BYTES, Header, Kind, Rest, index_of};
use super::lanes::{Lanes, NoRoom, Outgoing, Piece, WRITE_BYTES};
use crate::ports::peers::Lane;
use futures_util::FutureExt as _;

const BOUND: LaneBound = LaneBound { bytes: 4 * 1024 * 1024, frames: 100 };

fn message(id: u64, len_bytes: usize) -> Outgoing {
    Outgoing { kind: Kind::Tell, service: 1, id, body: Bytes::from(vec![7; len_bytes]) }
}

fn next(lanes: &Lanes) -> Vec<Piece> {
    let mut write = Vec::new();
    assert!(lanes.next_write(&mut write).now_or_never().expect("something waits"));
    write
}

#[test]
fn a_lane_is_bounded_in_bytes_and_in_frames() {
    let lanes = Lanes::new([BOUND; 3]);
    let mut taken = 0;
    while lanes.push(Lane::Raft, message(taken, 1)).is_ok() {
        taken += 1;
    }
    assert_eq!(taken, 100);
    assert_eq!(lanes.push(Lane::Session, message(0, 3 * 1024 * 1024)), Ok(()), "another lane has room of its own");
    assert_eq!(lanes.push(Lane::Session, message(1, 2 * 1024 * 1024)), Err(NoRoom));
    assert_eq!(lanes.push(Lane::Snapshot, message(0, 5 * 1024 * 1024)), Ok(()), "an empty lane takes any frame");
    assert_eq!(lanes.push(Lane::Snapshot, message(1, 1)), Err(NoRoom));
}

#[test]
fn urgent_lanes_go_first_and_a_write_is_bounded() {
    let lanes = Lanes::new([BOUND; 3]);
    lanes.push(Lane::Snapshot, message(1, 2 * 1024 * 1024)).unwrap();
    let first = next(&lanes);
    assert!(first.len() <= WRITE_BYTES / FRAGMENT_MAX_BYTES + 1, "{}", first.len());
    lanes.push(Lane::Session, message(2, 10)).unwrap();
    lanes.push(Lane::Raft, message(3, 10)).unwrap();
    lanes.push_control(Header::bare(Kind::Ping, 4));
    let ids: Vec<u64> = next(&lanes).iter().map(|piece| piece.header.id).take(4).collect();
    assert_eq!(ids, [4, 3, 2, 1]);
}

#[test]
fn a_lane_that_gets_no_room_is_served_all_the_same() {
    let lanes = Lanes::new([BOUND; 3]);
    lanes.push(Lane::Snapshot, message(1, 1024 * 1024)).unwrap();
    lanes.push(Lane::Session, message(2, 1024 * 1024)).unwrap();
    let mut served = [0_u32; 3];
    for _ in 0..40 {
        while lanes.push(Lane::Raft, message(3, FRAGMENT_MAX_BYTES)).is_ok() {}
        for piece in next(&lanes) {
            served[index_of(piece.header.lane)] += 1;
            if piece.header.kind == Kind::Mark {
                lanes.passed(piece.header.id);
            }
        }
    }
    assert!(served[0] > 100 && served[1] >= 4 && served[2] >= 4, "{served:?}");
}

#[test]
fn of_snapshots_no_more_is_on_its_way_than_a_window() {
    let lanes = Lanes::new([BOUND; 3]);
    lanes.push(Lane::Snapshot, message(1, 4 * 1024 * 1024)).unwrap();
    let mut write = Vec::new();
    let mut marks = Vec::new();
    let mut sent_bytes = 0;
    while lanes.next_write(&mut write).now_or_never().is_some() {
        sent_bytes += write.iter().map(|piece| piece.bytes.len()).sum::<usize>();
        marks.extend(write.drain(..).map(|piece| piece.header).filter(|header| header.kind == Kind::Mark).map(|header| header.id));
    }
    assert!((1024 * 1024..=1024 * 1024 + FRAGMENT_MAX_BYTES).contains(&sent_bytes), "{sent_bytes}");
    lanes.push(Lane::Raft, message(2, 10)).unwrap();
    assert_eq!(next(&lanes).len(), 1, "other lanes don't wait for it");
    lanes.passed(u64::MAX);
    lanes.passed(marks[0]);
    assert!(!next(&lanes).is_empty(), "room again");
}

#[test]
fn the_fragments_of_a_message_make_the_message() {
    let lanes = Lanes::new([BOUND; 3]);
    let body: Vec<u8> = (0..1_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    lanes.push(Lane::Raft, Outgoing { kind: Kind::Ask, service: 1, id: 9, body: Bytes::from(body.clone()) }).unwrap();
    lanes.close(Header::bare(Kind::Goodbye, 0));
    let mut got = Vec::new();
    let mut last = None;
    let mut write = Vec::new();
    while lanes.next_write(&mut write).now_or_never().expect("closed lanes don't wait") {
        for piece in write.drain(..) {
            got.extend_from_slice(&piece.bytes);
            assert_eq!(piece.header.rest == Rest::None, got.len() == body.len());
            last = Some(piece.header.kind);
        }
    }
    assert_eq!(last, Some(Kind::Goodbye));
    assert!(got == body);
    assert_eq!(lanes.queued_bytes(), [0; 3]);
}

//! Records are found, forgotten and written as a plain list of them would be. Not what they mean: that is tried with the whole ledger.

use super::*;
use crate::ledger::engagement::Scope;
use crate::ledger::reply::State;
use crate::ledger::settled::Times;

const CARRY: Millis = Millis(100);

fn record(number: u64, settled_at: u64) -> Settled {
    Settled {
        id: EngagementId::parse(&format!("e{}", number * 7_919 % 1_009)).expect("a valid id"),
        window: WindowId(number),
        device: (!number.is_multiple_of(3))
            .then(|| DeviceId::parse(&format!("a device with a long name {}", number % 5)).expect("a valid id")),
        sequence: number,
        fingerprint: number,
        times: Times { settled_at: LedgerTime(settled_at), closes_at: LedgerTime(settled_at + number % 400), may_be_carried: true },
        scope: Scope::User,
        state: State::Completed,
        reason: None,
        step: 1,
        steps: 1,
    }
}

/// As it would be done with a plain list.
fn in_order(mut records: Vec<Settled>) -> Vec<Settled> {
    records.sort_by(|one, other| (&one.id, one.window, &one.device).cmp(&(&other.id, other.window, &other.device)));
    records
}

fn filled(count: u64) -> (Remembered, Vec<Settled>) {
    let (mut remembered, mut records) = (Remembered::default(), Vec::new());
    for number in 0..count {
        let record = record(number, 1_000 + number * 31 % 700);
        remembered.insert(&record, CARRY);
        records.push(record);
    }
    (remembered, in_order(records))
}

fn check(remembered: &Remembered, records: &[Settled]) {
    assert_eq!(remembered.iter().collect::<Vec<_>>(), records);
    assert_eq!((remembered.len(), remembered.is_empty()), (records.len(), records.is_empty()));
    assert_eq!(remembered.forget_due(), records.iter().map(|record| record.times.forget_at(CARRY)).min());
    assert!(remembered.pieces.iter().all(|piece| (1..=PIECE_COUNT_MAX).contains(&piece.count)));
    for record in records {
        let same: Vec<Settled> = records.iter().filter(|other| other.id == record.id).cloned().collect();
        assert_eq!(remembered.of(&record.id).collect::<Vec<_>>(), same);
    }
    assert_eq!(remembered.of(&EngagementId::parse("none").expect("a valid id")).count(), 0);
}

#[test]
fn many_records_are_found_and_stand_in_order() {
    for count in [0, 1, 2, 64, 65, 1_000, 3_000] {
        let (remembered, records) = filled(count);
        check(&remembered, &records);
    }
}

#[test]
fn what_is_due_is_forgotten_and_nothing_else() {
    let (mut remembered, mut records) = filled(1_000);
    for at in (1_000..2_300).step_by(50).map(LedgerTime) {
        remembered.forget(at, CARRY);
        records.retain(|record| record.times.forget_at(CARRY) > at);
        check(&remembered, &records);
    }
    assert!(remembered.is_empty() && remembered.pieces.capacity() == 0);
}

#[test]
fn the_oldest_that_block_nothing_make_room() {
    let (mut remembered, mut records) = filled(500);
    let at = LedgerTime(1_500);
    for count_max in [499, 400, 0] {
        remembered.make_room(count_max, at, CARRY);
        let mut free: Vec<Settled> = records.iter().filter(|record| !record.times.is_blocking(at, CARRY)).cloned().collect();
        free.sort_by_key(|record| (record.times.settled_at, record.sequence));
        free.truncate(records.len() - count_max);
        records.retain(|record| !free.contains(record));
        check(&remembered, &records);
    }
    assert!(!records.is_empty() && records.iter().all(|record| record.times.is_blocking(at, CARRY)));
}

#[test]
fn what_is_written_reads_as_the_same_however_it_was_cut() {
    let (remembered, records) = filled(700);
    let bytes = postcard::to_allocvec(&remembered).expect("it encodes");
    let mut back: Remembered = postcard::from_bytes(&bytes).expect("it decodes");
    back.reckon_due(CARRY);
    check(&back, &records);
    assert_eq!(back, remembered);
    assert_eq!(postcard::to_allocvec(&back).expect("it encodes"), bytes);
}

#[test]
fn what_is_not_settled_is_no_record() {
    let bytes = postcard::to_allocvec(&[Settled { state: State::Offered, ..record(1, 1) }][..]).expect("it encodes");
    assert!(postcard::from_bytes::<Remembered>(&bytes).is_err());
}

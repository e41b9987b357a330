//! A snapshot restores to an equal ledger, is the same bytes for the same commands, and refuses what it can't read.

use crate::person::*;
use crate::properties::{Step, run, steps};
use engage::ledger::Ledger;
use engage::ledger::engagement::{Engagement, Scope};
use engage::ledger::ids::UserId;
use engage::ledger::reply::{PublishReply, State};
use engage::ledger::snapshot::{Restore, SNAPSHOT_VERSION, SnapshotError};
use proptest::prelude::*;

pub fn bytes_of(ledger: &Ledger) -> Vec<Vec<u8>> {
    ledger.view().chunks().collect()
}

pub fn restored(chunks: &[Vec<u8>]) -> Result<Ledger, SnapshotError> {
    let mut restore = Restore::default();
    for chunk in chunks {
        restore.push(chunk)?;
    }
    restore.finish()
}

#[test]
fn a_snapshot_is_cut_into_chunks_of_bounded_size() {
    let mut person = Person::new();
    for number in 0..2_000 {
        person.user = UserId::parse(&format!("u{number}")).unwrap();
        let payload = engage::ledger::engagement::Payload(bytes::Bytes::from(vec![b'1'; 1_000]));
        person.ledger.apply(
            engage::ledger::Command::Publish { user: person.user.clone(), engagement: Engagement { payload, ..engagement("a") }.into() },
            engage::ledger::time::LedgerTime(person.now),
        );
    }
    let chunks = bytes_of(&person.ledger);
    assert!(chunks.len() > 8 && chunks.iter().all(|chunk| chunk.len() <= 256 * 1024));
    let back = restored(&chunks).unwrap();
    back.check().unwrap();
    assert_eq!(bytes_of(&back), chunks);
    assert_eq!(back.counts(), person.ledger.counts());
}

#[test]
fn a_view_does_not_change_with_the_ledger() {
    let mut person = Person::new();
    person.publish(engagement("a"));
    let view = person.ledger.view();
    let before: Vec<_> = view.chunks().collect();
    person.attach("phone");
    person.ack("phone", "a", 0);
    assert_eq!(view.chunks().collect::<Vec<_>>(), before);
    assert_ne!(bytes_of(&person.ledger), before);
}

#[test]
fn what_is_carried_stays_settled_after_a_snapshot() {
    let mut person = Person::new();
    person.publish(engagement("a"));
    person.attach("phone");
    person.pass(20 * HOUR);
    person.ack("phone", "a", 0);
    person.pass(5 * HOUR);
    person.ledger = restored(&bytes_of(&person.ledger)).unwrap();
    assert!(matches!(person.publish(engagement("a")), PublishReply::Duplicate { state: State::Completed, .. }));
    person.pass(HOUR);
    assert!(matches!(person.publish(engagement("a")), PublishReply::Queued { .. }));
}

#[test]
fn a_snapshot_that_is_cut_or_of_another_version_is_refused() {
    let mut person = Person::new();
    person.publish(Engagement { scope: Scope::Device, ..engagement("a") });
    let chunks = bytes_of(&person.ledger);
    assert_eq!(restored(&chunks[..1]).unwrap_err(), SnapshotError::Damaged("it ends early"));
    let mut longer = chunks.clone();
    longer.push(vec![1, 2, 3]);
    assert_eq!(restored(&longer).unwrap_err(), SnapshotError::Damaged("there is more than it says"));
    let mut other = chunks.clone();
    other[0][0] = 99;
    assert_eq!(restored(&other).unwrap_err(), SnapshotError::Version { found: 99, known: SNAPSHOT_VERSION });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn the_same_commands_give_the_same_bytes_and_a_restored_ledger_goes_on_alike(before in steps(), after in steps()) {
        let (mut one, mut other) = (run(&before), run(&before));
        prop_assert_eq!(bytes_of(&one.ledger), bytes_of(&other.ledger));
        other.ledger = restored(&bytes_of(&other.ledger)).unwrap();
        other.ledger.check().unwrap();
        prop_assert_eq!(one.ledger.next_due(), other.ledger.next_due());
        for step in &after {
            let step: &Step = step;
            prop_assert_eq!(one.take(step), other.take(step));
        }
        prop_assert_eq!(bytes_of(&one.ledger), bytes_of(&other.ledger));
    }
}

//! CONTRACT G7: what a user may take, and who is told at the bound.

use crate::person::*;
use engage::ledger::Command;
use engage::ledger::engagement::Engagement;
use engage::ledger::limits::{Overflow, Settings};
use engage::ledger::outcome::What;
use engage::ledger::reply::{AttachReply, Bound, PublishReply, State};
use engage::ledger::view::EngagementView;

fn small(overflow: Overflow) -> Settings {
    Settings { buffer_deliveries_max: 2, overflow, ..Settings::default() }
}

#[test]
fn a_full_buffer_refuses_a_publish_and_says_which_bound_it_was() {
    let mut person = Person::with(small(Overflow::Reject));
    person.publish(engagement("a"));
    person.publish(engagement("b"));
    assert_eq!(person.publish(engagement("c")), PublishReply::Full(Bound::BufferDeliveries));
    assert!(matches!(person.publish(engagement("a")), PublishReply::Duplicate { .. }));
    person.attach("phone");
    person.ack("phone", "a", 0);
    assert!(matches!(person.publish(engagement("c")), PublishReply::Queued { .. }));
}

#[test]
fn a_full_buffer_drops_the_oldest_that_nobody_holds_if_told_so() {
    let mut person = Person::with(small(Overflow::DropOldest));
    person.publish(Engagement { priority: 9, ..engagement("a") });
    person.publish(engagement("b"));
    assert!(matches!(person.publish(engagement("c")), PublishReply::Queued { .. }));
    assert_eq!(person.outcomes(), ["dropped a BufferFull"]);
    person.attach("phone");
    assert_eq!(person.publish(engagement("d")), PublishReply::Full(Bound::BufferDeliveries));
    assert_eq!(person.outcomes().len(), 1);
}

#[test]
fn bytes_are_bounded_too_and_nothing_is_dropped_for_what_cannot_fit() {
    let bytes = engagement("a").payload.0.len() as u64 + 1;
    let mut person = Person::with(Settings { buffer_bytes_max: bytes, overflow: Overflow::DropOldest, ..Settings::default() });
    person.publish(engagement("a"));
    assert_eq!(person.publish(engagement("longer")), PublishReply::Full(Bound::BufferBytes));
    assert!(person.outcomes().is_empty());
    assert!(matches!(person.publish(engagement("b")), PublishReply::Queued { .. }));
    assert_eq!(person.outcomes(), ["dropped a BufferFull"]);
}

#[test]
fn settled_deliveries_are_bounded_and_never_forgotten_while_they_block() {
    let mut person = Person::with(Settings { records_max: 3, ..Settings::default() });
    person.attach("phone");
    for id in ["a", "b", "c"] {
        person.publish(engagement(id));
        person.ack("phone", id, 0);
    }
    assert_eq!(person.publish(engagement("d")), PublishReply::Full(Bound::Records));
    assert!(matches!(person.publish(engagement("a")), PublishReply::Duplicate { state: State::Completed, .. }));
}

#[test]
fn what_is_remembered_for_late_acks_only_makes_room() {
    let mut person = Person::with(Settings { records_max: 2, ..Settings::default() });
    let own = |id| Engagement { window: Some(ms(1_000)), ..engagement(id) };
    person.publish(own("a"));
    person.publish(own("b"));
    person.pass(2_000);
    assert!(matches!(person.publish(own("c")), PublishReply::Queued { .. }));
}

#[test]
fn devices_of_a_user_are_bounded_and_one_that_is_connected_may_come_again() {
    let mut person = Person::with(Settings { devices_max: 2, ..Settings::default() });
    person.attach("a");
    person.attach("b");
    let (reply, said) = person.attach_with(person.hello("c"));
    assert_eq!((reply, said.len()), (AttachReply::TooManyDevices { acks: vec![] }, 0));
    assert_eq!(person.attach("a").len(), 2);
    person.close("a");
    assert_eq!(person.attach("c"), ["c: caught up"]);
}

#[test]
fn a_full_ledger_takes_no_new_users_and_no_new_deliveries() {
    let mut person = Person::with(Settings { ledger_bytes_max: 700, ..Settings::default() });
    assert!(matches!(person.publish(engagement("a")), PublishReply::Queued { .. }));
    assert_eq!(person.publish(engagement("b")), PublishReply::Full(Bound::Ledger));
    person.user = engage::ledger::ids::UserId::parse("u2").unwrap();
    assert_eq!(person.publish(engagement("a")), PublishReply::Full(Bound::Ledger));
    assert_eq!(person.attach_with(person.hello("phone")).0, AttachReply::Full);
    assert_eq!(person.ledger.counts().users, 1);
}

#[test]
fn the_data_of_acks_counts_in_the_ledger() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(tour("a", 3));
    let before = person.ledger.counts();
    let data = format!("\"{}\"", "x".repeat(1_000));
    person.ack_with("phone", person.ack_of("a", 1, Some(&data)));
    let after = person.ledger.counts();
    assert!(after.ledger_bytes >= before.ledger_bytes + 1_000, "{before:?} {after:?}");
    assert_eq!(after.buffered_bytes, before.buffered_bytes, "the replay buffer counts payloads");
    person.ack("phone", "a", 3);
    assert!(person.ledger.counts().ledger_bytes < before.ledger_bytes);
}

#[test]
fn a_forgotten_user_is_gone_and_every_open_delivery_is_reported() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(tour("a", 3));
    person.publish(engagement("b"));
    person.ack("phone", "b", 0);
    let applied = person.apply(Command::Forget { user: person.user.clone() });
    assert_eq!(person.lines(&applied.effects), ["phone: close forgotten",]);
    assert!(person.ledger.user(&person.user).is_none());
    assert_eq!(person.outcomes().last().unwrap(), "dropped a UserForgotten");
    assert!(matches!(person.publish(engagement("b")), PublishReply::Queued { .. }));
    let id = engagement("b").id;
    let (deliveries, outcomes) = person.ledger.engagement_parts(&person.user, &id).expect("it was just published");
    let view = EngagementView::new(deliveries, &outcomes, &person.user, &id);
    let told: Vec<What> = view.timeline.iter().map(|outcome| outcome.what).collect();
    assert_eq!(told, [What::Published], "what came before the user was forgotten is not shown");
}

#[test]
fn outcomes_are_bounded_and_a_reader_that_is_too_late_is_told() {
    let mut person = Person::with(Settings { outcomes_max: 2_048, ..Settings::default() });
    for number in 0..4_000 {
        person.publish(Engagement { window: Some(ms(1_000)), ..engagement(&format!("e{number}")) });
        person.pass(1_000);
    }
    let outcomes = person.ledger.outcomes();
    assert_eq!(outcomes.last(), 8_000);
    let oldest = outcomes.before_oldest();
    assert!(outcomes.last() - oldest <= 2_048);
    assert_eq!(outcomes.after(oldest - 1, 1).unwrap_err().oldest, oldest);
    let page = outcomes.after(oldest + 1_500, 10).unwrap();
    assert_eq!(page.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (oldest + 1_501..oldest + 1_511).collect::<Vec<_>>());
    assert!(outcomes.after(8_000, 10).unwrap().is_empty());
    assert!(outcomes.after(9_000, 10).unwrap().is_empty());
}

//! An edge reports a connection again: only what is missing on it is told, and nothing twice (CONTRACT G8).

use crate::person::*;
use engage::ledger::Command;
use engage::ledger::command::{Attach, Departure, Greeting, Visibility};
use engage::ledger::engagement::{Engagement, Scope, Targets};
use engage::ledger::limits::Settings;
use engage::ledger::outcome::What;
use engage::ledger::reply::AttachReply;

fn to_all(id: &str) -> Engagement {
    Engagement { targets: Targets::All, ..tour(id, 3) }
}

fn attached(reply: &AttachReply) -> bool {
    matches!(reply, AttachReply::Attached { .. })
}

#[test]
fn a_connection_that_misses_nothing_is_told_nothing() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(tour("a", 3));
    person.ack("phone", "a", 2);
    assert!(person.take_over().is_empty());
    let (reply, said) = person.attach_with(person.again_with("phone", &[("a", 2)]));
    assert!(attached(&reply) && said.is_empty(), "{said:?}");
    assert_eq!(person.devices(), ["phone/1"]);
    assert!(person.pass(60_000).is_empty());
}

#[test]
fn a_lost_offer_is_told_again_with_its_number_and_neither_counted_nor_reported() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(Engagement { max_offers: 1, ..tour("a", 3) });
    let ack = person.ack_of("a", 1, Some("7"));
    person.ack_with("laptop", ack);
    for _ in 0..3 {
        person.take_over();
        assert_eq!(person.attach_with(person.again("phone")).1, ["phone: offer a #1 step 2/3 7"]);
    }
    assert_eq!(person.ledger.outcomes().total(What::Offered), 1);
    // A hello comes from a client that had its chance to show it.
    person.take_over();
    assert_eq!(person.attach("phone"), ["phone: caught up"]);
    assert_eq!(person.outcomes().last().unwrap(), "expired a MaxOffers");
}

#[test]
fn a_lost_offer_to_one_of_all_devices_is_told_again_with_its_own_number() {
    let mut person = Person::new();
    person.attach("phone");
    person.attach("laptop");
    person.publish(to_all("a"));
    person.publish(Engagement { scope: Scope::Device, ..engagement("b") });
    person.take_over();
    let said = person.attach_with(Attach { visibility: Visibility::Hidden, ..person.again("phone") }).1;
    assert_eq!(said, ["phone: offer a #1 step 1/3", "phone: offer b #1 step 1/1"]);
    assert_eq!(person.attach_with(person.again_with("laptop", &[("b", 0)])).1, ["laptop: offer a #2 step 1/3"]);
}

#[test]
fn a_key_that_settled_meanwhile_is_withdrawn_with_its_reason() {
    let mut person = Person::new();
    person.attach("phone");
    for id in ["a", "b", "c"] {
        person.publish(engagement(id));
    }
    person.publish(Engagement { ttl: Some(ms(5_000)), ..engagement("d") });
    person.take_over();
    person.ack("laptop", "a", 0);
    person.withdraw("b");
    person.pass(5_000);
    let said = person.attach_with(person.again_with("phone", &[("a", 0), ("b", 0), ("c", 0), ("d", 0)])).1;
    assert_eq!(said, ["phone: withdraw a DoneElsewhere", "phone: withdraw b Withdrawn", "phone: withdraw d Expired"]);
}

#[test]
fn a_key_that_another_device_holds_now_is_withdrawn_as_moved() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    person.pass(10_000);
    assert_eq!(person.attach_with(person.again_with("phone", &[("a", 0)])).1, ["phone: withdraw a Moved"]);
}

#[test]
fn a_key_that_nobody_holds_stays_on_the_screen() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(tour("a", 3));
    person.lose("phone");
    person.pass(60_000);
    person.ack("laptop", "a", 1);
    assert!(person.devices().is_empty());
    assert_eq!(person.attach_with(person.again_with("phone", &[("a", 0)])).1, ["phone: progress a 1"]);
    assert_eq!(confirmed(&person.ack("phone", "a", 3).0), "Completed 3/3 yours");
}

#[test]
fn progress_is_told_where_the_connection_knows_a_lower_step() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(tour("a", 3));
    person.publish(to_all("b"));
    person.take_over();
    person.ack("laptop", "a", 2);
    person.ack("laptop", "b", 1);
    let mut again = person.again_with("phone", &[("b", 1), ("a", 1)]);
    assert_eq!(person.attach_with(again.clone()).1, ["phone: progress a 2"]);
    // A step that is missing counts as not told.
    again.greeting = match again.greeting {
        Greeting::Again { window, is_caught_up, .. } => Greeting::Again { window, steps: vec![1], is_caught_up },
        Greeting::Hello => unreachable!("an edge reports it"),
    };
    assert_eq!(person.attach_with(again).1, ["phone: progress a 2"]);
}

#[test]
fn the_window_is_told_if_it_is_another_and_once() {
    let mut person = Person::new();
    person.attach("phone");
    let before = person.again("phone");
    person.take_over();
    person.now += 24 * HOUR;
    assert_eq!(person.attach_with(before.clone()).1, ["phone: window"]);
    assert!(person.attach_with(person.again("phone")).1.is_empty());
    // The ledger had it attached all the while, and time closes the window in the very command.
    let before = person.again("phone");
    person.publish(engagement("a"));
    person.now += 24 * HOUR;
    let open = vec![person.key("a")];
    assert_eq!(person.attach_with(Attach { open, ..before }).1, ["phone: window", "phone: withdraw a Expired"]);
}

#[test]
fn caught_up_is_told_if_it_was_not() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    person.take_over();
    let window = person.ledger.user(&person.user).unwrap().window.map(|window| window.id);
    let greeting = Greeting::Again { window, steps: Vec::new(), is_caught_up: false };
    let said = person.attach_with(Attach { greeting, ..person.again("phone") }).1;
    assert_eq!(said, ["phone: offer a #1 step 1/1", "phone: caught up"]);
}

#[test]
fn the_acks_of_a_reported_connection_are_taken_first() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    person.take_over();
    let acks = vec![person.ack_of("a", 0, None)];
    let (reply, said) = person.attach_with(Attach { acks, ..person.again("phone") });
    let AttachReply::Attached { acks, .. } = reply else { panic!("not attached: {reply:?}") };
    assert_eq!(acks.iter().map(confirmed).collect::<Vec<_>>(), ["Completed 0/1 yours"]);
    assert!(said.is_empty(), "{said:?}");
}

#[test]
fn an_earlier_connection_never_pushes_out_the_one_that_the_ledger_has() {
    let mut person = Person::new();
    person.attach("phone");
    let earlier = person.again("phone");
    person.attach("phone");
    person.publish(engagement("a"));
    let again = Command::Attach { user: person.user.clone(), attach: earlier };
    let replaced = engage::ledger::Reply::Attach(AttachReply::Replaced);
    for _ in 0..2 {
        let applied = person.apply(again.clone());
        assert_eq!((applied.reply, applied.effects.len()), (replaced.clone(), 0));
        // Nor while that one is on a lease.
        person.take_over();
    }
    assert_eq!(person.devices(), ["phone/2 until 10000"]);
    assert!(person.attach_with(person.again_with("phone", &[("a", 0)])).1.is_empty());
}

#[test]
fn a_reported_connection_does_not_become_visible_last() {
    let mut person = Person::new();
    person.attach("laptop");
    person.pass(1_000);
    person.attach("phone");
    person.take_over();
    assert!(person.attach_with(person.again("phone")).1.is_empty());
    assert!(person.attach_with(person.again("laptop")).1.is_empty());
    assert_eq!(person.publish_told(engagement("a")).1, ["phone: offer a #1 step 1/1"]);
    let connected_at: Vec<u64> = person.ledger.user(&person.user).unwrap().devices.iter().map(|device| device.connected_at.0).collect();
    assert_eq!(connected_at, [1_000_000, 1_001_000]);
    // A link that broke is no person who turned away, also from a device that held nothing.
    person.lose("laptop");
    assert!(person.attach_with(person.again("laptop")).1.is_empty());
    assert_eq!(person.publish_told(engagement("b")).1, ["phone: offer b #1 step 1/1"]);
}

#[test]
fn a_reported_connection_whose_lease_ran_out_comes_behind_the_others() {
    let mut person = Person::new();
    person.attach("phone");
    person.attach("laptop");
    person.lose("laptop");
    person.pass(10_000);
    assert!(person.attach_with(person.again("laptop")).1.is_empty());
    assert_eq!(person.publish_told(engagement("a")).1, ["phone: offer a #1 step 1/1"]);
    assert_eq!(person.hide("phone"), ["phone: withdraw a Moved", "laptop: offer a #2 step 1/1"]);
    person.hide("laptop");
    person.show("phone");
    assert!(person.show("laptop").is_empty());
    assert_eq!(person.publish_told(engagement("b")).1, ["laptop: offer b #1 step 1/1"]);
}

#[test]
fn a_reported_visibility_that_differs_is_a_change_of_it() {
    let mut person = Person::new();
    person.attach_hidden("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.take_over();
    assert!(person.attach_with(person.again("laptop")).1.is_empty());
    assert!(person.attach_with(person.again_with("phone", &[("a", 0)])).1.is_empty());
    assert_eq!(person.publish_told(engagement("b")).1, ["laptop: offer b #1 step 1/1"]);
    person.take_over();
    let hidden = Attach { visibility: Visibility::Hidden, ..person.again_with("phone", &[("a", 0)]) };
    assert!(person.attach_with(hidden).1.is_empty());
    let said = person.attach_with(person.again_with("laptop", &[("b", 0)])).1;
    assert_eq!(said, ["phone: withdraw a Moved", "laptop: offer a #2 step 1/1"]);
}

#[test]
fn a_lost_offer_to_a_device_that_is_hidden_by_now_waits_and_is_not_counted() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(Engagement { max_offers: 1, ..engagement("a") });
    person.take_over();
    assert!(person.attach_with(Attach { visibility: Visibility::Hidden, ..person.again("phone") }).1.is_empty());
    assert_eq!(person.show("phone"), ["phone: offer a #1 step 1/1"]);
}

#[test]
fn a_delivery_is_offered_on_only_when_a_withdraw_that_may_be_lost_has_arrived() {
    let moved = || {
        let mut person = Person::new();
        person.attach("phone");
        person.publish(engagement("a"));
        person.attach("laptop");
        assert_eq!(person.hide("phone"), ["phone: withdraw a Moved", "laptop: offer a #2 step 1/1"]);
        person.take_over();
        // The owner may have died before it said any of this: the phone may still show it (G5).
        assert!(person.attach_with(person.again("laptop")).1.is_empty());
        person
    };
    let mut person = moved();
    let hidden = Attach { visibility: Visibility::Hidden, ..person.again_with("phone", &[("a", 0)]) };
    assert_eq!(person.attach_with(hidden).1, ["phone: withdraw a Moved", "laptop: offer a #2 step 1/1"]);
    let mut person = moved();
    assert_eq!(person.close("phone"), ["laptop: offer a #2 step 1/1"]);
    let mut person = moved();
    assert!(person.pass(9_999).is_empty());
    assert_eq!(person.pass(1), ["laptop: offer a #2 step 1/1"]);
}

#[test]
fn a_snoozed_delivery_does_not_come_while_a_lost_holder_may_show_it() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(Engagement { snooze: Some(ms(2_000)), ..engagement("a") });
    person.lose("phone");
    person.dismiss("laptop", "a");
    assert!(person.pass(9_999).is_empty());
    assert_eq!(person.pass(1), ["laptop: offer a #2 step 1/1"]);
}

#[test]
fn a_hello_sent_again_is_answered_again_and_counts_nothing_twice() {
    let mut person = Person::new();
    person.publish(Engagement { max_offers: 1, ..tour("a", 3) });
    person.publish(tour("b", 3));
    person.attach("laptop");
    person.lose("laptop");
    person.pass(60_000);
    let hello = Attach { open: vec![person.key("b")], acks: vec![person.ack_of("b", 1, None)], ..person.hello("phone") };
    person.publish(engagement("c"));
    let first = person.attach_with(hello.clone());
    assert_eq!(first.1, ["phone: offer c #1 step 1/1", "phone: caught up"]);
    person.take_over();
    let again = person.attach_with(hello);
    assert_eq!(again.0, first.0);
    // What others did before the first answer may be what was lost: the step is told.
    assert_eq!(again.1, ["phone: progress b 1", "phone: offer c #1 step 1/1", "phone: caught up"]);
}

#[test]
fn a_hello_sent_again_does_not_become_visible_twice() {
    let mut person = Person::new();
    let hello = person.hello("phone");
    person.attach_with(hello.clone());
    person.attach("laptop");
    assert_eq!(person.attach_with(hello).1, ["phone: caught up"]);
    assert_eq!(person.publish_told(engagement("a")).1, ["laptop: offer a #1 step 1/1"]);
}

#[test]
fn a_reported_connection_holds_no_more_than_it_may_and_needs_a_place() {
    let mut person = Person::with(Settings { devices_max: 1, ..Settings::default() });
    person.attach_with(Attach { max_in_flight: 1, ..person.hello("phone") });
    person.publish(engagement("a"));
    person.publish(engagement("b"));
    person.take_over();
    let again = Attach { max_in_flight: 1, ..person.again("phone") };
    assert_eq!(person.attach_with(again.clone()).1, ["phone: offer a #1 step 1/1"]);
    person.lose("phone");
    person.attach("laptop");
    assert_eq!(person.attach_with(again).0, AttachReply::TooManyDevices { acks: vec![] });
}

#[test]
fn a_reported_connection_of_a_person_whom_nobody_knows_is_attached() {
    let mut person = Person::new();
    person.attach("phone");
    let again = person.again("phone");
    person.apply(Command::Forget { user: person.user.clone() });
    let (reply, said) = person.attach_with(again);
    assert!(attached(&reply));
    assert_eq!(said, ["phone: window"]);
}

#[test]
fn a_connection_on_a_lease_that_closes_is_gone_at_once() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.take_over();
    person.attach_with(person.again("laptop"));
    // That its edge lost it grants no longer lease.
    person.now += 1_000;
    person.lose("phone");
    assert_eq!(person.devices(), ["laptop/1", "phone/2 until 9000"]);
    assert_eq!(person.close("phone"), ["laptop: offer a #2 step 1/1"]);
    let (user, device) = (person.user.clone(), person.hello("laptop").device);
    let stale = person.again("phone").connection;
    person.apply(Command::Detach { user, device, connection: stale, departure: Departure::Closed });
    assert_eq!(person.devices(), ["laptop/1"]);
}

#[test]
fn a_withdraw_at_a_hello_may_be_lost_too() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    person.pass(10_000);
    let hello = Attach { open: vec![person.key("a")], ..person.hello("phone") };
    assert_eq!(person.attach_with(hello).1, ["phone: withdraw a Moved", "phone: caught up"]);
    person.take_over();
    assert!(person.attach_with(person.again_with("laptop", &[("a", 0)])).1.is_empty());
    assert_eq!(person.attach("tablet"), ["tablet: caught up"]);
    assert!(person.close("laptop").is_empty(), "the phone may still show it");
    let hidden = Attach { visibility: Visibility::Hidden, ..person.again_with("phone", &[("a", 0)]) };
    assert_eq!(person.attach_with(hidden).1, ["phone: withdraw a Moved", "tablet: offer a #3 step 1/1"]);
}

#[test]
fn a_withdraw_to_a_hidden_holder_may_be_lost_too() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    person.pass(60_000);
    person.attach("laptop");
    person.hide("laptop");
    let hello = Attach { open: vec![person.key("a")], ..person.hello("phone") };
    assert_eq!(person.attach_with(hello).1, ["laptop: withdraw a Moved", "phone: caught up"]);
    person.take_over();
    assert!(person.attach_with(person.again_with("phone", &[("a", 0)])).1.is_empty());
    assert_eq!(person.attach("tablet"), ["tablet: caught up"]);
    assert!(person.close("phone").is_empty(), "the laptop may still show it");
    let hidden = Attach { visibility: Visibility::Hidden, ..person.again_with("laptop", &[("a", 0)]) };
    assert_eq!(person.attach_with(hidden).1, ["laptop: withdraw a Moved", "tablet: offer a #3 step 1/1"]);
}

#[test]
fn what_a_device_held_without_an_offer_is_offered_if_it_is_not_on_its_screen_any_more() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    person.pass(60_000);
    assert!(person.attach_with(person.again_with("phone", &[("a", 0)])).1.is_empty());
    // No offer can have been lost; its edge has withdrawn it.
    person.take_over();
    assert_eq!(person.attach_with(person.again("phone")).1, ["phone: offer a #2 step 1/1"]);
    assert_eq!(person.ledger.outcomes().total(What::Offered), 2);
}

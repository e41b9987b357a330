//! CONTRACT §5: devices, holders, leases, what a hello brings.

use crate::person::*;
use engage::ledger::Command;
use engage::ledger::command::{Attach, Visibility};
use engage::ledger::engagement::{Engagement, Targets};
use engage::ledger::ids::EdgeId;
use engage::ledger::limits::Settings;
use engage::ledger::reply::AttachReply;

fn to_all(id: &str) -> Engagement {
    Engagement { targets: Targets::All, ..tour(id, 3) }
}

#[test]
fn the_visible_device_that_became_visible_last_is_offered_it() {
    let mut person = Person::new();
    person.attach("phone");
    person.attach("laptop");
    assert_eq!(person.publish_told(engagement("a")).1, ["laptop: offer a #1 step 1/1"]);
    person.hide("phone");
    person.show("phone");
    assert_eq!(person.publish_told(engagement("b")).1, ["phone: offer b #1 step 1/1"]);
    // Saying it again is not becoming visible.
    person.show("laptop");
    assert_eq!(person.publish_told(engagement("c")).1, ["phone: offer c #1 step 1/1"]);
}

#[test]
fn a_visible_holder_keeps_it_when_another_device_becomes_visible() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    assert_eq!(person.attach("laptop"), ["laptop: caught up"]);
}

#[test]
fn a_hidden_holder_keeps_it_until_another_device_is_visible() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(tour("a", 3));
    person.ack("phone", "a", 1);
    assert!(person.hide("phone").is_empty());
    assert_eq!(person.attach("laptop"), ["phone: withdraw a Moved", "laptop: offer a #2 step 2/3", "laptop: caught up"]);
    assert!(person.show("phone").is_empty());
}

#[test]
fn hiding_moves_it_at_once_when_another_device_is_visible() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    person.attach("laptop");
    assert_eq!(person.hide("phone"), ["phone: withdraw a Moved", "laptop: offer a #2 step 1/1"]);
}

#[test]
fn what_an_earlier_connection_of_the_device_says_late_is_told_to_the_one_that_replaced_it() {
    let mut person = Person::new();
    person.attach("phone");
    let earlier = person.by("phone");
    person.publish(tour("a", 3));
    person.publish(Engagement { snooze: Some(ms(60_000)), ..engagement("b") });
    person.publish(engagement("c"));
    person.attach("phone");
    assert_eq!(person.ack_by(earlier.clone(), person.ack_of("a", 1, None)).1, ["phone: progress a 1"]);
    assert_eq!(person.ack_by(earlier.clone(), person.ack_of("a", 3, None)).1, ["phone: withdraw a DoneElsewhere"]);
    assert_eq!(person.dismiss_by(earlier.clone(), "b").1, ["phone: withdraw b Moved"]);
    assert_eq!(person.dismiss_by(earlier, "c").1, ["phone: withdraw c DoneElsewhere"]);
}

#[test]
fn with_no_visible_device_nothing_is_offered() {
    let mut person = Person::new();
    person.publish(engagement("a"));
    assert_eq!(person.attach_hidden("phone"), ["phone: caught up"]);
    assert_eq!(person.show("phone"), ["phone: offer a #1 step 1/1"]);
}

#[test]
fn closing_the_connection_frees_what_it_holds_at_once() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    assert_eq!(person.close("phone"), ["laptop: offer a #2 step 1/1"]);
}

#[test]
fn a_lost_connection_keeps_what_it_holds_for_the_lease() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    assert!(person.lose("phone").is_empty());
    assert!(person.pass(9_999).is_empty());
    assert_eq!(person.pass(1), ["laptop: offer a #2 step 1/1"]);
}

#[test]
fn back_within_the_lease_with_the_key_open_it_goes_on_without_an_offer() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    person.pass(5_000);
    let open = vec![person.key("a")];
    assert_eq!(person.attach_with(Attach { open, ..person.hello("phone") }).1, ["phone: caught up"]);
    assert!(person.pass(60_000).is_empty());
    assert_eq!(confirmed(&person.ack("phone", "a", 0).0), "Completed 0/1 yours");
}

#[test]
fn back_within_the_lease_without_the_key_it_is_offered_again() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    assert_eq!(person.attach("phone"), ["phone: offer a #2 step 1/1", "phone: caught up"]);
}

#[test]
fn back_after_the_lease_the_key_is_withdrawn_if_another_device_holds_it() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    person.pass(10_000);
    let open = vec![person.key("a")];
    let said = person.attach_with(Attach { open, ..person.hello("phone") }).1;
    assert_eq!(said, ["phone: withdraw a Moved", "phone: caught up"]);
}

#[test]
fn back_after_the_lease_the_key_stays_if_nobody_else_holds_it() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(tour("a", 3));
    person.ack("phone", "a", 1);
    person.lose("phone");
    person.pass(60_000);
    let open = vec![person.key("a")];
    assert_eq!(person.attach_with(Attach { open: open.clone(), ..person.hello("phone") }).1, ["phone: caught up"]);
    person.lose("phone");
    person.pass(60_000);
    let hidden = Attach { open, visibility: Visibility::Hidden, ..person.hello("phone") };
    assert_eq!(person.attach_with(hidden).1, ["phone: caught up"]);
}

#[test]
fn a_visible_device_takes_over_what_it_shows_from_a_hidden_holder() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(tour("a", 3));
    person.lose("phone");
    person.pass(60_000);
    person.attach("laptop");
    person.ack("laptop", "a", 1);
    person.hide("laptop");
    let open = vec![person.key("a")];
    let said = person.attach_with(Attach { open, ..person.hello("phone") }).1;
    assert_eq!(said, ["laptop: withdraw a Moved", "phone: progress a 1", "phone: caught up"]);
}

#[test]
fn a_hello_names_what_is_open_and_is_told_what_is_settled_or_unknown() {
    let mut person = Person::new();
    for id in ["done", "gone", "old"] {
        person.publish(engagement(id));
    }
    person.attach("phone");
    person.ack("laptop", "done", 0);
    person.withdraw("gone");
    let mut open = vec![person.key("gone"), person.key("done"), person.key("old")];
    open[2].id = engagement("unheard").id;
    let said = person.attach_with(Attach { open, ..person.hello("phone") }).1;
    let order = ["phone: withdraw gone Withdrawn", "phone: withdraw done DoneElsewhere", "phone: withdraw unheard Expired"];
    assert_eq!(said[0], "phone/1: close replaced");
    assert_eq!(said[1..4], order);
    assert_eq!(said[4..], ["phone: offer old #2 step 1/1", "phone: caught up"]);
}

#[test]
fn acks_of_a_hello_are_taken_before_anything_is_offered() {
    let mut person = Person::new();
    person.publish(engagement("a"));
    person.publish(tour("b", 3));
    person.attach("phone");
    person.close("phone");
    let acks = vec![person.ack_of("a", 0, None), person.ack_of("b", 2, Some("2"))];
    let (reply, said) = person.attach_with(Attach { acks, ..person.hello("phone") });
    let AttachReply::Attached { acks, .. } = reply else { panic!("not attached") };
    let acks: Vec<String> = acks.iter().map(confirmed).collect();
    assert_eq!(acks, ["Completed 0/1 yours", "InProgress 2/3"]);
    assert_eq!(said, ["phone: offer b #2 step 3/3 2", "phone: caught up"]);
}

#[test]
fn with_all_devices_as_targets_the_first_settling_ack_wins() {
    let mut person = Person::new();
    person.attach("phone");
    person.attach_hidden("laptop");
    let said = person.publish_told(to_all("a")).1;
    assert_eq!(said, ["phone: offer a #1 step 1/3", "laptop: offer a #2 step 1/3"]);
    let ack = person.ack_of("a", 1, Some("1"));
    assert_eq!(person.ack_with("laptop", ack).1, ["phone: progress a 1 1"]);
    assert_eq!(person.attach("tablet"), ["tablet: offer a #3 step 2/3 1", "tablet: caught up"]);
    let (reply, said) = person.ack("phone", "a", 3);
    assert_eq!(confirmed(&reply), "Completed 3/3 yours");
    assert_eq!(said, ["laptop: withdraw a DoneElsewhere", "tablet: withdraw a DoneElsewhere"]);
    assert_eq!(confirmed(&person.ack("laptop", "a", 3).0), "Completed 3/3");
}

#[test]
fn an_ack_counts_from_any_device_and_the_holder_is_told() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(tour("a", 3));
    assert_eq!(person.ack("laptop", "a", 1).1, ["phone: progress a 1"]);
    assert_eq!(person.ack("laptop", "a", 3).1, ["phone: withdraw a DoneElsewhere"]);
}

#[test]
fn a_second_connection_of_a_device_replaces_the_first_and_its_end_means_nothing() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    let first = person.hello("phone").connection.number - 1;
    let open = vec![person.key("a")];
    let said = person.attach_with(Attach { open, ..person.hello("phone") }).1;
    assert_eq!(said, [format!("phone/{first}: close replaced"), "phone: caught up".to_string()]);
    let stale = engage::ledger::ids::ConnectionId { edge: EDGE, number: first };
    let device = person.hello("phone").device;
    let departure = engage::ledger::command::Departure::Closed;
    person.apply(Command::Detach { user: person.user.clone(), device, connection: stale, departure });
    assert_eq!(person.ledger.user(&person.user).unwrap().devices.len(), 1);
    assert_eq!(person.publish_told(engagement("b")).1, ["phone: offer b #1 step 1/1"]);
}

#[test]
fn a_connection_holds_no_more_than_max_in_flight() {
    let mut person = Person::new();
    for id in ["a", "b", "c"] {
        person.publish(engagement(id));
    }
    let one = Attach { max_in_flight: 1, ..person.hello("phone") };
    assert_eq!(person.attach_with(one).1, ["phone: offer a #1 step 1/1", "phone: caught up"]);
    assert_eq!(person.ack("phone", "a", 0).1, ["phone: offer b #1 step 1/1"]);
    assert_eq!(person.dismiss("phone", "b").1, ["phone: offer c #1 step 1/1"]);
}

#[test]
fn a_new_leader_gives_the_connections_of_edges_that_are_gone_a_lease() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.apply(Command::Takeover { settings: Settings::default(), edges: vec![EdgeId(8)] });
    assert_eq!(person.devices(), ["laptop/1 until 10000", "phone/2 until 10000"]);
    assert!(person.publish_told(engagement("b")).1.is_empty());
    assert!(person.pass(10_000).is_empty());
    assert!(person.ledger.user(&person.user).unwrap().devices.is_empty());
}

#[test]
fn a_new_leader_leaves_the_connections_of_living_edges_alone() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    person.apply(Command::Takeover { settings: Settings::default(), edges: vec![EDGE] });
    assert_eq!(person.publish_told(engagement("b")).1, ["phone: offer b #1 step 1/1"]);
}

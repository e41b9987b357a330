//! CONTRACT §5: `scope: "device"`, one delivery for each device that is connected, or connects while the window is open.

use crate::person::*;
use engage::ledger::engagement::{Engagement, Scope};
use engage::ledger::limits::Settings;
use engage::ledger::reply::{Bound, Ended, PublishReply, State};

fn each(id: &str) -> Engagement {
    Engagement { scope: Scope::Device, ..engagement(id) }
}

#[test]
fn every_device_gets_its_own_visible_or_not_also_one_that_comes_later() {
    let mut person = Person::new();
    person.attach_hidden("phone");
    assert_eq!(person.publish_told(each("a")).1, ["phone: offer a #1 step 1/1"]);
    assert_eq!(confirmed(&person.ack("phone", "a", 0).0), "Completed 0/1 yours");
    assert_eq!(person.attach("laptop"), ["laptop: offer a #1 step 1/1", "laptop: caught up"]);
    assert!(person.ack("laptop", "a", 0).1.is_empty());
    assert_eq!(person.attach("phone"), ["phone/1: close replaced", "phone: caught up"]);
}

#[test]
fn a_device_cannot_ack_for_another() {
    let mut person = Person::new();
    person.publish(each("a"));
    person.attach("phone");
    assert_eq!(confirmed(&person.ack("laptop", "a", 0).0), "unknown");
    person.attach("laptop");
    assert_eq!(confirmed(&person.ack("laptop", "a", 0).0), "Completed 0/1 yours");
    assert_eq!(confirmed(&person.ack("phone", "a", 0).0), "Completed 0/1 yours");
}

#[test]
fn without_any_device_it_expires_once_with_its_window() {
    let mut person = Person::new();
    person.publish(each("a"));
    person.pass(24 * HOUR);
    assert_eq!(person.outcomes(), ["expired a WindowClosed"]);
}

#[test]
fn each_devices_delivery_ends_by_itself() {
    let mut person = Person::new();
    person.publish(each("a"));
    person.attach("phone");
    person.attach("laptop");
    person.ack("phone", "a", 0);
    person.pass(24 * HOUR);
    assert_eq!(person.outcomes(), ["shown a on phone", "completed a on phone", "expired a on laptop WindowClosed"]);
}

#[test]
fn publishing_it_again_is_a_duplicate_while_the_window_is_open() {
    let mut person = Person::new();
    person.publish(each("a"));
    assert!(matches!(person.publish(each("a")), PublishReply::Duplicate { state: State::Queued, .. }));
    person.attach("phone");
    person.ack("phone", "a", 0);
    assert!(matches!(person.publish(each("a")), PublishReply::Duplicate { state: State::Completed, .. }));
    let other = Engagement { fingerprint: 2, ..each("a") };
    assert!(matches!(person.publish(other), PublishReply::Different { .. }));
}

#[test]
fn what_a_device_settled_is_carried_for_that_device_alone() {
    let mut person = Person::new();
    person.publish(each("a"));
    person.attach("phone");
    person.attach("laptop");
    person.pass(23 * HOUR);
    person.ack("phone", "a", 0);
    person.pass(2 * HOUR);
    assert_eq!(person.publish_told(each("a")).1, ["laptop: offer a #1 step 1/1"]);
    assert!(matches!(person.publish(engagement("a")), PublishReply::Duplicate { state: State::Offered, .. }));
    // The carry ends while the window is open: now the phone has its turn.
    assert_eq!(person.pass(4 * HOUR), ["phone: offer a #1 step 1/1"]);
}

#[test]
fn a_withdraw_takes_it_from_every_device_and_from_those_to_come() {
    let mut person = Person::new();
    person.publish(each("a"));
    person.attach("phone");
    let (ended, said) = person.withdraw("a");
    assert_eq!(ended.map(|ended| ended.state), Some(State::Withdrawn));
    assert_eq!(said, ["phone: withdraw a Withdrawn"]);
    assert_eq!(person.attach("laptop"), ["laptop: caught up"]);
    assert_eq!(person.outcomes(), ["withdrawn a on phone Publisher"]);
    assert!(matches!(person.withdraw("a").0, Some(Ended { state: State::Withdrawn, .. })));
}

#[test]
fn a_ttl_ends_it_for_devices_that_come_later() {
    let mut person = Person::new();
    person.publish(Engagement { ttl: Some(ms(1_000)), ..each("a") });
    person.pass(1_000);
    assert_eq!(person.outcomes(), ["expired a Ttl"]);
    assert_eq!(person.attach("phone"), ["phone: caught up"]);
    assert!(matches!(
        person.publish(Engagement { ttl: Some(ms(1_000)), ..each("a") }),
        PublishReply::Duplicate { state: State::Expired, .. }
    ));
}

#[test]
fn a_device_for_which_the_buffer_has_no_room_is_reported() {
    let mut person = Person::with(Settings { buffer_deliveries_max: 1, ..Settings::default() });
    person.publish(each("a"));
    assert_eq!(person.publish(engagement("b")), PublishReply::Full(Bound::BufferDeliveries));
    assert_eq!(person.attach("phone"), ["phone: offer a #1 step 1/1", "phone: caught up"]);
    assert_eq!(person.attach("laptop"), ["laptop: caught up"]);
    assert_eq!(person.outcomes(), ["dropped a on laptop BufferFull"]);
    person.ack("phone", "a", 0);
    assert_eq!(person.attach("tablet"), ["tablet: offer a #1 step 1/1", "tablet: caught up"]);
}

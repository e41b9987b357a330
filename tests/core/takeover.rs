//! What a new leader finds: every lease starts anew by its own clock (CONTRACT G6), and nobody loses the place that they had.

use crate::person::*;
use engage::ledger::limits::Settings;

#[test]
fn a_new_leader_whose_clock_is_ahead_runs_no_lease_out() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    person.now += 3 * HOUR;
    assert!(person.take_over().is_empty());
    assert_eq!(person.devices(), ["laptop/1 until 10000", "phone/2 until 10000"]);
    assert!(person.attach_with(person.again("laptop")).1.is_empty());
    assert!(person.pass(9_999).is_empty());
    assert!(person.attach_with(person.again_with("phone", &[("a", 0)])).1.is_empty());
    assert_eq!(confirmed(&person.ack("phone", "a", 0).0), "Completed 0/1 yours");
}

#[test]
fn a_clock_that_jumps_ahead_runs_no_lease_out() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    person.now += 3 * HOUR;
    person.apply(engage::ledger::Command::RenewLeases);
    assert_eq!(person.devices(), ["laptop/1", "phone/2 until 10000"], "who is attached stays so");
    assert!(person.pass(9_999).is_empty());
    assert_eq!(person.pass(1).len(), 1, "then the laptop is offered it");
}

#[test]
fn a_new_leader_whose_clock_is_behind_grants_whole_leases_too() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    person.lose("phone");
    person.now += 9_000;
    person.publish(engagement("b"));
    person.now -= 5_000;
    person.take_over();
    person.now += 5_000;
    assert_eq!(person.devices(), ["phone/1 until 10000"]);
}

#[test]
fn a_lease_is_as_long_as_the_new_leader_says() {
    let mut person = Person::new();
    person.attach("phone");
    person.publish(engagement("a"));
    let settings = Settings { lease: ms(500), ..Settings::default() };
    person.apply(engage::ledger::Command::Takeover { settings, edges: vec![] });
    assert_eq!(person.devices(), ["phone/1 until 500"]);
}

#[test]
fn a_lease_starts_anew_also_where_the_edge_lives() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.lose("phone");
    person.now += 5_000;
    person.apply(engage::ledger::Command::Takeover { settings: Settings::default(), edges: vec![EDGE] });
    assert_eq!(person.devices(), ["laptop/1", "phone/2 until 10000"]);
}

#[test]
fn devices_that_do_not_report_in_are_gone_after_the_lease_also_such_as_held_nothing() {
    let mut person = Person::new();
    person.attach("laptop");
    person.attach("phone");
    person.publish(engagement("a"));
    person.take_over();
    assert!(person.pass(9_999).is_empty());
    assert_eq!(person.devices().len(), 2);
    person.pass(1);
    assert!(person.devices().is_empty());
}

#[test]
fn where_places_are_short_a_lost_device_that_shows_nothing_keeps_none() {
    let mut person = Person::with(Settings { devices_max: 1, ..Settings::default() });
    person.attach("a");
    person.lose("a");
    assert_eq!(person.devices(), ["a/1 until 10000"]);
    for device in ["b", "c", "d"] {
        person.attach(device);
        person.lose(device);
    }
    assert_eq!(person.devices(), ["a/1 until 10000"]);
}

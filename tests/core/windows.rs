//! CONTRACT §3: session windows, carry, own windows.

use crate::person::*;
use engage::ledger::engagement::Engagement;
use engage::ledger::ids::WindowId;
use engage::ledger::limits::Settings;
use engage::ledger::reply::{AttachReply, PublishReply, State};
use engage::ledger::window::Window;

fn window_of(reply: &PublishReply) -> WindowId {
    match reply {
        PublishReply::Queued { window, .. } | PublishReply::Duplicate { window, .. } => *window,
        other => panic!("no window in {other:?}"),
    }
}

fn session_window(person: &Person) -> Option<Window> {
    person.ledger.user(&person.user).and_then(|user| user.window)
}

#[test]
fn the_first_publish_opens_a_window_and_the_next_ones_share_it() {
    let mut person = Person::new();
    let PublishReply::Queued { window, closes_at, .. } = person.publish(engagement("a")) else { panic!("not queued") };
    assert_eq!(closes_at.0, person.now + 24 * HOUR);
    person.pass(HOUR);
    assert_eq!(window_of(&person.publish(engagement("b"))), window);
}

#[test]
fn the_first_hello_opens_a_window() {
    let mut person = Person::new();
    let (reply, _) = person.attach_with(person.hello("phone"));
    let AttachReply::Attached { window, .. } = reply else { panic!("not attached") };
    assert_eq!((window.opened_at.0, window.closes_at.0), (person.now, person.now + 24 * HOUR));
    assert_eq!(window_of(&person.publish(engagement("a"))), window.id);
}

#[test]
fn what_is_unsettled_at_the_close_expires() {
    let mut person = Person::new();
    person.publish(engagement("a"));
    person.pass(24 * HOUR);
    assert_eq!(person.outcomes(), ["expired a WindowClosed"]);
    assert!(session_window(&person).is_none());
    assert_eq!(person.attach("phone"), ["phone: caught up"]);
}

#[test]
fn a_connected_device_is_told_of_the_next_window() {
    let mut person = Person::new();
    person.publish(engagement("a"));
    person.attach("phone");
    let first = session_window(&person).unwrap();
    assert_eq!(person.pass(24 * HOUR), ["phone: withdraw a Expired", "phone: window"]);
    let next = session_window(&person).unwrap();
    assert!(next.id > first.id && next.opened_at == first.closes_at);
}

#[test]
fn what_settled_shortly_before_the_close_counts_in_the_next_window_until_carry_has_passed() {
    let mut person = Person::new();
    let first = window_of(&person.publish(engagement("a")));
    person.attach("phone");
    person.pass(20 * HOUR);
    person.ack("phone", "a", 0);
    person.pass(5 * HOUR);
    let again = person.publish(engagement("a"));
    assert!(matches!(again, PublishReply::Duplicate { window, state: State::Completed, .. } if window == first));
    // The key is in the old window, so other content is a duplicate too.
    let other = Engagement { fingerprint: 2, ..engagement("a") };
    assert!(matches!(person.publish(other), PublishReply::Duplicate { .. }));
    person.pass(HOUR - 1);
    assert!(matches!(person.publish(engagement("a")), PublishReply::Duplicate { window, .. } if window == first));
    person.pass(1);
    let PublishReply::Queued { window, .. } = person.publish(engagement("a")) else { panic!("carry has passed") };
    assert!(window > first);
}

#[test]
fn what_settled_longer_ago_than_carry_is_forgotten_at_the_close() {
    let mut person = Person::new();
    person.publish(engagement("a"));
    person.attach("phone");
    person.ack("phone", "a", 0);
    person.pass(23 * HOUR);
    assert!(matches!(person.publish(engagement("a")), PublishReply::Duplicate { .. }));
    assert_eq!(person.pass(HOUR), ["phone: window"]);
    assert!(matches!(person.publish(engagement("a")), PublishReply::Queued { .. }));
}

#[test]
fn what_nobody_saw_may_come_again_in_the_next_window() {
    let mut person = Person::new();
    person.publish(engagement("a"));
    person.pass(24 * HOUR);
    assert!(matches!(person.publish(engagement("a")), PublishReply::Queued { .. }));
}

#[test]
fn what_was_seen_and_not_finished_at_the_close_is_not_seen_again_within_carry() {
    let mut person = Person::new();
    person.publish(tour("tour", 3));
    person.attach("phone");
    person.pass(23 * HOUR);
    person.ack("phone", "tour", 1);
    person.pass(2 * HOUR);
    assert!(matches!(person.publish(tour("tour", 3)), PublishReply::Duplicate { state: State::Expired, step: 1, .. }));
}

#[test]
fn a_late_ack_of_an_expired_delivery_is_answered_with_its_final_state_while_it_is_remembered() {
    let mut person = Person::new();
    person.publish(tour("tour", 3));
    person.attach("phone");
    person.pass(25 * HOUR);
    assert_eq!(confirmed(&person.ack("phone", "tour", 3).0), "Expired 0/3");
    person.pass(5 * HOUR);
    assert_eq!(confirmed(&person.ack("phone", "tour", 3).0), "unknown");
}

#[test]
fn an_engagement_with_a_window_of_its_own_outlives_the_session_window() {
    let mut person = Person::new();
    let own = Engagement { window: Some(ms(48 * HOUR)), ..engagement("yearly") };
    let PublishReply::Queued { window, closes_at, .. } = person.publish(own.clone()) else { panic!("not queued") };
    assert_eq!(closes_at.0, person.now + 48 * HOUR);
    assert_ne!(Some(window), session_window(&person).map(|window| window.id));
    person.pass(30 * HOUR);
    assert_eq!(person.attach("phone")[0], "phone: offer yearly #1 step 1/1");
    person.ack("phone", "yearly", 0);
    person.pass(10 * HOUR);
    assert!(matches!(person.publish(own.clone()), PublishReply::Duplicate { window: first, .. } if first == window));
    person.pass(8 * HOUR);
    let PublishReply::Queued { window: next, .. } = person.publish(own) else { panic!("the window has closed") };
    assert!(next > window);
}

#[test]
fn a_short_window_of_its_own_closes_before_the_session_window_and_is_not_carried() {
    let mut person = Person::new();
    let own = Engagement { window: Some(ms(120_000)), ..engagement("code") };
    person.publish(own.clone());
    person.attach("phone");
    person.ack("phone", "code", 0);
    person.pass(119_999);
    assert!(matches!(person.publish(own.clone()), PublishReply::Duplicate { .. }));
    person.pass(1);
    let (reply, said) = person.publish_told(own);
    assert!(matches!(reply, PublishReply::Queued { state: State::Offered, .. }));
    assert_eq!(said, ["phone: offer code #1 step 1/1"]);
    assert_eq!(person.pass(120_000), ["phone: withdraw code Expired"]);
}

#[test]
fn window_ids_are_never_used_again_also_after_everything_was_forgotten() {
    let mut person = Person::with(Settings { window_length: ms(1_000), window_carry: ms(0), ..Settings::default() });
    let mut last = None;
    for _ in 0..3 {
        let window = window_of(&person.publish(engagement("a")));
        assert!(Some(window) > last);
        last = Some(window);
        person.pass(1_000);
        assert!(person.ledger.user(&person.user).is_none());
    }
}

#[test]
fn a_user_with_nothing_kept_vanishes_and_one_with_a_device_stays() {
    let mut person = Person::new();
    person.attach("phone");
    person.pass(100 * HOUR);
    assert!(session_window(&person).is_some());
    person.close("phone");
    person.pass(100 * HOUR);
    assert_eq!(person.ledger.counts(), engage::ledger::view::Counts::default());
}

//! CONTRACT §4: what moves a delivery on, and what ends it.

use crate::person::*;
use engage::ledger::effect::WithdrawReason;
use engage::ledger::engagement::{Engagement, SettleOn, Targets};
use engage::ledger::outcome::Reason;
use engage::ledger::reply::{AckReply, Ended, PublishReply, State};
use engage::ledger::time::LedgerTime;

#[test]
fn the_ack_of_showing_it_settles_an_engagement_of_one_step() {
    let mut person = Person::new();
    person.publish(engagement("nps"));
    assert_eq!(person.attach("phone"), ["phone: offer nps #1 step 1/1", "phone: caught up"]);
    let (reply, said) = person.ack("phone", "nps", 0);
    assert_eq!(confirmed(&reply), "Completed 0/1 yours");
    assert!(said.is_empty());
    assert_eq!(person.outcomes(), ["shown nps on phone", "completed nps on phone"]);
    assert_eq!(person.attach("phone"), ["phone/1: close replaced", "phone: caught up"]);
    assert_eq!(person.attach("laptop"), ["laptop: caught up"]);
}

#[test]
fn an_engagement_of_several_steps_goes_on_at_the_step_after_the_highest_confirmed_one() {
    let mut person = Person::new();
    person.publish(tour("tour", 5));
    person.attach("phone");
    assert_eq!(confirmed(&person.ack("phone", "tour", 0).0), "Shown 0/5");
    let ack = person.ack_of("tour", 2, Some("{\"q\":9}"));
    assert_eq!(confirmed(&person.ack_with("phone", ack).0), "InProgress 2/5");
    person.close("phone");
    assert_eq!(person.attach("laptop"), ["laptop: offer tour #2 step 3/5 {\"q\":9}", "laptop: caught up"]);
    assert_eq!(confirmed(&person.ack("laptop", "tour", 5).0), "Completed 5/5 yours");
    assert_eq!(person.outcomes(), ["shown tour on phone", "step tour on phone", "step tour on laptop", "completed tour on laptop"]);
}

#[test]
fn an_ack_never_goes_back_and_a_lower_one_leaves_the_data() {
    let mut person = Person::new();
    person.publish(tour("tour", 5));
    person.attach("phone");
    let ack = person.ack_of("tour", 3, Some("3"));
    person.ack_with("phone", ack);
    let late = person.ack_of("tour", 1, Some("1"));
    assert_eq!(confirmed(&person.ack_with("phone", late).0), "InProgress 3/5");
    let same = person.ack_of("tour", 3, Some("33"));
    assert_eq!(confirmed(&person.ack_with("phone", same).0), "InProgress 3/5");
    person.close("phone");
    assert_eq!(person.attach("phone")[0], "phone: offer tour #2 step 4/5 33");
}

#[test]
fn an_engagement_of_several_steps_may_settle_when_it_is_shown() {
    let mut person = Person::new();
    person.publish(Engagement { settle_on: SettleOn::Shown, ..tour("tip", 3) });
    person.attach("phone");
    assert_eq!(confirmed(&person.ack("phone", "tip", 0).0), "Completed 0/3 yours");
}

#[test]
fn a_shown_engagement_that_settles_on_completion_comes_again_at_the_next_reconnect() {
    let mut person = Person::new();
    person.publish(Engagement { settle_on: SettleOn::Completed, ..engagement("nps") });
    person.attach("phone");
    assert_eq!(confirmed(&person.ack("phone", "nps", 0).0), "Shown 0/1");
    person.close("phone");
    assert_eq!(person.attach("phone")[0], "phone: offer nps #2 step 1/1");
    assert_eq!(confirmed(&person.ack("phone", "nps", 1).0), "Completed 1/1 yours");
}

#[test]
fn an_ack_of_a_settled_delivery_is_confirmed_with_its_final_state_and_whose_it_was() {
    let mut person = Person::new();
    person.publish(tour("tour", 2));
    person.attach("phone");
    person.ack("phone", "tour", 2);
    assert_eq!(confirmed(&person.ack("phone", "tour", 1).0), "Completed 2/2 yours");
    assert_eq!(confirmed(&person.ack("laptop", "tour", 2).0), "Completed 2/2");
    assert_eq!(confirmed(&person.dismiss("laptop", "tour").0), "Completed 2/2");
    assert_eq!(person.outcomes().iter().filter(|line| line.starts_with("completed")).count(), 1);
}

#[test]
fn a_step_outside_the_range_and_an_unknown_key_change_nothing() {
    let mut person = Person::new();
    person.publish(tour("tour", 2));
    person.attach("phone");
    assert_eq!(
        person.ack("phone", "tour", 3).0,
        AckReply::OutOfRange { id: person.key("tour").id, window: person.key("tour").window, steps: 2 }
    );
    let mut ack = person.ack_of("tour", 256, None);
    assert_eq!(confirmed(&person.ack_with("phone", ack.clone()).0), "out of range");
    ack.id = engagement("other").id;
    assert_eq!(confirmed(&person.ack_with("phone", ack).0), "unknown");
    person.ack("phone", "tour", 2);
    assert_eq!(confirmed(&person.ack("phone", "tour", 3).0), "out of range");
}

#[test]
fn a_dismissal_settles() {
    let mut person = Person::new();
    person.publish(tour("tour", 3));
    person.attach("phone");
    person.ack("phone", "tour", 1);
    assert_eq!(confirmed(&person.dismiss("phone", "tour").0), "Dismissed 1/3 yours");
    person.close("phone");
    assert_eq!(person.attach("phone"), ["phone: caught up"]);
}

#[test]
fn a_snoozed_delivery_is_offered_again_after_its_time_also_on_the_same_connection() {
    let mut person = Person::new();
    person.publish(Engagement { snooze: Some(ms(4 * HOUR)), ..engagement("nps") });
    person.attach("phone");
    assert_eq!(confirmed(&person.dismiss("phone", "nps").0), "Offered 0/1");
    person.pass(HOUR);
    assert_eq!(confirmed(&person.dismiss("phone", "nps").0), "Offered 0/1");
    assert!(person.pass(3 * HOUR - 1).is_empty());
    assert_eq!(person.pass(1), ["phone: offer nps #2 step 1/1"]);
}

#[test]
fn a_snooze_takes_it_off_the_other_devices_too() {
    let mut person = Person::new();
    person.publish(Engagement { targets: Targets::All, snooze: Some(ms(HOUR)), ..engagement("nps") });
    person.attach("phone");
    person.attach("laptop");
    let (_, said) = person.dismiss("phone", "nps");
    assert_eq!(said, ["laptop: withdraw nps Moved"]);
    assert_eq!(person.pass(HOUR), ["phone: offer nps #3 step 1/1", "laptop: offer nps #4 step 1/1"]);
}

#[test]
fn a_delivery_ends_with_its_ttl_also_when_a_device_holds_it() {
    let mut person = Person::new();
    person.publish(Engagement { ttl: Some(ms(5_000)), ..engagement("nps") });
    person.attach("phone");
    assert!(person.pass(4_999).is_empty());
    assert_eq!(person.pass(1), ["phone: withdraw nps Expired"]);
    assert_eq!(person.outcomes(), ["expired nps Ttl"]);
    assert_eq!(confirmed(&person.ack("phone", "nps", 0).0), "Expired 0/1");
}

#[test]
fn nothing_is_offered_before_its_time() {
    let mut person = Person::new();
    let not_before = Some(LedgerTime(person.now + HOUR));
    person.publish(Engagement { not_before, ..engagement("nps") });
    assert_eq!(person.attach("phone"), ["phone: caught up"]);
    assert!(person.pass(HOUR - 1).is_empty());
    assert_eq!(person.pass(1), ["phone: offer nps #1 step 1/1"]);
}

#[test]
fn a_higher_priority_is_offered_first_and_within_one_the_order_of_publish_counts() {
    let mut person = Person::new();
    for (id, priority) in [("a", 0), ("b", 5), ("c", 0), ("d", 100), ("e", -100)] {
        person.publish(Engagement { priority, ..engagement(id) });
    }
    let order: Vec<String> = person.attach("phone").iter().filter_map(|line| line.split(' ').nth(2).map(str::to_string)).collect();
    assert_eq!(order[..5], ["d", "b", "a", "c", "e"]);
}

#[test]
fn a_delivery_that_would_be_offered_too_often_expires_instead() {
    let mut person = Person::new();
    person.publish(Engagement { max_offers: 2, ..engagement("nps") });
    for number in 1..=2 {
        assert_eq!(person.attach("phone")[0], format!("phone: offer nps #{number} step 1/1"));
        person.close("phone");
    }
    assert_eq!(person.attach("phone"), ["phone: caught up"]);
    assert_eq!(person.outcomes(), ["expired nps MaxOffers"]);
}

#[test]
fn with_all_devices_as_targets_the_last_allowed_offer_stays_on_its_screen() {
    let mut person = Person::new();
    person.publish(Engagement { max_offers: 1, targets: Targets::All, ..engagement("nps") });
    person.attach("phone");
    assert_eq!(person.attach("laptop"), ["laptop: caught up"]);
    assert_eq!(confirmed(&person.ack("phone", "nps", 0).0), "Completed 0/1 yours");
}

#[test]
fn a_second_publish_of_a_key_reports_the_first_ones_state_and_changes_nothing() {
    let mut person = Person::new();
    let PublishReply::Queued { window, state, closes_at } = person.publish(tour("tour", 3)) else { panic!("not queued") };
    assert_eq!(state, State::Queued);
    let duplicate = |state, step| PublishReply::Duplicate { window, state, step, closes_at };
    assert_eq!(person.publish(tour("tour", 3)), duplicate(State::Queued, 0));
    person.attach("phone");
    person.ack("phone", "tour", 2);
    assert_eq!(person.publish(tour("tour", 3)), duplicate(State::InProgress, 2));
    let other = Engagement { fingerprint: 2, ..tour("tour", 3) };
    assert_eq!(person.publish(other.clone()), PublishReply::Different { window, state: State::InProgress });
    person.ack("phone", "tour", 3);
    assert_eq!(person.publish(tour("tour", 3)), duplicate(State::Completed, 3));
    assert_eq!(person.publish(other), PublishReply::Different { window, state: State::Completed });
}

#[test]
fn a_withdrawn_delivery_is_taken_from_its_holder_and_never_offered_again() {
    let mut person = Person::new();
    person.publish(tour("tour", 3));
    person.attach("phone");
    person.ack("phone", "tour", 1);
    let withdrawn = Some(Ended { state: State::Withdrawn, reason: Some(Reason::Publisher), step: 1 });
    assert_eq!(person.withdraw("tour"), (withdrawn.clone(), vec![format!("phone: withdraw tour {:?}", WithdrawReason::Withdrawn)]));
    assert_eq!(person.withdraw("tour"), (withdrawn, vec![]));
    person.close("phone");
    assert_eq!(person.attach("laptop"), ["laptop: caught up"]);
    assert_eq!(confirmed(&person.ack("laptop", "tour", 3).0), "Withdrawn 1/3");
    assert_eq!(person.withdraw("other"), (None, vec![]));
}

#[test]
fn a_withdraw_that_comes_too_late_says_how_it_ended() {
    let mut person = Person::new();
    person.publish(engagement("nps"));
    person.attach("phone");
    person.ack("phone", "nps", 0);
    assert_eq!(person.withdraw("nps").0, Some(Ended { state: State::Completed, reason: None, step: 0 }));
    assert_eq!(person.outcomes().len(), 2);
}

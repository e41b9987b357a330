//! Each rule finds what was planted for it, and names it.

use serde_json::json;

use super::record::{Fault, Key, Leave, What};
use super::samples::{Sample, key, payload};

#[track_caller]
fn finds(rule: &str, sample: &Sample) {
    assert!(sample.broken().contains(&rule), "{rule} was not found, only {:?}", super::judge(&sample.entries).violations);
}

#[test]
fn what_keeps_the_promises_passes() {
    assert_eq!(super::judge(&Sample::whole().entries).violations, []);
}

#[test]
fn an_offer_after_a_confirm_is_found() {
    finds("G1", &Sample::settled().hello(3).offer(3, 3));
    let open_before = Sample::held().hello(2).ack(1, 2).confirm(1, 2, "completed");
    finds("G1", &open_before.clone().offer(2, 3));
    let crossed = open_before.at() - 15;
    assert!(!open_before.offer_at(2, 1, crossed).broken().contains(&"G1"), "an offer may have been under way");
    finds("G1", &Sample::settled().offer_at(1, 3, 0));
    let taken_back = What::TakenBack { call: 2, user: "u".to_owned(), id: "x".to_owned(), state: "withdrawn".to_owned() };
    finds("G10", &Sample::held().then(taken_back).hello(2).offer(2, 1));
}

#[test]
fn two_winners_are_found() {
    finds("one winner", &Sample::settled().hello(2).ack(2, 2).confirm(2, 2, "completed"));
}

#[test]
fn what_was_lost_or_settled_twice_is_found() {
    finds("G2", &Sample::settled().outcome(None, "c1"));
    finds("G2", &Sample::whole().outcome(Some("completed"), "c3"));
    finds("G2", &Sample::settled().outcome(Some("expired"), "c1"));
    finds("G2", &Sample::held().outcome(Some("completed"), "c1"));
    finds("refused", &Sample::held().publish(2).then(What::GaveUp { call: 2, why: "503".to_owned() }));
}

#[test]
fn a_second_publish_that_wins_is_found() {
    finds("G3", &Sample::held().publish(2).published(2, 201, "queued"));
    finds("G3", &Sample::held().publish(2).published(2, 409, "queued"));
    finds("G3", &Sample::settled().publish(2).published(2, 200, "offered"));
}

#[test]
fn what_nobody_sent_is_found() {
    let offer = |payload| What::Offer { session: 1, key: key(), offer: 1, step: 1, at: 0, data: json!(null), payload };
    let published = Sample::held().withdraw(1, "moved");
    finds("thin air", &published.clone().then(offer(json!(1))));
    let other = What::Offer {
        session: 1,
        key: Key { id: "y".to_owned(), ..key() },
        offer: 1,
        step: 1,
        at: 0,
        data: json!(null),
        payload: payload(),
    };
    finds("thin air", &published.then(other));
}

#[test]
fn a_start_from_the_beginning_is_found() {
    let half = Sample::held().ack(1, 1).confirm(1, 1, "in_progress").end(1, Leave::Closed);
    finds("G4", &half.clone().hello(3).offer(3, 1));
    finds("G4", &half.clone().hello(3).offer(3, 4));
    let with_other_data =
        What::Offer { session: 3, key: key(), offer: 2, step: 2, at: half.at() + 20, data: json!({"step": 9}), payload: payload() };
    finds("G4", &half.clone().hello(3).then(with_other_data));
    finds("step fell", &half.clone().hello(3).offer(3, 2).withdraw(3, "moved").offer(3, 1));
    finds("unsettled", &Sample::settled().confirm(1, 2, "in_progress"));
    finds("unsettled", &Sample::settled().confirm(1, 2, "expired"));
}

#[test]
fn a_second_holder_is_found() {
    let two = Sample::held().hello(2);
    finds("G5", &two.clone().offer(2, 1));
    finds("G5", &two.clone().end(1, Leave::Lost).wait(5).offer(2, 1));
    finds("G5", &two.clone().fault("n1", Fault::Kill).wait(5).offer(2, 1).wait(60));
    finds("G5", &two.clone().fault("n2", Fault::Kill).wait(60).offer(2, 1));
    finds("G5", &two.clone().end(1, Leave::Lost).hello_with(3, &[key()]).wait(80).offer(2, 1));
    let closed_late = two.clone().offer(2, 1).end(1, Leave::Closed);
    finds("G5", &closed_late);
    finds("G5", &two.offer(2, 1).withdraw(1, "moved"));
}

#[test]
fn a_disturbed_client_is_found() {
    let ended = |session| What::Ended { session, code: None };
    finds("G8", &Sample::held().fault("n2", Fault::Kill).then(ended(1)));
    finds("G8", &Sample::held().then(What::Ended { session: 1, code: Some(4409) }));
    let error = What::Error { session: 1, code: "unavailable".to_owned(), retry: true, reference: None };
    finds("G8", &Sample::held().fault("n2", Fault::Pause).then(error));
    finds("G8", &Sample::held().ack(1, 1).wait(500).end(1, Leave::Closed));
    let silent = Sample::held().then(What::Hello {
        session: 5,
        user: "u".to_owned(),
        device: "tablet".to_owned(),
        node: "n1".to_owned(),
        visible: true,
        max_in_flight: 1,
        open: vec![],
    });
    finds("G8", &silent.wait(500).end(1, Leave::Closed));
}

#[test]
fn an_offer_of_what_is_on_the_screen_is_found() {
    finds("twice", &Sample::held().offer(1, 1));
    finds("twice", &Sample::held().end(1, Leave::Lost).hello_with(3, &[key()]).offer(3, 1));
    let mut crowded = Sample::held();
    for id in ["y", "z"] {
        let named = Key { id: id.to_owned(), ..key() };
        crowded = crowded.then(What::Offer { session: 1, key: named, offer: 1, step: 1, at: 0, data: json!(null), payload: payload() });
    }
    finds("in flight", &crowded);
}

//! Each rule finds what was planted for it, and names it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::record::{Fault, Key, Leave, Publish, Targets, Transport, What, Window};
use super::samples::{Sample, key, payload};

/// All names that a violation can have.
pub const NAMES: [&str; 23] = [
    "G1",
    "G10",
    "G2",
    "G3",
    "G4",
    "G5",
    "G6",
    "G8",
    "G9",
    "buffer",
    "carry",
    "conservation",
    "history",
    "in flight",
    "max offers",
    "one winner",
    "phantom",
    "refused",
    "replicas agree",
    "settles once",
    "step fell",
    "twice",
    "unsettled",
];

fn other() -> Key {
    Key::new("u", "y", "w")
}

/// The same name in the next window.
fn next() -> Key {
    Key::new("u", "x", "w2")
}

fn window(session: u64, id: &str, opened_at: u64) -> What {
    What::Window { session, window: Window { id: id.to_owned(), opened_at, closes_at: opened_at + 1_000 } }
}

fn offer(key: Key, (step, at): (u64, u64), (data, payload): (Value, Value)) -> What {
    What::Offer { session: 3, key, offer: 2, step, at, data, payload }
}

fn half() -> Sample {
    Sample::held().ack(1, 1).confirm(1, 1, "in_progress").end(1, Leave::Closed)
}

type Planted = (&'static str, &'static str, Sample);

fn settling() -> Vec<Planted> {
    let open_before = || Sample::held().hello(2).ack(1, 2).confirm(1, 2, "completed");
    vec![
        ("offered to a hello after its confirm", "G1", Sample::settled().hello(3).offer(3, 3)),
        ("offered to an open connection with a later time", "G1", open_before().offer(2, 3)),
        ("offered with a later time, and read before the confirm", "G1", read_before_the_confirm()),
        ("offered on the connection that had the confirm", "G1", Sample::settled().offer_at(1, 3, 0)),
        ("settled by two devices", "one winner", Sample::settled().hello(2).ack(2, 2).confirm(2, 2, "completed")),
        (
            "accepted, and never heard of again",
            "G2",
            Sample::settled().publish_other(2, "y").created(2, other(), 9_999_999).outcome(None, "c1"),
        ),
        ("confirmed, and not in the feed", "G2", Sample::settled().outcome(None, "c1")),
        ("confirmed as completed, expired by the feed", "G2", Sample::settled().outcome(None, "c1").outcome(Some("expired"), "c2")),
        ("open by the API, completed by the feed", "G2", Sample::whole().then(What::Last { key: key(), state: "shown".to_owned() })),
        ("settled twice by the feed", "settles once", Sample::whole().outcome(Some("completed"), "c3")),
        ("published by the feed, and no more", "conservation", Sample::held().outcome(None, "c1")),
        ("settled, and never published by the feed", "conservation", Sample::settled().outcome(Some("completed"), "c1")),
        (
            "completed, for a reason that it can't have",
            "conservation",
            Sample::settled().outcome(None, "c1").feed(key(), "completed", Some("ttl")),
        ),
        ("settled, and then in progress", "unsettled", Sample::settled().confirm(1, 2, "in_progress")),
        ("settled otherwise than before", "unsettled", Sample::settled().confirm(1, 2, "expired")),
        ("offered to a hello after it was withdrawn", "G10", Sample::held().taken_back(2, "withdrawn").hello(2).offer(2, 1)),
        ("withdrawn, and said to be waiting", "G10", Sample::held().taken_back(2, "queued")),
        ("withdrawn, and completed by the feed", "G10", Sample::whole().taken_back(2, "withdrawn")),
    ]
}

fn read_before_the_confirm() -> Sample {
    let sample = Sample::held().hello(2).ack(1, 2);
    let at = sample.at();
    let late = What::Confirm { session: 1, key: key(), step: 2, state: "completed".to_owned(), yours: true, at, reference: Some(2) };
    sample.withdraw(1, "moved").offer(2, 1).then(late)
}

fn publishing() -> Vec<Planted> {
    let refused = || Sample::new(Targets::Active).publish(1).refused(1).hello(1);
    let full = || Sample::new(Targets::Active).with(|run| run.buffer_max = Some(1)).publish(1).publish_other(2, "y");
    let own_window =
        Publish { call: 2, user: "u".to_owned(), id: "x".to_owned(), window_ms: Some(100), payload: payload(), ..Publish::default() };
    let carried = Sample::whole().with(|run| run.carry_ms = Some(60_000)).feed(key(), "completed", None);
    let with_limit = |max_offers| {
        let publish = Publish { call: 1, user: "u".to_owned(), id: "x".to_owned(), max_offers, payload: payload(), ..Publish::default() };
        Sample::new(Targets::Active).then(What::Publish(publish)).published(1, 201, "queued").hello(1)
    };
    vec![
        ("in vain for as long as it may be tried", "refused", Sample::held().publish(2).gave_up(2)),
        ("created twice", "G3", Sample::held().publish(2).published(2, 201, "queued")),
        (
            "created while its own window is open",
            "G3",
            Sample::new(Targets::Active).publish(1).created(1, key(), 1_000_500).then(What::Publish(own_window)).created(
                2,
                next(),
                1_000_550,
            ),
        ),
        ("refused as different from itself", "G3", Sample::held().publish(2).published(2, 409, "queued")),
        ("a duplicate of what is settled, said to be offered", "G3", Sample::settled().publish(2).published(2, 200, "offered")),
        ("a duplicate with a step that was passed", "G3", half().publish(2).published(2, 200, "in_progress")),
        ("a second publish whose payload wins", "G3", second_payload()),
        ("offered in the next window while it counts", "carry", carried.hello(3).offer_of(3, next())),
        ("refused for a full buffer, and offered", "buffer", refused().offer(1, 1)),
        ("more in the buffer than fit", "buffer", full().feed(key(), "published", None).feed(other(), "published", None)),
        ("offered once more than it may be", "max offers", with_limit(1).offer_number(1, 2)),
        ("counted backwards", "max offers", with_limit(0).offer_number(1, 4).withdraw(1, "moved").offer_number(1, 3)),
    ]
}

fn second_payload() -> Sample {
    let second = Publish { call: 2, user: "u".to_owned(), id: "x".to_owned(), payload: json!(2), ..Publish::default() };
    let sample = Sample::held().then(What::Publish(second)).published(2, 409, "offered").withdraw(1, "moved").hello(3);
    let at = sample.at();
    sample.then(offer(key(), (1, at), (json!(null), json!(2))))
}

fn offering() -> Vec<Planted> {
    let at = half().at() + 20;
    let two = || Sample::held().hello(2);
    let crowded = Sample::held().publish_other(2, "y").publish_other(3, "z").offer_of(1, other()).offer_of(1, Key::new("u", "z", "w"));
    let again = || half().hello(3).ack_of_hello(2);
    vec![
        ("begun again", "G4", half().hello(3).offer(3, 1)),
        ("beyond what anybody acked", "G4", half().hello(3).offer(3, 4)),
        ("with data that nobody sent", "G4", half().hello(3).then(offer(key(), (2, at), (json!({"step": 9}), payload())))),
        ("a step back", "step fell", half().hello(3).offer(3, 2).withdraw(3, "moved").offer(3, 1)),
        ("held by two", "G5", two().offer(2, 1)),
        ("before the lease was over", "G5", two().end(1, Leave::Lost).wait(5).offer(2, 1)),
        ("a kill that was no lease ago", "G5", two().fault("n1", Fault::Kill).wait(5).offer(2, 1).wait(60)),
        ("another node's kill", "G5", two().fault("n2", Fault::Kill).wait(60).offer(2, 1)),
        ("back in time with the key", "G5", two().end(1, Leave::Lost).hello_with(3, &[key()]).wait(80).offer(2, 1)),
        ("closed when the other had it", "G5", two().offer(2, 1).end(1, Leave::Closed)),
        ("withdrawn when the other had it", "G5", two().offer(2, 1).withdraw(1, "moved")),
        ("a clock that jumped excuses nothing", "G5", two().fault("n1", Fault::ClockJump).offer(2, 1)),
        (
            "a cut and a jump, and no lease ago",
            "G5",
            two()
                .with(|run| run.lease_ms = 2_000)
                .fault("n1", Fault::Cut)
                .fault("n2", Fault::ClockJump)
                .wait(100)
                .offer_at(2, 1, 5_000_000),
        ),
        ("with an ack of its hello not answered", "G9", again().offer(3, 2)),
        ("at the step that its hello's ack confirmed", "G9", again().confirm_of_hello(3, 2, "in_progress").offer(3, 2)),
        ("though its hello's ack settled it", "G9", again().confirm_of_hello(3, 2, "completed").offer(3, 3)),
        ("offered to who holds it", "twice", Sample::held().offer(1, 1)),
        ("offered to who has it on the screen", "twice", Sample::held().end(1, Leave::Lost).hello_with(3, &[key()]).offer(3, 1)),
        ("more than it can hold", "in flight", crowded),
        ("with a payload that nobody sent", "phantom", Sample::held().hello(3).then(offer(key(), (1, at), (json!(null), json!(1))))),
        ("of what was never published", "phantom", Sample::held().offer_of(1, other())),
        ("of what is published later", "phantom", Sample::new(Targets::Active).hello(1).offer(1, 1).publish(1)),
        ("to another user", "phantom", to_another_user()),
        ("to another device than its own", "phantom", Sample::held().hello(2).offer_of(2, key().on("phone"))),
        ("completed, and nobody acked it", "phantom", Sample::held().outcome(None, "c1").outcome(Some("completed"), "c2")),
    ]
}

fn to_another_user() -> Sample {
    Sample::held().then(stranger("n1")).then(What::Welcome { session: 5, window: None }).offer(5, 1)
}

fn stranger(node: &str) -> What {
    let (user, device, node) = ("somebody".to_owned(), "tablet".to_owned(), node.to_owned());
    What::Hello { session: 5, user, device, node, visible: true, max_in_flight: 1, open: vec![], transport: Transport::Websocket }
}

fn running() -> Vec<Planted> {
    let ended = |session, code| What::Ended { session, code };
    let error = |code: &str, retry| What::Error { session: 1, code: code.to_owned(), retry, reference: None };
    let closed = Sample::new(Targets::Active).publish(1).created(1, key(), 1_000_020).hello(1);
    vec![
        ("ledger time that ran back on a connection", "G6", half().hello(3).offer_at(3, 2, 5)),
        ("ledger time that ran back after a hello", "G6", Sample::held().hello(2).withdraw(1, "moved").offer_at(2, 1, 1_000_001)),
        ("ledger time that ran back after an ack", "G6", ack_before_its_time()),
        ("offered after its window closed", "G6", closed.clone().offer(1, 1)),
        ("one window, two spans", "G6", Sample::held().then(window(1, "v", 5)).then(window(1, "v", 6))),
        ("two windows at once", "G6", Sample::held().then(window(1, "v", 500)).then(window(1, "v2", 1_400))),
        ("a close that moved", "G6", closed.publish(2).created(2, key(), 1_000_030)),
        ("closed before its time", "G6", Sample::held().then(window(1, "w", 1_000_000)).feed(key(), "expired", Some("window_closed"))),
        ("ended on a node without a fault", "G8", Sample::held().fault("n2", Fault::Kill).then(ended(1, None))),
        ("ended by a clock that jumped", "G8", Sample::held().fault("n1", Fault::ClockJump).then(ended(1, None))),
        ("replaced by nobody", "G8", Sample::held().then(ended(1, Some(4409)))),
        ("told of an error for another node's pause", "G8", Sample::held().fault("n2", Fault::Pause).then(error("unavailable", true))),
        ("refused for good for a slow disk", "G8", Sample::held().fault("n2", Fault::SlowDisk).then(error("unknown_delivery", false))),
        ("an ack without an answer", "G8", Sample::held().ack(1, 1).wait(500).end(1, Leave::Closed)),
        ("a hello without an answer", "G8", Sample::held().then(stranger("n1")).wait(500).end(1, Leave::Closed)),
        ("two replicas apart", "replicas agree", Sample::held().replica("n1", 7, "aa").replica("n2", 7, "ab")),
        ("an offer to nobody", "history", Sample::held().offer(9, 1)),
        ("an answer to nothing", "history", Sample::held().published(9, 201, "queued")),
    ]
}

fn ack_before_its_time() -> Sample {
    let late =
        What::Confirm { session: 2, key: key(), step: 1, state: "shown".to_owned(), yours: false, at: 1_000_055, reference: Some(1) };
    Sample::new(Targets::All).publish(1).published(1, 201, "queued").hello(1).hello(2).offer(1, 1).ack(2, 1).then(late)
}

#[test]
fn what_keeps_the_promises_passes() {
    assert_eq!(super::judge(&Sample::whole().entries).violations, []);
}

#[test]
fn what_is_planted_is_found_by_the_rule_for_it() {
    let planted: Vec<Planted> = [settling(), publishing(), offering(), running()].concat();
    let missed: Vec<_> = planted
        .iter()
        .filter(|(_, rule, sample)| !sample.broken().contains(rule))
        .map(|(name, rule, sample)| (name, rule, sample.broken()))
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
    let rules: BTreeSet<&str> = planted.iter().map(|(_, rule, _)| *rule).collect();
    assert_eq!(rules.into_iter().collect::<Vec<_>>(), NAMES, "each rule is planted for");
}

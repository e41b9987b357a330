//! Histories that look odd and keep every promise: nothing is found in them.

use serde_json::json;

use super::record::{Clocks, Fault, Key, Leave, Publish, Scope, Targets, What, Window};
use super::samples::{Sample, key, payload};

fn error(session: u64) -> What {
    What::Error { session, code: "unavailable".to_owned(), retry: true, reference: Some(1) }
}

fn ended(session: u64, code: Option<u16>) -> What {
    What::Ended { session, code }
}

fn publish(change: impl FnOnce(&mut Publish)) -> What {
    let mut publish = Publish { call: 1, user: "u".to_owned(), id: "x".to_owned(), payload: payload(), ..Publish::default() };
    change(&mut publish);
    What::Publish(publish)
}

fn next() -> Key {
    Key::new("u", "x", "w2")
}

type Odd = (&'static str, Sample);

#[test]
fn what_is_odd_and_right_passes() {
    let judged = [moving(), going_on(), disturbed(), publishing(), settling(), timing()]
        .concat()
        .into_iter()
        .map(|(name, sample)| (name, super::judge(&sample.entries).violations));
    let found: Vec<_> = judged.filter(|(_, violations)| !violations.is_empty()).collect();
    assert!(found.is_empty(), "{found:#?}");
}

fn moving() -> Vec<Odd> {
    let two = || Sample::held().hello(2);
    vec![
        ("offered again after a lost line and its lease", two().end(1, Leave::Lost).wait(10).offer(2, 1)),
        ("offered again after a close", two().end(1, Leave::Closed).offer(2, 1)),
        ("moved by a withdraw", two().withdraw(1, "moved").offer(2, 1)),
        ("moved by a withdraw that was read later", moved_and_read_later()),
        ("taken over by a second connection without it", Sample::held().end(1, Leave::Lost).hello(3).hello(2).offer(2, 1)),
        ("a withdraw that died with its line", two().offer(2, 1).end(1, Leave::Lost)),
        ("a withdraw that died with its node", two().offer(2, 1).fault("n1", Fault::Kill).then(ended(1, None))),
        ("a node that fell silent a lease ago", two().fault("n1", Fault::Pause).wait(10).offer(2, 1).fault("n1", Fault::Resume)),
        ("a node that was cut off a lease ago", two().fault("n1", Fault::Cut).wait(10).offer(2, 1)),
        ("a node that others can't hear, a lease ago", two().fault("n1", Fault::CutOneWay).wait(10).offer(2, 1)),
        ("a node that was wiped a lease ago", two().fault("n1", Fault::Wipe).wait(10).offer(2, 1)),
        ("a node that sent its clients away", two().fault("n1", Fault::Stop).offer(2, 1).then(ended(1, Some(1012)))),
        ("a node that was taken out", two().fault("n1", Fault::Remove).offer(2, 1).then(ended(1, Some(1012)))),
        ("hidden, and dead before the withdraw came", hidden_and_dead()),
        ("hidden, and the withdraw was lost with a link", hidden().fault("n2", Fault::Loss).offer(2, 1).fault("n2", Fault::Heal)),
        ("put off by its holder", two().dismiss(1).dismissed(1, "offered").wait(20).offer(2, 1)),
        ("closed before the other had it, after it was decided", closed_meanwhile()),
        ("withdrawn by its edge, whose lease was over, after the move was decided", withdrawn_meanwhile()),
        ("a replaced connection", Sample::held().hello(3).then(ended(1, Some(4409)))),
        ("shared by two devices", shared()),
        (
            "progress of all, a step by each",
            shared().ack(1, 1).confirm(1, 1, "in_progress").ack(2, 2).confirm(2, 2, "completed").withdraw(1, "done_elsewhere"),
        ),
        ("shared, and offered again with a count of its own", shared().withdraw(1, "moved").offer_number(1, 1)),
        ("a delivery for each device", one_for_each_device()),
    ]
}

fn going_on() -> Vec<Odd> {
    vec![
        ("goes on where it was", Sample::held().ack(1, 1).confirm(1, 1, "in_progress").end(1, Leave::Closed).hello(3).offer(3, 2)),
        ("an ack that was taken and not confirmed", Sample::held().ack(1, 1).end(1, Leave::Lost).hello(3).offer(3, 2)),
        ("an ack that was not taken", Sample::held().ack(1, 1).end(1, Leave::Lost).hello(3).offer(3, 1)),
        ("on the screen, and not offered again", Sample::held().end(1, Leave::Lost).hello_with(3, &[key()]).ack(3, 1)),
        ("withdrawn and offered again", Sample::held().withdraw(1, "moved").offer(1, 1)),
        (
            "an ack in the next hello",
            Sample::held().ack(1, 1).end(1, Leave::Lost).hello(3).ack_of_hello(1).confirm_of_hello(3, 1, "in_progress").offer(3, 2),
        ),
        ("an ack in a hello that was refused for now", refused_in_hello()),
        ("put off, and offered again", Sample::held().dismiss(1).dismissed(1, "offered").wait(20).offer_number(1, 2)),
        ("an ack that a close overtook", Sample::held().ack(1, 1).end(1, Leave::Closed).wait(900).fault("n2", Fault::Kill)),
        ("a confirm of an earlier step that was read later", confirms_that_crossed()),
    ]
}

fn disturbed() -> Vec<Odd> {
    let slow = |kind| Sample::held().fault("n2", kind).ack(1, 1).wait(400).then(error(1)).fault("n2", Fault::Heal);
    vec![
        ("errors of a node that was paused", Sample::held().fault("n1", Fault::Pause).ack(1, 1).then(error(1))),
        ("errors without a majority", Sample::held().fault("all", Fault::NoMajority).ack(1, 1).then(error(1))),
        ("late, since another node's links are slow", slow(Fault::Delay)),
        ("late, since another node's disk is slow", slow(Fault::SlowDisk)),
        ("a node that joins has no clients to lose", Sample::held().fault("n4", Fault::Join).fault("n4", Fault::Start)),
    ]
}

fn publishing() -> Vec<Odd> {
    let other = |call| Sample::held().fault("all", Fault::NoMajority).publish_other(call, "y");
    let nobody = || Sample::new(Targets::Active).publish(1);
    let full = || nobody().with(|run| run.buffer_max = Some(1)).published(1, 201, "queued").publish_other(2, "y");
    vec![
        ("a call given up without a majority", other(2).gave_up(2)),
        ("a publish without an answer that shows up later", nobody().unanswered(1).hello(1).offer(1, 1)),
        (
            "a publish given up that shows up later",
            nobody().fault("all", Fault::NoMajority).gave_up(1).fault("all", Fault::Majority).hello(1).offer(1, 1),
        ),
        (
            "a publish that went twice, answered as a duplicate of itself",
            nobody().unanswered(1).published(1, 200, "queued").hello(1).offer(1, 1),
        ),
        ("an offer that is read before the publish is answered", nobody().hello(1).offer(1, 1).published(1, 201, "queued")),
        ("a duplicate", Sample::settled().publish(2).published(2, 200, "completed")),
        ("a duplicate that was under way when it settled", under_way_when_it_settled()),
        (
            "other content under the same name",
            Sample::held().then(publish(|publish| (publish.call, publish.payload) = (2, json!(2)))).published(2, 409, "offered"),
        ),
        ("refused for a full buffer", full().refused(2).hello(1).offer(1, 1)),
        ("refused, and taken when there was room", room_again()),
        ("its own window, over, and again", own_window_again()),
        (
            "withdrawn, and published anew in the next window",
            Sample::held().taken_back(2, "withdrawn").publish(3).created(3, next(), 9_999_999).hello(3).offer_of(3, next()),
        ),
        ("withdrawn when it was completed already", Sample::whole().taken_back(2, "completed")),
    ]
}

fn settling() -> Vec<Odd> {
    let open = |sample: Sample| sample.then(What::Last { key: key(), state: "offered".to_owned() });
    let ends = |reason| Sample::held().with(|run| run.buffer_max = Some(1)).outcome(None, "c1").feed(key(), "expired", Some(reason));
    vec![
        ("put off by a dismiss, and the line lost before the answer", put_off_and_lost()),
        ("a late ack of what is settled", late_ack()),
        ("a late ack of what has expired", ends("window_closed").ack(1, 1).confirm(1, 0, "expired")),
        ("the feed tells a line twice", Sample::whole().outcome(Some("completed"), "c2")),
        ("open at the end", open(Sample::held().outcome(None, "c1"))),
        ("offered as often as it may be, and expired", ends("max_offers")),
        ("dropped for a newer one", dropped_for_a_newer_one()),
        (
            "confirmed with less than the feed knows",
            Sample::held()
                .ack(1, 1)
                .confirm(1, 1, "in_progress")
                .ack(1, 2)
                .end(1, Leave::Lost)
                .outcome(None, "c1")
                .outcome(Some("completed"), "c2"),
        ),
    ]
}

fn timing() -> Vec<Odd> {
    let window =
        |id: &str, opened_at| What::Window { session: 1, window: Window { id: id.to_owned(), opened_at, closes_at: opened_at + 50 } };
    let jumped = || Sample::held().hello(2).fault("n2", Fault::ClockJump);
    let carried = || Sample::settled().outcome(None, "c1").with(|run| run.carry_ms = Some(100)).feed(key(), "completed", None);
    vec![
        ("a rollover", Sample::held().then(window("w", 1_000_010)).wait(5).then(window("w2", 1_000_100))),
        ("in the next window, when it counts no more", carried_and_over(carried())),
        ("expired in its window, new in the next", expired_and_new()),
        ("a clock that jumped by an hour", jumped().withdraw(1, "moved").offer_at(2, 1, 4_600_000)),
        ("a lease of ledger time that a jump ended", jumped().end(1, Leave::Lost).offer_at(2, 1, 4_600_000)),
        ("a jump, and a node that fell silent a lease ago", jumped().fault("n1", Fault::Cut).wait(10).offer_at(2, 1, 4_600_000)),
        ("nodes an hour behind the clients", behind()),
        ("an answer to a post, read before what was streamed earlier", posted()),
        ("replicas at different entries", Sample::held().replica("n1", 7, "aa").replica("n2", 8, "bb").replica("n3", 7, "aa")),
    ]
}

fn moved_and_read_later() -> Sample {
    let sample = Sample::held().hello(2);
    let at = sample.at();
    let withdraw = What::Withdraw { session: 1, key: key(), reason: "moved".to_owned(), at };
    sample.offer_at(2, 1, at).wait(3).then(withdraw)
}

fn hidden() -> Sample {
    Sample::held().hello(2).then(What::Visible { session: 1, visible: false })
}

fn hidden_and_dead() -> Sample {
    hidden().end(1, Leave::Lost).offer(2, 1)
}

fn withdrawn_meanwhile() -> Sample {
    let sample = Sample::held().hello(2);
    let at = sample.at();
    sample.wait(50).withdraw(1, "moved").offer_at(2, 1, at)
}

fn closed_meanwhile() -> Sample {
    let sample = Sample::held().hello(2).then(What::Visible { session: 1, visible: false });
    let at = sample.at();
    sample.wait(2).end(1, Leave::Closed).offer_at(2, 1, at)
}

fn put_off_and_lost() -> Sample {
    let dismiss = What::Ack { session: 1, key: key(), step: None, data: json!(null), reference: Some(1) };
    Sample::held().hello(2).then(dismiss).end(1, Leave::Lost).offer(2, 1)
}

fn late_ack() -> Sample {
    let sample = Sample::settled().hello(2).ack(2, 1);
    let at = sample.at();
    let late = What::Confirm { session: 2, key: key(), step: 2, state: "completed".to_owned(), yours: false, at, reference: Some(1) };
    sample.then(late)
}

fn shared() -> Sample {
    Sample::new(Targets::All).publish(1).published(1, 201, "queued").hello(1).offer(1, 1).hello(2).offer_number(2, 2)
}

fn one_for_each_device() -> Sample {
    let (phone, laptop) = (key().on("phone"), key().on("laptop"));
    let sample = Sample::new(Targets::All).then(publish(|publish| publish.scope = Scope::Device)).published(1, 201, "queued");
    let sample = sample.hello(1).offer_of(1, phone.clone()).hello(2).offer_of(2, laptop.clone());
    let ack = What::Ack { session: 1, key: phone.clone(), step: Some(1), data: json!(null), reference: Some(1) };
    let sample = sample.then(ack);
    let (at, state) = (sample.at(), "completed".to_owned());
    let confirm = What::Confirm { session: 1, key: phone.clone(), step: 1, state, yours: true, at, reference: Some(1) };
    let sample = sample.then(confirm).with(|run| run.buffer_max = Some(2)).feed(key(), "published", None);
    let sample = sample.feed(phone.clone(), "offered", None).feed(laptop.clone(), "offered", None).feed(phone, "completed", None);
    sample.feed(laptop, "expired", Some("window_closed"))
}

fn refused_in_hello() -> Sample {
    let refused = What::Error { session: 3, code: "unavailable".to_owned(), retry: true, reference: None };
    Sample::held().ack(1, 1).end(1, Leave::Lost).fault("all", Fault::NoMajority).hello(3).ack_of_hello(1).then(refused).offer(3, 1)
}

fn confirms_that_crossed() -> Sample {
    let sample = shared().ack(1, 1).ack(2, 2);
    let at = sample.at();
    let first =
        What::Confirm { session: 1, key: key(), step: 1, state: "in_progress".to_owned(), yours: false, at: at - 9, reference: Some(1) };
    sample.confirm(2, 2, "completed").then(first)
}

fn under_way_when_it_settled() -> Sample {
    Sample::held().ack(1, 2).publish(2).confirm(1, 2, "completed").published(2, 200, "offered")
}

fn room_again() -> Sample {
    let y = Key::new("u", "y", "w");
    let full = Sample::settled().with(|run| run.buffer_max = Some(1)).publish_other(2, "y").refused(2).publish_other(3, "y");
    let taken = full.created(3, y.clone(), 9_999_999).feed(key(), "published", None).feed(key(), "completed", None);
    taken.feed(y.clone(), "published", None).feed(y, "expired", Some("ttl"))
}

fn own_window_again() -> Sample {
    let own = |call| publish(|publish| (publish.call, publish.window_ms) = (call, Some(100)));
    let first =
        Sample::new(Targets::Active).then(own(1)).created(1, key(), 1_000_110).hello(1).offer(1, 1).ack(1, 2).confirm(1, 2, "completed");
    first.wait(20).then(own(2)).created(2, next(), 1_000_400).offer_of(1, next())
}

fn dropped_for_a_newer_one() -> Sample {
    let y = Key::new("u", "y", "w");
    let sample =
        Sample::new(Targets::Active).with(|run| run.buffer_max = Some(1)).publish(1).published(1, 201, "queued").publish_other(2, "y");
    let fed = sample.created(2, y.clone(), 9_999_999).feed(key(), "published", None).feed(key(), "dropped", Some("buffer_full"));
    fed.feed(y.clone(), "published", None).feed(y, "expired", Some("ttl"))
}

fn carried_and_over(sample: Sample) -> Sample {
    let new = sample.wait(30).publish(2).created(2, next(), 9_999_999).hello(3).offer_of(3, next());
    new.feed(next(), "published", None).feed(next(), "expired", Some("ttl"))
}

/// On a WebSocket it would be G6.
fn posted() -> Sample {
    let y = || Key::new("u", "y", "w");
    let sample = Sample::held().on_stream(1).publish_other(2, "y").created(2, y(), 9_999_999).ack(1, 1);
    let at = sample.at();
    let streamed = What::Offer { session: 1, key: y(), offer: 1, step: 1, at, data: json!(null), payload: super::samples::payload() };
    sample.wait(5).confirm(1, 1, "in_progress").then(streamed)
}

fn expired_and_new() -> Sample {
    let first = Sample::new(Targets::Active).with(|run| run.carry_ms = Some(60_000)).publish(1).created(1, key(), 1_000_020);
    let new = first.wait(5).publish(2).created(2, next(), 1_009_000).hello(1).offer_of(1, next());
    let fed = new.feed(key(), "published", None).feed(key(), "expired", Some("window_closed"));
    fed.feed(next(), "published", None).then(What::Last { key: next(), state: "offered".to_owned() })
}

fn behind() -> Sample {
    let ahead = Sample::new(Targets::Active).with(|run| (run.wall_ms, run.clocks) = (4_600_000, Clocks::Apart));
    let held = ahead.publish(1).published(1, 201, "queued").hello(1).offer(1, 1).hello(2);
    held.end(1, Leave::Closed).offer(2, 1)
}

#[test]
fn moves_are_counted() {
    let moved = Sample::held().hello(2).withdraw(1, "moved").offer(2, 1);
    assert_eq!(super::judge(&moved.entries).moves, 1);
    let about = super::about(&moved.entries, &super::Violation::new("G5", 0, String::new()).of(&key()));
    // All of it but what concerns the connections alone: the run, the calls, two hellos and welcomes, two offers and the withdraw.
    assert_eq!(about.len(), 10, "{about:?}");
    assert_ne!(key(), Key { id: "y".to_owned(), ..key() });
}

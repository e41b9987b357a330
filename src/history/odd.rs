//! Histories that look odd and keep every promise: nothing is found in them.

use super::record::{Fault, Key, Leave, Publish, Targets, What};
use super::samples::{Sample, key};

fn error(session: u64) -> What {
    What::Error { session, code: "unavailable".to_owned(), retry: true, reference: Some(1) }
}

fn ended(session: u64, code: Option<u16>) -> What {
    What::Ended { session, code }
}

#[test]
fn what_is_odd_and_right_passes() {
    let two = || Sample::held().hello(2);
    let cases: Vec<(&str, Sample)> = vec![
        ("offered again after a lost line and its lease", two().end(1, Leave::Lost).wait(10).offer(2, 1)),
        ("offered again after a close", two().end(1, Leave::Closed).offer(2, 1)),
        ("moved by a withdraw", two().withdraw(1, "moved").offer(2, 1)),
        ("moved by a withdraw that was read later", moved_and_read_later()),
        ("taken over by a second connection without it", Sample::held().end(1, Leave::Lost).hello(3).hello(2).offer(2, 1)),
        ("a withdraw that died with its line", two().offer(2, 1).end(1, Leave::Lost)),
        ("a withdraw that died with its node", two().offer(2, 1).fault("n1", Fault::Kill).then(ended(1, None))),
        ("a node that fell silent a lease ago", two().fault("n1", Fault::Pause).wait(10).offer(2, 1).fault("n1", Fault::Resume)),
        ("a node that was cut off a lease ago", two().fault("n1", Fault::Cut).wait(10).offer(2, 1)),
        ("a node that sent its clients away", two().fault("n1", Fault::Stop).offer(2, 1).then(ended(1, Some(1012)))),
        ("hidden, and dead before the withdraw came", hidden_and_dead()),
        ("closed before the other had it, after it was decided", closed_meanwhile()),
        ("goes on where it was", Sample::held().ack(1, 1).confirm(1, 1, "in_progress").end(1, Leave::Closed).hello(3).offer(3, 2)),
        ("an ack that was taken and not confirmed", Sample::held().ack(1, 1).end(1, Leave::Lost).hello(3).offer(3, 2)),
        ("an ack that was not taken", Sample::held().ack(1, 1).end(1, Leave::Lost).hello(3).offer(3, 1)),
        ("on the screen, and not offered again", Sample::held().end(1, Leave::Lost).hello_with(3, &[key()]).ack(3, 1)),
        ("withdrawn and offered again", Sample::held().withdraw(1, "moved").offer(1, 1)),
        ("a late ack of what is settled", late_ack()),
        ("a duplicate", Sample::settled().publish(2).published(2, 200, "completed")),
        ("errors of a node that was paused", Sample::held().fault("n1", Fault::Pause).ack(1, 1).then(error(1))),
        ("errors without a majority", Sample::held().fault("all", Fault::NoMajority).ack(1, 1).then(error(1))),
        ("a call given up without a majority", given_up_without_majority()),
        ("an ack that a close overtook", Sample::held().ack(1, 1).end(1, Leave::Closed).wait(900).fault("n2", Fault::Kill)),
        ("the feed tells a line twice", Sample::whole().outcome(Some("completed"), "c2")),
        (
            "shared by two devices",
            Sample::new(Targets::All).publish(1).published(1, 201, "queued").hello(1).offer(1, 1).hello(2).offer(2, 1),
        ),
        ("a replaced connection", Sample::held().hello(3).then(ended(1, Some(4409)))),
    ];
    for (name, sample) in cases {
        assert_eq!(super::judge(&sample.entries).violations, [], "{name}");
    }
}

fn moved_and_read_later() -> Sample {
    let sample = Sample::held().hello(2);
    let at = sample.at();
    let withdraw = What::Withdraw { session: 1, key: key(), reason: "moved".to_owned(), at };
    sample.offer_at(2, 1, at).wait(3).then(withdraw)
}

fn hidden_and_dead() -> Sample {
    Sample::held().hello(2).then(What::Visible { session: 1, visible: false }).end(1, Leave::Lost).offer(2, 1)
}

fn closed_meanwhile() -> Sample {
    let sample = Sample::held().hello(2).then(What::Visible { session: 1, visible: false });
    let at = sample.at();
    sample.wait(2).end(1, Leave::Closed).offer_at(2, 1, at)
}

fn late_ack() -> Sample {
    let late = What::Confirm { session: 2, key: key(), step: 2, state: "completed".to_owned(), yours: false, at: 0, reference: Some(1) };
    Sample::settled().hello(2).ack(2, 1).then(late)
}

fn given_up_without_majority() -> Sample {
    let other = What::Publish(Publish { call: 2, user: "u".to_owned(), id: "y".to_owned(), ..Publish::default() });
    Sample::held().fault("all", Fault::NoMajority).then(other).then(What::GaveUp { call: 2, why: "503".to_owned() })
}

#[test]
fn moves_are_counted() {
    let moved = Sample::held().hello(2).withdraw(1, "moved").offer(2, 1);
    assert_eq!(super::judge(&moved.entries).moves, 1);
    let about = super::about(&moved.entries, &super::Violation::new("G5", 0, format!("{} moved", key())));
    assert_eq!(about.len(), 4, "{about:?}");
    assert_ne!(key(), Key { id: "y".to_owned(), ..key() });
}

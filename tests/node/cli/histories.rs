//! `engage check-history`: what it says of histories that keep the promises, that don't, and that are none.

use std::path::{Path, PathBuf};

use engage::history::record::{Clocks, Entry, Key, Leave, Publish, Run, Transport, What};
use engage::history::{file, judge};
use serde_json::{Value, json};

use crate::support::runner::{Ran, run};

fn key() -> Key {
    Key::new("u1", "nps", "w1")
}

/// What the publisher's process took down.
fn publisher() -> Vec<Entry> {
    let run = Run { wall_ms: 1_000_000, lease_ms: 10_000, request_timeout_ms: 5_000, clocks: Clocks::Agree, ..Run::default() };
    let publish = Publish { call: 1, user: "u1".to_owned(), id: "nps".to_owned(), payload: json!({}), ..Publish::default() };
    let (state, step) = (Some("queued".to_owned()), Some(0));
    let answer = What::Published { call: 1, status: 201, key: Some(key()), state, step, closes_at: Some(9_000_000) };
    vec![Entry::at(0, What::Run(run)), Entry::at(10_000, What::Publish(publish)), Entry::at(20_000, answer)]
}

/// What the client's process took down, which started 100 ms later.
fn client() -> Vec<Entry> {
    let run = Run { wall_ms: 1_000_100, lease_ms: 10_000, request_timeout_ms: 5_000, ..Run::default() };
    let hello = |session| What::Hello {
        session,
        user: "u1".to_owned(),
        device: "d1".to_owned(),
        node: "n1".to_owned(),
        visible: true,
        max_in_flight: 16,
        open: vec![],
        transport: Transport::Websocket,
    };
    let offer = |session, at| What::Offer { session, key: key(), offer: 1, step: 1, at, data: Value::Null, payload: json!({}) };
    let ack = What::Ack { session: 1, key: key(), step: Some(1), data: Value::Null, reference: Some(1) };
    let confirm =
        What::Confirm { session: 1, key: key(), step: 1, state: "completed".to_owned(), yours: true, at: 1_000_140, reference: Some(1) };
    let first = [What::Run(run), hello(1), What::Welcome { session: 1, window: None }, offer(1, 1_000_115), ack, confirm];
    let again = [What::End { session: 1, leave: Leave::Closed }, hello(2), What::Welcome { session: 2, window: None }, offer(2, 1_000_180)];
    first.into_iter().chain(again).zip(0..).map(|(what, number)| Entry::at(number * 10_000, what)).collect()
}

fn check(files: &[PathBuf], more: &[&str]) -> Ran {
    let files = files.iter().map(|file| file.to_str().expect("a path of UTF-8"));
    run(&["check-history"].into_iter().chain(files).chain(more.iter().copied()).collect::<Vec<_>>(), &[])
}

fn write(folder: &Path, name: &str, entries: &[Entry]) -> PathBuf {
    let path = folder.join(name);
    file::write(&path, entries).expect("there is room");
    path
}

#[test]
fn a_history_that_keeps_the_promises_is_called_kept() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let files = [write(folder.path(), "publisher", &publisher()), write(folder.path(), "client", &client()[..9])];
    let ran = check(&files, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("offer 1, publish 1") && ran.stderr.contains("every promise was kept"), "{}{}", ran.stdout, ran.stderr);
    let ran = check(&files, &["--json"]);
    let verdict: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    assert_eq!((ran.code, &verdict["kept"], &verdict["counts"]["hello"]), (0, &json!(true), &json!(2)));
}

#[test]
fn a_broken_promise_is_shown_with_all_that_is_known_of_it() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let files = [write(folder.path(), "publisher", &publisher()), write(folder.path(), "client", &client())];
    let ran = check(&files, &[]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("G1 at 0.190 s: u1/nps@w1 was offered to session 1000000002, whose hello came after its confirm"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains(r#"{"t":10000,"e":"publish","call":1"#) && ran.stderr.contains("2 violations"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    let (first, ran_lines) = (ran.stdout.clone(), ran.stdout.lines().filter(|line| line.starts_with("  {")).count());
    let ran = check(&files, &["--json"]);
    let verdict: Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    assert_eq!((ran.code, &verdict["kept"], &verdict["violations"][0]["rule"]), (1, &json!(false), &json!("G1")));
    assert_eq!(verdict["about"][0].as_array().map(Vec::len), Some(13), "{verdict}");
    // It stands there once, though two rules say something of it.
    assert_eq!(ran_lines, 13, "{first}");
    let alone = judge(&client()[..9]).violations;
    assert!(alone.iter().any(|violation| violation.rule == "phantom"), "without the publisher's file there was no publish: {alone:?}");
}

#[test]
fn what_is_no_history_is_a_wrong_call_that_names_file_and_line() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let broken = folder.path().join("broken");
    let first = serde_json::to_string(&publisher()[0]).expect("an entry");
    std::fs::write(&broken, format!("{first}\n{{\"t\":5,\"e\":\"caught_up\",\"session\":1,\"colour\":2}}\n")).expect("there is room");
    let ran = check(&[broken], &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("broken:2: unknown field `colour`"), "{}", ran.stderr);
    assert_eq!(check(&[folder.path().join("missing")], &[]).code, 2);
    assert_eq!(run(&["check-history"], &[]).code, 2);
}

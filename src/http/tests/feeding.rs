//! The outcome feed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::Method;
use actix_web::http::header::ACCEPT;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::future::poll_fn;
use std::pin::Pin;
use tokio::time::timeout;

use super::fakes::{FakeNode, node, node_with};
use super::{Answer, admin, send, start};
use crate::http::feed::Feed;
use crate::http::limits::Bounds;

const LONG: Duration = Duration::from_secs(20);

async fn outcomes(node: &FakeNode, query: &str) -> Answer {
    send(node, admin(Method::GET, &format!("/v1/outcomes{query}"))).await
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let text = std::str::from_utf8(&answer.body).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["id"].as_str().unwrap()).collect()
}

#[actix_web::test]
async fn outcomes_of_all_shards_come_merged_by_time_with_a_cursor_each() {
    let node = node();
    node.read.happened("a", "first", 10);
    node.read.happened("bb", "third", 30);
    node.read.happened("ccc", "second", 20);
    node.read.happened("a", "fourth", 40);
    let answer = outcomes(&node, "").await;
    let lines = lines(&answer);
    assert_eq!(ids(&lines), ["first", "second", "third", "fourth"]);
    let cursor = lines[0]["cursor"].as_str().unwrap();
    let expected = json!({
        "cursor": cursor, "at": 10, "outcome": "offered", "user": "a", "device": "d1", "id": "first", "window": null, "step": 0, "reason": null,
    });
    assert_eq!(lines[0], expected);
    assert!(cursor.starts_with("1-1."), "{cursor}");
    assert_eq!(answer.header("engage-cursor"), lines[3]["cursor"]);
}

#[actix_web::test]
async fn every_cursor_goes_on_behind_its_line() {
    let node = node();
    for number in 0..20 {
        node.read.happened(["a", "bb", "ccc"][number % 3], &format!("e{number}"), 100 + number as u64 / 4);
    }
    let whole = outcomes(&node, "").await;
    let all = lines(&whole);
    assert_eq!(all.len(), 20);
    for (index, line) in all.iter().enumerate() {
        let rest = outcomes(&node, &format!("?after={}", line["cursor"].as_str().unwrap())).await;
        assert_eq!(lines(&rest), all[index + 1..]);
    }
    let mut paged = Vec::new();
    let mut after = String::new();
    while paged.len() < 20 {
        let page = outcomes(&node, &format!("?limit=3{after}")).await;
        after = format!("&after={}", page.header("engage-cursor"));
        paged.extend(lines(&page));
    }
    assert_eq!(paged, all);
}

#[actix_web::test]
async fn when_there_is_nothing_the_cursor_still_says_where_to_go_on() {
    let node = node();
    let empty = outcomes(&node, "").await;
    assert!(lines(&empty).is_empty());
    node.read.happened("a", "first", 10);
    let next = outcomes(&node, &format!("?after={}", empty.header("engage-cursor"))).await;
    assert_eq!(ids(&lines(&next)), ["first"]);
    let last = next.header("engage-cursor").to_owned();
    let none = outcomes(&node, &format!("?after={last}")).await;
    assert_eq!((lines(&none).len(), none.header("engage-cursor")), (0, last.as_str()));
}

#[actix_web::test]
async fn a_cursor_whose_outcomes_are_gone_is_answered_410() {
    let node = node();
    for number in 0..4 {
        node.read.happened("a", &format!("e{number}"), number);
    }
    let all = outcomes(&node, "").await;
    let cursors: Vec<String> = lines(&all).iter().map(|line| line["cursor"].as_str().unwrap().to_owned()).collect();
    node.read.change(|facts| {
        facts.logs[1].dropped = 2;
        facts.logs[1].kept.drain(..2);
    });
    outcomes(&node, &format!("?after={}", cursors[0])).await.problem(410, "cursor_expired");
    let rest = outcomes(&node, &format!("?after={}", cursors[1])).await;
    assert_eq!(ids(&lines(&rest)), ["e2", "e3"], "the last one dropped was read");
    let oldest = outcomes(&node, "").await;
    assert_eq!(ids(&lines(&oldest)), ["e2", "e3"]);
}

/// A node that keeps its ledger in memory counts from 1 again after a restart: reading on behind an old cursor would leave out what came since.
#[actix_web::test]
async fn a_cursor_of_a_ledger_that_is_gone_is_answered_410() {
    let node = node();
    node.read.happened("a", "before", 10);
    node.read.happened("a", "before", 11);
    let cursor = outcomes(&node, "").await.header("engage-cursor").to_owned();
    node.read.change(|facts| facts.logs = Default::default());
    node.read.happened("a", "after", 20);
    outcomes(&node, &format!("?after={cursor}")).await.problem(410, "cursor_expired");
}

#[actix_web::test]
async fn what_is_no_cursor_and_no_limit_is_answered_400() {
    let node = node();
    for (query, field) in [
        ("after=", "after"),
        ("after=1-1.AAAA", "after"),
        ("after=0-0.AAAAAA", "after"),
        ("after=%FF", "after"),
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("wait=61s", "wait"),
        ("wait=30", "wait"),
    ] {
        assert_eq!(outcomes(&node, &format!("?{query}")).await.problem(400, "bad_request")["field"], field, "{query}");
    }
    outcomes(&node, "?from=0").await.problem(400, "unknown_field");
}

#[actix_web::test]
async fn a_long_poll_is_answered_when_something_happens() {
    let node = node();
    let read = Arc::clone(&node.read);
    let happens = async move {
        while read.outcome_reads() == 0 {
            tokio::task::yield_now().await;
        }
        read.happened("a", "first", 10);
    };
    let (answer, ()) = timeout(LONG, futures_util::future::join(outcomes(&node, "?wait=60s"), happens)).await.unwrap();
    assert_eq!(ids(&lines(&answer)), ["first"]);
}

#[actix_web::test]
async fn a_long_poll_ends_empty_when_the_time_is_up_or_the_node_stops() {
    let node = node();
    let answer = timeout(LONG, outcomes(&node, "?wait=50ms")).await.unwrap();
    assert!(lines(&answer).is_empty());
    node.api.close_feeds();
    let answer = timeout(LONG, outcomes(&node, "?wait=60s")).await.unwrap();
    assert!(lines(&answer).is_empty());
}

#[actix_web::test]
async fn feeds_are_bounded() {
    let node = node_with(Bounds { feeds_max: 1, ..Bounds::default() });
    let first = start(&node, admin(Method::GET, "/v1/outcomes").insert_header((ACCEPT, "text/event-stream"))).await;
    outcomes(&node, "").await.problem(429, "rate_limited");
    drop(first);
    assert_eq!(outcomes(&node, "").await.status, 200);
}

/// A feed of events, read piece by piece.
struct Events(Pin<Box<dyn MessageBody<Error = Box<dyn std::error::Error>>>>);

impl Events {
    async fn open(node: &FakeNode, query: &str, last_event: Option<&str>) -> Events {
        let mut request =
            admin(Method::GET, &format!("/v1/outcomes{query}")).insert_header((ACCEPT, "application/json, text/event-stream"));
        if let Some(cursor) = last_event {
            request = request.insert_header(("Last-Event-ID", cursor));
        }
        let response = start(node, request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
        let body = response.into_body();
        assert_eq!(body.size(), BodySize::Stream);
        Events(Box::pin(body))
    }

    /// The next piece; none when the feed has ended.
    async fn piece(&mut self) -> Option<String> {
        let piece = timeout(LONG, poll_fn(|context| self.0.as_mut().poll_next(context))).await.expect("a piece comes in time");
        piece.map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap())
    }

    /// The `id:` and the `data:` of the events of the next piece that has any.
    async fn events(&mut self) -> Vec<(String, Value)> {
        loop {
            let piece = self.piece().await.expect("the feed goes on");
            let events = piece.split("\n\n").filter_map(|event| event.strip_prefix("id: ")).map(|event| {
                let (id, data) = event.split_once("\ndata: ").unwrap();
                (id.to_owned(), serde_json::from_str(data).unwrap())
            });
            let events: Vec<_> = events.collect();
            if !events.is_empty() {
                return events;
            }
        }
    }
}

#[actix_web::test]
async fn a_feed_of_events_stays_open_and_goes_on_behind_the_last_event() {
    let node = node();
    node.read.happened("a", "first", 10);
    let mut events = Events::open(&node, "", None).await;
    let first = events.events().await;
    assert_eq!((first.len(), &first[0].1["id"]), (1, &json!("first")));
    assert_eq!(first[0].1["cursor"], first[0].0);
    node.read.happened("bb", "second", 20);
    let second = events.events().await;
    assert_eq!((second.len(), &second[0].1["id"]), (1, &json!("second")));
    drop(events);
    let mut again = Events::open(&node, &format!("?after={}", second[0].0), Some(&first[0].0)).await;
    assert_eq!(again.events().await, second, "Last-Event-ID wins over after");
}

#[actix_web::test]
async fn a_feed_of_events_ends_when_the_node_stops() {
    let node = node();
    let mut events = Events::open(&node, "", None).await;
    assert_eq!(events.piece().await.as_deref(), Some("retry: 1000\n\n"));
    node.api.close_feeds();
    assert_eq!(events.piece().await, None);
}

#[actix_web::test]
async fn a_feed_of_events_that_falls_too_far_behind_is_told_and_ends() {
    let node = node();
    node.read.happened("a", "first", 10);
    let mut events = Events::open(&node, "", None).await;
    events.events().await;
    node.read.change(|facts| facts.logs[1] = super::fakes::Log { dropped: 9, kept: Vec::new() });
    let piece = events.piece().await.unwrap();
    assert!(piece.starts_with("event: error\ndata: ") && piece.contains("cursor_expired"), "{piece}");
    assert_eq!(events.piece().await, None);
}

#[actix_web::test]
async fn who_turns_events_down_gets_lines() {
    let node = node();
    for accept in ["text/event-stream;q=0", "application/x-ndjson", "*/*"] {
        let answer = send(&node, admin(Method::GET, "/v1/outcomes").insert_header((ACCEPT, accept))).await;
        assert!(lines(&answer).is_empty(), "{accept}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However outcomes fall on shards and times, and however a reader pages, each comes once, and those of a user in their order.
    #[test]
    fn a_reader_misses_nothing_and_keeps_the_order_of_each_user(
        happened in prop::collection::vec((0usize..6, 0u64..4), 0..900),
        limits in prop::collection::vec(1usize..400, 1..8),
    ) {
        let node = node();
        let mut at = 100;
        let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (number, (user, passed)) in happened.iter().enumerate() {
            at += passed;
            let user = "u".repeat(user + 1);
            node.read.happened(&user, &number.to_string(), at);
            expected.entry(user).or_default().push(number.to_string());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut after: Option<String> = None;
        let mut last_at = 0;
        for limit in limits.iter().cycle() {
            let page = runtime.block_on(async {
                let mut feed = Feed::open(Arc::clone(&node.api.read), after.as_deref()).await.unwrap();
                let page = feed.page(*limit).await.unwrap();
                after = Some(feed.cursor().to_string());
                page
            });
            prop_assert!(page.len() <= *limit);
            for (_, outcome) in &page {
                prop_assert!(outcome.at.0 >= last_at, "what is there already comes in the order of time");
                last_at = outcome.at.0;
                seen.entry(outcome.user.to_string()).or_default().push(outcome.id.to_string());
            }
            if page.is_empty() {
                break;
            }
        }
        prop_assert_eq!(seen, expected);
    }
}

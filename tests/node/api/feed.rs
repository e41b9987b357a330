//! The feed of outcomes: NDJSON and SSE, cursors, waiting, and what it says when it no longer keeps what is asked for.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::nodes::{common, forgetful};
use crate::support::api::{Answer, Api, encode};
use crate::support::device::Device;
use crate::support::stream::Stream;
use crate::support::{DEADLINE, fresh, keys, wait, words};

fn told(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["outcome"].as_str()).collect()
}

/// The cursor behind all that there is now.
async fn newest_cursor(api: &Api) -> String {
    let user = fresh("marker");
    api.queue_plain(&user, "marker").await;
    let marker = wait::until("the marker is in the feed", || async { api.outcomes_of(&user).await.pop() }).await;
    marker["cursor"].as_str().expect("a cursor").to_owned()
}

#[tokio::test]
async fn everything_that_becomes_of_a_delivery_is_told_in_order() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let queued = api.queue(&user, &json!({"id": "tour", "payload": 1, "steps": 3})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    for step in [0, 1, 2, 3] {
        device.ack(&offer, step).await;
    }
    let lines = api.outcomes_of(&user).await;
    assert_eq!(told(&lines), ["published", "offered", "shown", "step", "step", "step", "completed"]);
    for line in &lines {
        assert_eq!(keys(line), words("cursor at outcome user device id window step reason"));
        assert_eq!((&line["user"], &line["id"], &line["window"]), (&json!(user), &json!("tour"), &queued["window"]));
        assert!(line["reason"].is_null(), "{line}");
    }
    assert_eq!(lines.iter().filter_map(|line| line["step"].as_u64()).collect::<Vec<_>>()[3..], [1, 2, 3, 3]);
    assert!(lines[0]["device"].is_null() && lines[1..].iter().all(|line| line["device"] == "d1"), "{lines:?}");
    let times: Vec<u64> = lines.iter().filter_map(|line| line["at"].as_u64()).collect();
    assert!(times.len() == lines.len() && times.is_sorted(), "{lines:?}");
}

#[tokio::test]
async fn every_end_is_told_with_its_reason() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    for (id, more) in [("withdrawn", json!({})), ("dismissed", json!({})), ("ttl", json!({"ttl": "400ms"}))] {
        let mut body = json!({"id": id, "payload": 1});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        api.queue(&user, &body).await;
    }
    let mut device = Device::connect(common(), &user, "d1").await;
    let offers = device.offers_until_caught_up().await;
    device.dismiss(&offers[1]).await;
    api.delete(&crate::support::api::engagement(&user, "withdrawn")).await.ok(200);
    device.expect("withdraw").await;
    device.expect("withdraw").await;
    let lines = api.outcomes_of(&user).await;
    let end = |id: &str| {
        let last = lines.iter().rfind(|line| line["id"] == id).expect("an outcome");
        (last["outcome"].as_str().unwrap_or_default(), last["reason"].as_str())
    };
    assert_eq!(end("withdrawn"), ("withdrawn", Some("publisher")));
    assert_eq!(end("dismissed"), ("dismissed", None));
    assert_eq!(end("ttl"), ("expired", Some("ttl")));
}

#[tokio::test]
async fn reading_goes_on_after_a_cursor() {
    let api = Api::admin(common());
    let cursor = newest_cursor(&api).await;
    let users: Vec<String> = (0..12).map(|_| fresh("user")).collect();
    api.post("/v1/engagements", &json!({"users": users, "engagement": {"id": "x", "payload": 1}})).await.ok(200);
    let mut after = cursor;
    let mut found = Vec::new();
    wait::within("all twelve", async {
        while found.len() < 12 {
            let lines = api.get(&format!("/v1/outcomes?limit=5&after={}", encode(&after))).await.lines();
            assert!(lines.len() <= 5, "limit is kept");
            let Some(last) = lines.last() else { continue };
            after = last["cursor"].as_str().expect("a cursor").to_owned();
            found.extend(lines.into_iter().filter(|line| users.iter().any(|user| line["user"] == **user)));
        }
    })
    .await;
    let mut seen: Vec<&str> = found.iter().filter_map(|line| line["cursor"].as_str()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len(), found.len()), (12, 12), "each once, each with a cursor of its own");
    let again = api.get(&format!("/v1/outcomes?after={}", encode(found[3]["cursor"].as_str().expect("a cursor")))).await.lines();
    assert!(found[4..].iter().all(|line| again.contains(line)), "a cursor read again tells the same");
}

#[tokio::test]
async fn a_reader_may_wait_for_what_comes_next() {
    let api = Api::admin(common());
    let cursor = newest_cursor(&api).await;
    let user = fresh("user");
    let waiting = async {
        let mut after = cursor;
        loop {
            let lines = api.get(&format!("/v1/outcomes?wait=10s&after={}", encode(&after))).await.lines();
            after = lines.last().expect("waiting ends with something, or at its end")["cursor"].as_str().expect("a cursor").to_owned();
            if lines.iter().any(|line| line["user"] == *user) {
                return;
            }
        }
    };
    let publishing = async {
        wait::pass(Duration::from_millis(200)).await;
        api.queue_plain(&user, "x").await;
    };
    let start = engage::clock::monotonic();
    tokio::join!(waiting, publishing);
    assert!(engage::clock::monotonic() - start < Duration::from_secs(8), "it does not wait to the end when something comes");
}

#[tokio::test]
async fn waiting_in_vain_ends_with_nothing() {
    let node = crate::nodes::forgetful();
    let api = Api::admin(node);
    let start = engage::clock::monotonic();
    let cursor = newest_cursor(&api).await;
    let lines = api.get(&format!("/v1/outcomes?wait=1s&after={}", encode(&cursor))).await.lines();
    let took = engage::clock::monotonic() - start;
    assert!(took < DEADLINE, "{took:?}");
    assert!(!lines.is_empty() || took >= Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn the_feed_also_comes_as_an_event_stream() {
    let api = Api::admin(common());
    let cursor = newest_cursor(&api).await;
    let path = format!("/v1/outcomes?after={}", encode(&cursor));
    let request = api.request(Method::GET, &path).header("accept", "text/event-stream");
    let mut stream = Stream::of(request.send().await.expect("the node answers"));
    let user = fresh("user");
    api.queue_plain(&user, "x").await;
    loop {
        let line = stream.next().await.expect("the stream goes on");
        if line["user"] == *user {
            assert_eq!(keys(&line), words("cursor at outcome user device id window step reason"));
            assert_eq!(line["outcome"], "published");
            return;
        }
    }
}

#[tokio::test]
async fn ndjson_says_what_it_is() {
    let answer: Answer = Api::reader(common()).get("/v1/outcomes?limit=1").await;
    assert!(answer.header("content-type").starts_with("application/x-ndjson"), "{answer:?}");
}

#[tokio::test]
async fn a_cursor_that_is_no_longer_kept_is_gone() {
    let api = Api::admin(forgetful());
    let cursor = newest_cursor(&api).await;
    let stem = fresh("many");
    for round in 0..4 {
        let users: Vec<String> = (0..1_000).map(|number| format!("{stem}-{round}-{number}")).collect();
        api.post("/v1/engagements", &json!({"users": users, "engagement": {"id": "x", "payload": 1}})).await.ok(200);
    }
    api.get(&format!("/v1/outcomes?after={}", encode(&cursor))).await.problem(410, "cursor_expired");
    let oldest = api.get("/v1/outcomes?limit=1").await.lines();
    assert_eq!(oldest.len(), 1, "without a cursor it starts at the oldest kept");
}

#[tokio::test]
async fn nonsense_in_the_query_is_refused() {
    let api = Api::reader(common());
    for query in ["after=nonsense!", "limit=0", "limit=-1", "limit=many", "wait=soon", "wait=-1s", "wait=5"] {
        let answer = api.get(&format!("/v1/outcomes?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        answer.problem(400, "bad_request");
    }
}

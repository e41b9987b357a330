//! Too large, too deep, too many, and two lengths at once.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::answer::answered;
use crate::nodes::{common, narrow};
use crate::raw::{Raw, head};
use crate::support::api::{Api, engagements};
use crate::support::device::Device;
use crate::support::node::ADMIN_KEY;
use crate::support::token::token;
use crate::support::{fresh, wait};

/// `limits.max_frame` and `limits.max_body`.
const MAX_BYTES: usize = 64 * 1024;

/// A message of so many bytes.
fn long(bytes: usize) -> String {
    let ping = r#"{"type":"ping","ref":5}"#;
    format!("{ping}{}", " ".repeat(bytes - ping.len()))
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_the_connection() {
    let expected = answered("4413 too_large");
    let mut device = Device::connect_idle(common(), &fresh("user"), "d1").await;
    device.send_raw(Message::text(long(MAX_BYTES))).await;
    device.expect("pong").await;
    let _ = device.try_send_raw(Message::text(long(MAX_BYTES + 1))).await;
    expected.closes(&mut device).await;
    // Before the hello as well.
    let mut stranger = Device::open(common()).await;
    let _ = stranger.try_send_raw(Message::text(long(MAX_BYTES + 1))).await;
    expected.closes(&mut stranger).await;
}

#[tokio::test]
async fn fragments_that_together_are_too_large_end_the_connection() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let expected = answered("4413 too_large");
    let mut device = Device::connect_idle(common(), &fresh("user"), "d1").await;
    for number in 0..8 {
        let kind = if number == 0 { Data::Text } else { Data::Continue };
        let fragment = Frame::message(vec![b' '; 10_000], OpCode::Data(kind), false);
        if device.try_send_raw(Message::Frame(fragment)).await.is_err() {
            break;
        }
    }
    expected.closes(&mut device).await;
}

#[tokio::test]
async fn a_frame_of_too_many_messages_ends_the_connection() {
    let expected = answered("4413 too_large");
    let mut device = Device::connect_idle(common(), &fresh("user"), "d1").await;
    device.send(&json!(vec![json!({"type": "ping"}); 257])).await;
    expected.closes(&mut device).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let expected = answered("413 too_large");
    let api = Api::admin(common());
    let publish = format!(r#"{{"id":"x","payload":1{}}}"#, " ".repeat(MAX_BYTES));
    expected.over_http(&api.post_text(&engagements("u"), &publish).await);
    let client = Api::with_key(common(), None);
    let post = format!(r#"{{"token":"{}","device":"d1","messages":[]{}}}"#, token("u"), " ".repeat(MAX_BYTES));
    expected.over_http(&client.post_text("/v1/messages", &post).await);
    expected.over_http(&client.post_text("/v1/stream", &post).await);
    // Also where nothing says how long it will be, and where it is only said.
    let mut raw = Raw::connect(common()).await;
    raw.send(format!("{}Transfer-Encoding: chunked\r\n\r\n", head("POST /v1/users/u/engagements", ADMIN_KEY))).await;
    for _ in 0..5 {
        raw.send(format!("4000\r\n{}\r\n", " ".repeat(0x4000))).await;
    }
    expected.over_http(&raw.answer().await);
    let mut raw = Raw::connect(common()).await;
    raw.send(format!("{}Content-Length: 9999999999999\r\n\r\n{{", head("POST /v1/users/u/engagements", ADMIN_KEY))).await;
    expected.over_http(&raw.answer().await);
}

#[tokio::test]
async fn a_body_that_goes_on_after_its_answer_is_not_read_for_ever() {
    let expected = answered("closed");
    let mut device = Device::connect_idle(narrow(), &fresh("user"), "d1").await;
    let connected_at = device.server_time().await;
    // To route after route, with and without the right to be there, and as what claims to be a WebSocket.
    let upgrade = "Connection: upgrade\r\nUpgrade: websocket\r\n";
    let (none, ours) = ("", format!("Authorization: Bearer {ADMIN_KEY}\r\n"));
    let calls = [
        ("POST /v1/users/u/engagements", none),
        ("POST /v1/users/u/engagements", &ours),
        ("GET /v1/cluster", &ours),
        ("GET /healthz", none),
        ("GET /v1/connect", none),
        ("POST /v1/messages", none),
        ("POST /no/such/route", none),
        ("OPTIONS /v1/messages", none),
    ];
    let heads = calls.iter().flat_map(|(call, key)| ["", upgrade].map(|more| format!("{call} HTTP/1.1\r\nHost: x\r\n{key}{more}")));
    let endless = heads.map(|head| async move {
        let mut raw = Raw::connect(narrow()).await;
        raw.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).await;
        println!("{head}");
        raw.send_until_closed(b"1\r\n \r\n").await;
    });
    futures_util::future::join_all(endless).await;
    // What is a WebSocket has no such end: the node gives a body two seconds.
    device.wait_for_server_time(connected_at + 2_500).await;
    device.assert_silent().await;
    assert_eq!(Api::admin(narrow()).get("/v1/cluster").await.status, 200, "{}", expected.words());
}

#[tokio::test]
async fn a_publish_to_many_that_is_too_large_is_refused() {
    let expected = answered("413 too_large");
    // The one place for it may be another case's for a moment.
    let answer = wait::until("the place is free", || async {
        let mut raw = Raw::connect(narrow()).await;
        raw.send(format!("{}Content-Length: 65537\r\n\r\n{{", head("POST /v1/engagements", ADMIN_KEY))).await;
        Some(raw.answer().await).filter(|answer| answer.status != 429)
    })
    .await;
    expected.over_http(&answer);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let expected = answered("431");
    let many: String = (0..200).map(|number| format!("X-{number}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(200_000));
    for more in [many, long] {
        let mut raw = Raw::connect(common()).await;
        raw.send(format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n")).await;
        expected.status(raw.answer().await.status);
    }
}

#[tokio::test]
async fn a_request_with_two_lengths_is_refused() {
    let expected = answered("400");
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let twice = "Content-Length: 5\r\nContent-Length: 6\r\n\r\n{\"a\":";
    for lengths in [
        both,
        twice,
        "Content-Length: -1\r\n\r\n",
        "Content-Length: +5\r\n\r\n{\"a\":",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ] {
        let mut raw = Raw::connect(common()).await;
        raw.send(format!("{}{lengths}", head("POST /v1/engagements", ADMIN_KEY))).await;
        let text = raw.rest().await;
        println!("{lengths:?}: {text}");
        expected.status(text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer"));
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "what follows is no second request");
    }
}

/// JSON that nests so deep.
fn deep(levels: usize) -> String {
    format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
}

#[tokio::test]
async fn a_payload_that_nests_too_deep_is_refused() {
    let expected = answered("400 bad_request");
    let (api, user) = (Api::publisher(common()), fresh("user"));
    for levels in [101, 129, 7_000] {
        let body = format!(r#"{{"id":"deep","payload":{}}}"#, deep(levels));
        expected.over_http(&api.post_text(&engagements(&user), &body).await);
    }
    let body = format!(r#"{{"id":"deep","payload":{}}}"#, deep(100));
    assert_eq!(api.post_text(&engagements(&user), &body).await.status, 201);
}

#[tokio::test]
async fn data_that_nests_too_deep_is_refused() {
    let expected = answered("error bad_message");
    let user = fresh("user");
    Api::publisher(common()).queue_plain(&user, "x").await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    for levels in [101, 129, 2_000] {
        let ack = format!(r#"{{"type":"ack","id":"x","window":{},"step":1,"ref":7,"data":{}}}"#, offer["window"], deep(levels));
        device.send_raw(Message::text(ack)).await;
        let answer: Value = device.expect("error").await;
        expected.to_message(&answer);
        assert_eq!(answer["ref"], 7, "{answer}");
    }
    assert_eq!(device.ack(&offer, 1).await["yours"], true);
}

#[tokio::test]
async fn a_frame_that_nests_too_deep_ends_the_connection() {
    let expected = answered("4400 bad_message");
    let mut device = Device::connect_idle(common(), &fresh("user"), "d1").await;
    device.send_raw(Message::text("[".repeat(60_000))).await;
    expected.closes(&mut device).await;
}

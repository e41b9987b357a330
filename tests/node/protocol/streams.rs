//! Clients that cannot hold a WebSocket: an event stream down, single posts up.

use reqwest::Method;
use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Answer, Api};
use crate::support::device::Device;
use crate::support::hello::Hello;
use crate::support::node::{Node, Settings};
use crate::support::stream::Stream;
use crate::support::token::{token, token_ending_in, unsigned};
use crate::support::{fresh, wait};

fn messages(user: &str, device: &str, messages: &Value) -> Value {
    json!({"token": token(user), "device": device, "messages": messages})
}

async fn post(body: &Value) -> Answer {
    Api::with_key(common(), None).post("/v1/messages", body).await
}

#[tokio::test]
async fn a_stream_and_posts_do_what_a_websocket_does() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    api.queue(&user, &json!({"id": "tour", "payload": {"v": 1}, "steps": 3})).await;
    let mut stream = Stream::connect(common(), &Hello::new(&user, "d1")).await;
    let welcome = stream.expect("welcome").await;
    assert_eq!((&welcome["user"], &welcome["device"]), (&json!(user), &json!("d1")));
    let offer = stream.expect("offer").await;
    assert_eq!((&offer["id"], &offer["step"], &offer["payload"]), (&json!("tour"), &json!(1), &json!({"v": 1})));
    stream.expect("caught_up").await;

    let acks = json!([
        {"type": "ack", "id": "tour", "window": offer["window"], "step": 2, "data": {"q": 1}, "ref": 7},
        {"type": "ack", "id": "unknown", "window": offer["window"], "step": 0, "ref": 8},
        {"type": "seen", "id": "nothing"},
        {"type": "ack", "id": "tour", "window": offer["window"], "step": 9},
    ]);
    let answers = post(&messages(&user, "d1", &acks)).await.ok(200);
    let answers = answers.as_array().expect("an array");
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert_eq!((&answers[0]["type"], &answers[0]["ref"], &answers[0]["step"]), (&json!("confirm"), &json!(7), &json!(2)));
    assert_eq!((&answers[1]["type"], &answers[1]["ref"], &answers[1]["code"]), (&json!("error"), &json!(8), &json!("unknown_delivery")));
    assert_eq!(answers[2]["code"], "step_out_of_range");

    api.queue_plain(&user, "live").await;
    assert_eq!(stream.expect("offer").await["id"], "live");
    let done = json!([{"type": "ack", "id": "tour", "window": offer["window"], "step": 3}, {"type": "dismiss", "id": "live", "window": offer["window"]}]);
    let answers = post(&messages(&user, "d1", &done)).await.ok(200);
    assert_eq!(
        (&answers[0]["state"], &answers[0]["yours"], &answers[1]["state"]),
        (&json!("completed"), &json!(true), &json!("dismissed"))
    );
    Device::connect_idle(common(), &user, "d2").await;
}

#[tokio::test]
async fn posts_need_no_open_connection() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.close().await;
    let ack = json!([{"type": "ack", "id": "x", "window": offer["window"], "step": 0}]);
    let answers = post(&messages(&user, "d1", &ack)).await.ok(200);
    assert_eq!((&answers[0]["state"], &answers[0]["yours"]), (&json!("completed"), &json!(true)));
    Device::connect_idle(common(), &user, "d1").await;
}

#[tokio::test]
async fn a_page_may_post_as_it_unloads() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let queued = api.queue_plain(&user, "x").await;
    let ack = json!([{"type": "ack", "id": "x", "window": queued["window"], "step": 0}]);
    let beacon = Api::with_key(common(), None);
    let request = beacon.request(Method::POST, "/v1/messages").header("content-type", "text/plain;charset=UTF-8");
    let answer = beacon.send(request.body(messages(&user, "d1", &ack).to_string())).await;
    assert_eq!(answer.ok(200)[0]["state"], "completed");
}

#[tokio::test]
async fn a_stream_hidden_by_a_post_gives_up_what_it_holds() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut stream = Stream::connect(common(), &Hello::new(&user, "d1")).await;
    stream.expect("welcome").await;
    let offer = stream.expect("offer").await;
    stream.expect("caught_up").await;
    let mut other = Device::connect_idle(common(), &user, "d2").await;
    post(&messages(&user, "d1", &json!([{"type": "visible", "visible": false}]))).await.ok(200);
    assert_eq!(stream.expect("withdraw").await["reason"], "moved");
    assert_eq!(other.expect("offer").await["id"], offer["id"]);
}

#[tokio::test]
async fn a_websocket_of_the_same_device_replaces_a_stream() {
    let user = fresh("user");
    let mut stream = Stream::connect(common(), &Hello::new(&user, "d1")).await;
    stream.expect("welcome").await;
    stream.expect("caught_up").await;
    let mut device = Device::connect_idle(common(), &user, "d1").await;
    assert_eq!(stream.expect("bye").await["code"], "replaced");
    assert_eq!(wait::within("the end of the stream", stream.next()).await, None);
    device.assert_silent().await;
}

/// It was noticed a heartbeat or two later, nearly a minute by default, in which offers went to nobody.
#[tokio::test]
async fn a_client_that_leaves_its_stream_is_gone_at_once() {
    let user = fresh("user");
    let mut stream = Stream::connect(common(), &Hello::new(&user, "d1")).await;
    stream.expect("welcome").await;
    stream.expect("caught_up").await;
    let mut other = Device::connect_idle(common(), &user, "d2").await;
    drop(stream);
    let api = Api::admin(common());
    wait::until("the lease of the stream's device runs", || async {
        let known = api.get(&format!("/v1/users/{user}")).await.ok(200);
        let device = known["devices"].as_array()?.iter().find(|device| device["device"] == "d1").cloned();
        device.is_none_or(|device| device["lease_until"].is_u64()).then_some(())
    })
    .await;
    other.assert_silent().await;
}

#[tokio::test]
async fn acks_of_a_streams_hello_are_taken_first() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let queued = api.queue_plain(&user, "x").await;
    let acks = [json!({"id": "x", "window": queued["window"], "step": 0})];
    let mut stream = Stream::connect(common(), &Hello::new(&user, "d1").acks(&acks)).await;
    assert_eq!(stream.expect("welcome").await["acks"][0]["state"], "completed");
    stream.expect("caught_up").await;
}

#[tokio::test]
async fn bad_tokens_and_bad_bodies_are_refused() {
    let api = Api::with_key(common(), None);
    let user = fresh("user");
    for (token, code) in
        [(unsigned(&user), "unauthorized"), (token_ending_in(&user, -60), "token_expired"), (String::new(), "unauthorized")]
    {
        let hello = Hello::new(&user, "d1").with("token", json!(token));
        api.post("/v1/stream", hello.message()).await.problem(401, code);
        post(&json!({"token": token, "device": "d1", "messages": []})).await.problem(401, code);
    }
    for body in ["", "{", "[]", "null", "{\"type\":\"hello\"}", "{\"messages\":7}"] {
        for path in ["/v1/stream", "/v1/messages"] {
            let answer = api.post_text(path, body).await;
            assert!(matches!(answer.status, 400 | 401), "{path} {body}: {answer:?}");
            assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
        }
    }
    let wrong = json!([{"type": "nonsense"}, {"type": "ack", "id": 7}, {"type": "ping", "ref": 3}]);
    let answers = post(&messages(&user, "d1", &wrong)).await.ok(200);
    let errors = answers.as_array().expect("an array").iter().filter(|answer| answer["code"] == "bad_message").count();
    assert_eq!(errors, 2, "{answers}");
    let large = json!([{"type": "ping", "note": "x".repeat(4 * 1024 * 1024)}]);
    post(&messages(&user, "d1", &large)).await.problem(413, "too_large");
}

#[tokio::test]
async fn a_post_for_another_users_key_is_unknown() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let queued = api.queue_plain(&user, "x").await;
    let ack = json!([{"type": "ack", "id": "x", "window": queued["window"], "step": 0}]);
    let answers = post(&messages(&fresh("stranger"), "d1", &ack)).await.ok(200);
    assert_eq!(answers[0]["code"], "unknown_delivery");
    assert_eq!(api.delivery(&user, "x").await["state"], "queued");
}

/// A node whose clients all posted their acks showed no times at all.
#[tokio::test]
async fn posted_acks_are_timed_as_all_others_are() {
    let node = Node::start(Settings::new().with("node.storage", "memory"));
    let (api, user) = (Api::admin(&node), fresh("user"));
    let queued = api.queue(&user, &json!({"id": "x", "payload": 1})).await;
    assert_eq!(api.metric("engage_ack_seconds_count").await, 0.0);
    let ack = json!([{"type": "ack", "id": "x", "window": queued["window"], "step": 1}]);
    Api::with_key(&node, None).post("/v1/messages", &messages(&user, "d1", &ack)).await.ok(200);
    assert_eq!(api.metric("engage_ack_seconds_count").await, 1.0);
}

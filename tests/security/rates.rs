//! Too fast: messages, acks, pings, publishes.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::answer::answered;
use crate::nodes::narrow;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::token::token;

/// More than a full burst and a second's worth of refusals take.
const FLOOD: usize = 600;

fn ack(reference: usize) -> Value {
    json!({"type": "ack", "id": "x", "window": "w1", "step": 0, "ref": reference})
}

#[tokio::test]
async fn a_message_too_many_is_refused() {
    let expected = answered("error rate_limited");
    let mut device = Device::connect_idle(narrow(), &fresh("user"), "d1").await;
    // What a full frame holds is taken at any rate.
    let frame: Vec<Value> = (0..256).map(|reference| json!({"type": "ping", "ref": reference})).collect();
    device.send(&json!(frame)).await;
    device.send(&json!([{"type": "ping", "ref": 256}, {"type": "ping", "ref": 257}])).await;
    for reference in 0..256 {
        assert_eq!(device.expect("pong").await["ref"], reference);
    }
    let refused = device.expect("error").await;
    expected.to_message(&refused);
    assert_eq!((&refused["ref"], &refused["retry"]), (&json!(256), &json!(true)), "{refused}");
}

#[tokio::test]
async fn a_flood_of_acks_ends_the_connection() {
    let expected = answered("4429 rate_limited");
    let user = fresh("user");
    let mut device = Device::connect_idle(narrow(), &user, "d1").await;
    let mut other = Device::connect_idle(narrow(), &user, "d2").await;
    for start in (0..FLOOD).step_by(200) {
        let frame: Vec<Value> = (start..start + 200).map(ack).collect();
        if device.try_send(&json!(frame)).await.is_err() {
            break;
        }
    }
    expected.closes_after_a_while(&mut device).await;
    other.assert_silent().await;
}

#[tokio::test]
async fn a_flood_of_pings_ends_the_connection() {
    let expected = answered("4429 rate_limited");
    let mut device = Device::connect_idle(narrow(), &fresh("user"), "d1").await;
    for _ in 0..FLOOD {
        if device.try_send_raw(Message::Ping(vec![7; 100].into())).await.is_err() {
            break;
        }
    }
    expected.closes_after_a_while(&mut device).await;
}

#[tokio::test]
async fn a_posted_message_too_many_is_refused() {
    let expected = answered("error rate_limited");
    let api = Api::with_key(narrow(), None);
    let user = fresh("user");
    let pings: Vec<Value> = (0..200).map(|reference| json!({"type": "ping", "ref": reference})).collect();
    let body = json!({"token": token(&user), "device": "d1", "messages": pings});
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.extend(api.post("/v1/messages", &body).await.ok(200).as_array().expect("a list").clone());
    }
    assert_eq!(answers[0]["type"], "pong");
    let refused = answers.iter().find(|answer| answer["type"] != "pong").expect("one too many");
    expected.to_message(refused);
}

#[tokio::test]
async fn a_publish_too_many_is_refused() {
    let expected = answered("429 rate_limited");
    let (api, user) = (Api::publisher(narrow()), fresh("user"));
    let notice = |id: String| json!({"id": id, "payload": 1, "mode": "fire_and_forget"});
    let bodies: Vec<Value> = (0..60).map(|number| notice(number.to_string())).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| api.publish(&user, body))).await;
    assert!(answers.iter().any(|answer| answer.status == 202), "some are taken");
    let refused = answers.iter().find(|answer| answer.status != 202).expect("one too many");
    expected.over_http(refused);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{refused:?}");
    // The items of a publish to many count one by one.
    let items: Vec<Value> = (0..60).map(|number| json!({"user": user, "id": number.to_string(), "payload": 1})).collect();
    let results = api.post("/v1/engagements", &json!({"items": items})).await.ok(200)["results"].clone();
    let codes: Vec<&Value> = results.as_array().expect("a list").iter().map(|result| &result["code"]).collect();
    assert!(codes.contains(&&json!("rate_limited")), "{results}");
}

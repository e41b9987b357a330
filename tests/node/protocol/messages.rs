//! Messages after the hello that are wrong: each gets its error, and the connection, where it can, goes on.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::nodes::{common, strict};
use crate::support::api::Api;
use crate::support::device::{Device, Event};
use crate::support::{fresh, wait};

/// A device that holds a delivery, and what it holds.
async fn holding() -> (String, Device, Value) {
    let user = fresh("user");
    Api::publisher(common()).queue(&user, &json!({"id": "x", "payload": 1, "steps": 5})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    (user, device, offer)
}

#[tokio::test]
async fn an_unknown_type_is_answered_and_the_connection_goes_on() {
    let (_, mut device, offer) = holding().await;
    for kind in ["nonsense", "Ack", "offer", "confirm", ""] {
        device.send(&json!({"type": kind, "id": "x"})).await;
        assert_eq!(device.expect_error("bad_message").await["retry"], false);
    }
    assert_eq!(device.ack(&offer, 1).await["state"], "in_progress");
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_and_changes_nothing() {
    let user = fresh("user");
    Api::publisher(common()).queue(&user, &json!({"id": "x", "payload": 1, "steps": 5})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    let window = offer["window"].as_str().expect("a window");
    let wrong = [
        "{".to_owned(),
        "nope".to_owned(),
        "7".to_owned(),
        "null".to_owned(),
        json!({"id": "x"}).to_string(),
        json!({"type": "ack"}).to_string(),
        json!({"type": "ack", "id": "x", "step": 5}).to_string(),
        json!({"type": "ack", "id": "x", "window": window}).to_string(),
        json!({"type": "ack", "id": 7, "window": window, "step": 5}).to_string(),
        json!({"type": "ack", "id": "x", "window": 7, "step": 5}).to_string(),
        json!({"type": "ack", "id": "x", "window": window, "step": "5"}).to_string(),
        json!({"type": "ack", "id": "x", "window": window, "step": 4.5}).to_string(),
        json!({"type": "ack", "id": "x".repeat(129), "window": window, "step": 5}).to_string(),
        json!({"type": "ack", "id": "", "window": window, "step": 5}).to_string(),
        json!({"type": "dismiss", "id": "x"}).to_string(),
        json!({"type": "visible", "visible": "no"}).to_string(),
        json!({"type": "visible"}).to_string(),
        json!({"type": "token"}).to_string(),
        format!("{{\"type\":\"ack\",\"id\":\"x\",\"window\":\"{window}\",\"step\":5,\"data\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000)),
    ];
    for text in wrong {
        // A second device each time, so that a connection that is closed for it costs the next message nothing.
        let mut device = Device::connect(common(), &user, &fresh("d")).await;
        while device.expect_any_of(&["offer", "caught_up"]).await["type"] != "caught_up" {}
        println!("message: {text}");
        device.send_raw(Message::text(text)).await;
        device.expect_error("bad_message").await;
        device.send(&json!({"type": "ping"})).await;
        match device.next().await {
            Event::Message(message) => assert_eq!(message["type"], "pong"),
            other => assert_eq!(other, Event::Closed(4400)),
        }
        device.close().await;
    }
    assert_eq!(Api::admin(common()).delivery(&user, "x").await["step"], 0, "nothing was acked");
}

#[tokio::test]
async fn an_array_is_taken_message_by_message() {
    let (_, mut device, offer) = holding().await;
    let ack = json!({"type": "ack", "id": "x", "window": offer["window"], "step": 1, "ref": 2});
    device.send(&json!([{"type": "ping", "ref": 1}, {"type": "nonsense"}, ack, {"type": "ping", "ref": 3}])).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        let message = device.expect_any_of(&["pong", "error", "confirm"]).await;
        told.push((message["type"].as_str().unwrap_or_default().to_owned(), message["ref"].clone()));
    }
    for expected in [("pong", json!(1)), ("error", json!(null)), ("confirm", json!(2)), ("pong", json!(3))] {
        assert!(told.iter().any(|(kind, reference)| *kind == expected.0 && *reference == expected.1), "{expected:?} in {told:?}");
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let (_, mut device, offer) = holding().await;
    let ack = json!({"type": "ack", "id": "x", "window": offer["window"], "step": 1, "colour": {"deep": [[]]}});
    assert_eq!(device.ask(ack, "confirm").await["step"], 1);
    assert_eq!(device.ask(json!({"type": "ping", "payload": "x"}), "pong").await["type"], "pong");
}

#[tokio::test]
async fn a_binary_frame_is_an_error() {
    let (_, mut device, _) = holding().await;
    device.send_raw(Message::binary(b"{\"type\":\"ping\"}".to_vec())).await;
    device.expect_error("bad_message").await;
}

#[tokio::test]
async fn a_pong_tells_the_servers_time() {
    let (_, mut device, _) = holding().await;
    let pong = device.ask(json!({"type": "ping"}), "pong").await;
    assert!(pong["server_time"].as_u64().is_some_and(|time| time.abs_diff(engage::clock::wall_ms()) < 5_000), "{pong}");
    device.send(&json!({"type": "ping"})).await;
    assert!(device.expect("pong").await["ref"].is_null());
}

#[tokio::test]
async fn seen_and_visible_need_no_answer() {
    let (_, mut device, _) = holding().await;
    device.send(&json!({"type": "seen", "id": "no such notice"})).await;
    device.send(&json!({"type": "visible", "visible": true})).await;
    device.assert_silent().await;
}

#[tokio::test]
async fn a_flood_of_messages_is_limited() {
    let (user, other) = (fresh("user"), fresh("user"));
    let mut bystander = Device::connect_idle(strict(), &other, "d1").await;
    let mut device = Device::connect_idle(strict(), &user, "d1").await;
    for number in 0..500 {
        if device.try_send(&json!({"type": "ping", "ref": number})).await.is_err() {
            break;
        }
    }
    wait::within("the flood is limited", async {
        loop {
            match device.next().await {
                Event::Message(message) if message["type"] == "pong" => {}
                Event::Message(message) => {
                    assert_eq!(message["code"], "rate_limited", "{message}");
                    break;
                }
                other => {
                    assert_eq!(other, Event::Closed(4429));
                    break;
                }
            }
        }
    })
    .await;
    bystander.assert_silent().await;
    Device::connect_idle(strict(), &user, "d2").await;
}

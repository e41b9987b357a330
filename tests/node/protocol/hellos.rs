//! The first message of a connection: bad ones, none, and odd but good ones.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::nodes::{common, strict};
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;

async fn refused(first: Message, code: &str, close: u16) {
    let mut device = Device::open(common()).await;
    println!("first message: {first:?}");
    device.send_raw(first).await;
    device.expect_error(code).await;
    device.expect_closed(close).await;
}

#[tokio::test]
async fn what_comes_before_the_hello_is_refused() {
    for text in
        ["", "{", "nope", "null", "7", "[]]", "{\"type\":7}", "{}", "[[]]", "\u{0}", "{\"type\":\"ping\"}", "{\"type\":\"nonsense\"}"]
    {
        refused(Message::text(text), "bad_message", 4400).await;
    }
    let ack = json!({"type": "ack", "id": "x", "window": "w1", "step": 0});
    refused(Message::text(ack.to_string()), "bad_message", 4400).await;
    refused(Message::binary(Hello::new("u", "d").message().to_string()), "bad_message", 4400).await;
}

#[tokio::test]
async fn a_hello_with_a_field_of_the_wrong_kind_is_refused() {
    let wrong = [
        ("device", vec![json!(""), json!("d".repeat(65)), json!("ä".repeat(33)), json!("a\nb"), json!(7), json!(null)]),
        ("visible", vec![json!("yes"), json!(1)]),
        ("max_in_flight", vec![json!("16"), json!(-1), json!(1.5)]),
        ("acks", vec![json!({}), json!("x"), json!(7)]),
        ("open", vec![json!({}), json!(["x"]), json!([{"id": "x"}])]),
        ("token", vec![json!(7), json!({})]),
    ];
    for (field, values) in wrong {
        for value in values {
            let hello = Hello::new(&fresh("user"), "d1").with(field, value);
            refused(Message::text(hello.message().to_string()), "bad_message", 4400).await;
        }
    }
}

#[tokio::test]
async fn a_hello_that_does_not_come_ends_the_connection() {
    let mut device = Device::open(strict()).await;
    device.expect_error("hello_timeout").await;
    device.expect_closed(4408).await;
}

#[tokio::test]
async fn a_hello_with_unknown_fields_is_taken() {
    let hello = Hello::new(&fresh("user"), "d1").with("client", json!("test/1.0")).with("colour", json!({"deep": [1, 2]}));
    hello.connect(common()).await.expect("caught_up").await;
}

#[tokio::test]
async fn a_device_id_at_its_bound_is_taken() {
    let longest = "ä".repeat(32);
    let device = Hello::new(&fresh("user"), &longest).connect(common()).await;
    assert_eq!(device.welcome["device"], longest);
}

#[tokio::test]
async fn a_hello_and_what_follows_may_come_in_one_array() {
    let mut device = Device::open(common()).await;
    let hello = Hello::new(&fresh("user"), "d1");
    device.send(&json!([hello.message(), {"type": "ping", "ref": 1}])).await;
    device.expect("welcome").await;
    let mut kinds: Vec<Value> = Vec::new();
    for _ in 0..2 {
        kinds.push(device.expect_any_of(&["caught_up", "pong"]).await["type"].clone());
    }
    assert!(kinds.contains(&json!("caught_up")) && kinds.contains(&json!("pong")), "{kinds:?}");
}

#[tokio::test]
async fn a_second_hello_is_an_error() {
    let user = fresh("user");
    let mut device = Device::connect_idle(common(), &user, "d1").await;
    device.send(Hello::new(&user, "d2").message()).await;
    device.expect_error("bad_message").await;
    let api = Api::reader(common());
    let shown = api.get(&format!("/v1/users/{user}")).await;
    // A window's id may hold any letters.
    assert!(!shown.text.contains("\"d2\""), "{shown:?}");
}

#[tokio::test]
async fn sixteen_connections_of_a_user_are_taken() {
    let user = fresh("user");
    let mut devices = Vec::new();
    for number in 0..16 {
        devices.push(Device::connect_idle(common(), &user, &format!("d{number}")).await);
    }
    let mut one_more = Device::open(common()).await;
    one_more.send(Hello::new(&user, "d16").message()).await;
    one_more.expect_error("too_many_connections").await;
    one_more.expect_closed(4429).await;
    for device in &mut devices {
        device.assert_silent().await;
    }
}

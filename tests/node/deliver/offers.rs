//! What a device is told after its hello, in which order, and how much at once.

use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Api, engagement};
use crate::support::device::{Device, Event};
use crate::support::hello::Hello;
use crate::support::{fresh, keys, words};

fn ids(offers: &[Value]) -> Vec<&str> {
    offers.iter().filter_map(|offer| offer["id"].as_str()).collect()
}

#[tokio::test]
async fn a_welcome_has_the_fields_of_the_contract() {
    let user = fresh("user");
    let device = Device::connect_idle(common(), &user, "d1").await;
    let welcome = &device.welcome;
    assert_eq!(keys(welcome), words("type user device connection node window server_time heartbeat_ms max_in_flight acks"));
    assert_eq!((&welcome["user"], &welcome["device"], &welcome["node"]), (&json!(user), &json!("d1"), &json!("n1")));
    assert_eq!((&welcome["heartbeat_ms"], &welcome["max_in_flight"], &welcome["acks"]), (&json!(25_000), &json!(16), &json!([])));
    assert!(welcome["connection"].as_str().is_some_and(|connection| !connection.is_empty()), "{welcome}");
    let window = &welcome["window"];
    assert_eq!(keys(window), words("id opened_at closes_at"));
    assert!(window["id"].is_string(), "{welcome}");
    let (opened_at, closes_at) = (window["opened_at"].as_u64().expect("ms"), window["closes_at"].as_u64().expect("ms"));
    assert_eq!(closes_at - opened_at, 24 * 3_600_000, "window.length");
    assert!(welcome["server_time"].as_u64().is_some_and(|now| now + 1_000 >= opened_at && now < closes_at), "{welcome}");
}

#[tokio::test]
async fn an_offer_has_the_fields_of_the_contract() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let queued = api.queue(&user, &json!({"id": "tour", "payload": {"v": 1}, "steps": 3, "priority": 9})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    assert_eq!(keys(&offer), words("type id window scope offer step steps settle_on data payload priority expires_in_ms at"));
    let expected = json!({
        "type": "offer", "id": "tour", "window": queued["window"], "scope": "user", "offer": 1, "step": 1, "steps": 3, "settle_on": "completed",
        "data": null, "payload": {"v": 1}, "priority": 9, "expires_in_ms": offer["expires_in_ms"], "at": offer["at"]
    });
    assert_eq!(offer, expected);
    let (at, expires_in) = (offer["at"].as_u64().expect("ms"), offer["expires_in_ms"].as_u64().expect("ms"));
    assert_eq!(at + expires_in, queued["closes_at"].as_u64().expect("ms"), "it expires when its window closes: {offer}");
    device.expect("caught_up").await;
}

#[tokio::test]
async fn the_session_window_of_a_publish_is_the_one_that_a_hello_finds() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let queued = api.queue_plain(&user, "x").await;
    let device = Device::connect(common(), &user, "d1").await;
    assert_eq!((&device.welcome["window"]["id"], &device.welcome["window"]["closes_at"]), (&queued["window"], &queued["closes_at"]));
}

#[tokio::test]
async fn a_connected_device_is_offered_what_is_published() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let mut device = Device::connect_idle(common(), &user, "d1").await;
    for id in ["a", "b"] {
        api.queue_plain(&user, id).await;
        assert_eq!(device.expect("offer").await["id"], id);
    }
    device.assert_silent().await;
}

#[tokio::test]
async fn higher_priority_is_offered_first_then_the_order_of_publish() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    for (id, priority) in [("a", 0), ("b", 5), ("c", -100), ("d", 5), ("e", 0), ("f", 100)] {
        api.queue(&user, &json!({"id": id, "payload": 1, "priority": priority})).await;
    }
    let mut device = Device::connect(common(), &user, "d1").await;
    assert_eq!(ids(&device.offers_until_caught_up().await), ["f", "b", "d", "a", "e", "c"]);
}

#[tokio::test]
async fn a_withdraw_comes_between_the_welcome_and_the_offers() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "shown before").await;
    let mut first = Device::connect(common(), &user, "d1").await;
    let stale = first.expect("offer").await;
    first.expect("caught_up").await;
    first.close().await;
    api.delete(&engagement(&user, "shown before")).await.ok(200);
    api.queue_plain(&user, "new").await;
    let mut second = Hello::new(&user, "d1").open(&[&stale]).connect(common()).await;
    let withdraw = second.expect("withdraw").await;
    assert_eq!((&withdraw["id"], &withdraw["window"], &withdraw["reason"]), (&stale["id"], &stale["window"], &json!("withdrawn")));
    assert_eq!(keys(&withdraw), words("type id window reason at"));
    assert_eq!(ids(&second.offers_until_caught_up().await), ["new"]);
}

#[tokio::test]
async fn max_in_flight_bounds_what_a_connection_holds() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    for id in ["a", "b", "c", "d"] {
        api.queue_plain(&user, id).await;
    }
    let mut device = Hello::new(&user, "d1").max_in_flight(2).connect(common()).await;
    assert_eq!(device.welcome["max_in_flight"], 2);
    let offers = device.offers_until_caught_up().await;
    assert_eq!(ids(&offers), ["a", "b"]);
    device.assert_silent().await;
    assert_eq!(device.ack(&offers[1], 0).await["state"], "completed");
    assert_eq!(device.expect("offer").await["id"], "c");
    device.assert_silent().await;
    device.dismiss(&offers[0]).await;
    assert_eq!(device.expect("offer").await["id"], "d");
    device.assert_silent().await;
}

#[tokio::test]
async fn an_ack_that_does_not_settle_frees_no_place() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "tour", "payload": 1, "steps": 2})).await;
    api.queue_plain(&user, "next").await;
    let mut device = Hello::new(&user, "d1").max_in_flight(1).connect(common()).await;
    let offers = device.offers_until_caught_up().await;
    assert_eq!(ids(&offers), ["tour"]);
    assert_eq!(device.ack(&offers[0], 1).await["state"], "in_progress");
    device.assert_silent().await;
    device.ack(&offers[0], 2).await;
    assert_eq!(device.expect("offer").await["id"], "next");
}

#[tokio::test]
async fn sixteen_are_offered_at_once_unless_the_hello_says_otherwise() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    for number in 0..20 {
        api.queue_plain(&user, &format!("e{number}")).await;
    }
    let mut device = Device::connect(common(), &user, "d1").await;
    assert_eq!(device.offers_until_caught_up().await.len(), 16);
    let mut wide = Hello::new(&user, "d1").max_in_flight(256).connect(common()).await;
    assert_eq!(wide.welcome["max_in_flight"], 256);
    assert_eq!(wide.offers_until_caught_up().await.len(), 20);
}

#[tokio::test]
async fn what_is_withdrawn_frees_its_place() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "a").await;
    api.queue_plain(&user, "b").await;
    let mut device = Hello::new(&user, "d1").max_in_flight(1).connect(common()).await;
    assert_eq!(ids(&device.offers_until_caught_up().await), ["a"]);
    api.delete(&engagement(&user, "a")).await.ok(200);
    let told = [device.next().await, device.next().await];
    let kinds: Vec<&str> =
        told.iter().map(|event| if let Event::Message(message) = event { message["type"].as_str().unwrap_or("") } else { "" }).collect();
    assert_eq!(kinds, ["withdraw", "offer"], "{told:?}");
}

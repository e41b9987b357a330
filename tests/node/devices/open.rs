//! `open` in the hello: what stands on a device's screen when it connects.

use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Api, engagement};
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;

async fn held_by(user: &str, device: &str) -> (Device, Value) {
    let mut device = Device::connect(common(), user, device).await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    (device, offer)
}

#[tokio::test]
async fn what_was_settled_elsewhere_is_taken_off_the_screen() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let (phone, offer) = held_by(&user, "phone").await;
    phone.close().await;
    let (mut laptop, _) = held_by(&user, "laptop").await;
    laptop.ack(&offer, 0).await;
    let mut phone = Hello::new(&user, "phone").open(&[&offer]).connect(common()).await;
    let withdraw = phone.expect("withdraw").await;
    assert_eq!((&withdraw["id"], &withdraw["window"], &withdraw["reason"]), (&offer["id"], &offer["window"], &json!("done_elsewhere")));
    phone.expect("caught_up").await;
}

#[tokio::test]
async fn what_another_device_holds_now_is_taken_off_the_screen() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let (phone, offer) = held_by(&user, "phone").await;
    phone.close().await;
    let (mut laptop, _) = held_by(&user, "laptop").await;
    let mut phone = Hello::new(&user, "phone").open(&[&offer]).connect(common()).await;
    assert_eq!(phone.expect("withdraw").await["reason"], "moved");
    phone.expect("caught_up").await;
    laptop.assert_silent().await;
    assert_eq!(laptop.ack(&offer, 0).await["yours"], true);
}

#[tokio::test]
async fn what_expired_or_was_withdrawn_says_so() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "a").await;
    api.queue(&user, &json!({"id": "b", "payload": 1, "ttl": "300ms"})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offers = device.offers_until_caught_up().await;
    device.expect("withdraw").await;
    api.delete(&engagement(&user, "a")).await.ok(200);
    device.expect("withdraw").await;
    device.close().await;
    let mut again = Hello::new(&user, "d1").open(&[&offers[0], &offers[1]]).connect(common()).await;
    let mut told = [again.expect("withdraw").await, again.expect("withdraw").await];
    told.sort_by_key(|withdraw| withdraw["id"].to_string());
    assert_eq!((&told[0]["id"], &told[0]["reason"]), (&json!("a"), &json!("withdrawn")));
    assert_eq!((&told[1]["id"], &told[1]["reason"]), (&json!("b"), &json!("expired")));
    again.expect("caught_up").await;
}

#[tokio::test]
async fn an_ack_of_the_same_hello_settles_what_is_open_first() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "tour", "payload": 1, "steps": 2})).await;
    api.queue_plain(&user, "next").await;
    let mut device = Hello::new(&user, "d1").max_in_flight(1).connect(common()).await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.vanish();
    let acks = [json!({"id": "tour", "window": offer["window"], "step": 2})];
    let mut again = Hello::new(&user, "d1").max_in_flight(1).acks(&acks).open(&[&offer]).connect(common()).await;
    assert_eq!(again.welcome["acks"][0]["state"], "completed");
    let mut told = again.expect_any_of(&["withdraw", "offer"]).await;
    if told["type"] == "withdraw" {
        assert_eq!(told["id"], "tour", "a withdraw for each key in open that is settled");
        told = again.expect("offer").await;
    }
    assert_eq!(told["id"], "next");
    again.expect("caught_up").await;
}

#[tokio::test]
async fn what_nobody_holds_is_this_devices_to_hold() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1, "steps": 3})).await;
    let (device, offer) = held_by(&user, "d1").await;
    device.close().await;
    let mut again = Hello::new(&user, "d1").open(&[&offer]).connect(common()).await;
    again.expect("caught_up").await;
    let mut other = Device::connect_idle(common(), &user, "d2").await;
    other.assert_silent().await;
    again.hide().await;
    assert_eq!(again.expect("withdraw").await["reason"], "moved");
    assert_eq!(other.expect("offer").await["id"], "x");
}

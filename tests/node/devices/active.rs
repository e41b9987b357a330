//! `targets: "active"`: one holder at a time, the connected visible device that became visible last (G5).

use engage::clock;
use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Api, engagement};
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;

async fn hidden(user: &str, device: &str) -> Device {
    let mut device = Hello::new(user, device).hidden().connect(common()).await;
    device.expect("caught_up").await;
    device
}

fn assert_moved(withdraw: &Value, offer: &Value) {
    assert_eq!((&withdraw["id"], &withdraw["window"], &withdraw["reason"]), (&offer["id"], &offer["window"], &json!("moved")));
}

#[tokio::test]
async fn the_device_that_became_visible_last_is_offered_it() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let mut older = Device::connect_idle(common(), &user, "d1").await;
    let mut newer = Device::connect_idle(common(), &user, "d2").await;
    api.queue_plain(&user, "a").await;
    let offer = newer.expect("offer").await;
    older.assert_silent().await;
    newer.ack(&offer, 0).await;
    older.hide().await;
    older.show().await;
    older.assert_silent().await;
    api.queue_plain(&user, "b").await;
    assert_eq!(older.expect("offer").await["id"], "b");
    newer.assert_silent().await;
}

#[tokio::test]
async fn a_holder_keeps_it_while_it_stays_connected_and_visible() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut holder = Device::connect(common(), &user, "d1").await;
    let offer = holder.expect("offer").await;
    holder.expect("caught_up").await;
    let mut newer = Device::connect_idle(common(), &user, "d2").await;
    newer.hide().await;
    newer.show().await;
    newer.assert_silent().await;
    holder.assert_silent().await;
    assert_eq!(holder.ack(&offer, 0).await["yours"], true);
}

#[tokio::test]
async fn a_hidden_holder_gives_it_up_to_a_visible_device_with_its_progress() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "tour", "payload": {"v": 1}, "steps": 5})).await;
    let mut phone = Device::connect(common(), &user, "phone").await;
    let first = phone.expect("offer").await;
    phone.expect("caught_up").await;
    phone.ack_with_data(&first, 2, &json!({"q": 2})).await;
    let mut laptop = Device::connect_idle(common(), &user, "laptop").await;
    phone.hide().await;
    assert_moved(&phone.expect("withdraw").await, &first);
    let second = laptop.expect("offer").await;
    assert_eq!((&second["offer"], &second["step"], &second["data"]), (&json!(2), &json!(3), &json!({"q": 2})));
    phone.show().await;
    phone.assert_silent().await;
    assert_eq!(laptop.ack(&second, 5).await["state"], "completed");
    phone.assert_silent().await;
}

#[tokio::test]
async fn a_hidden_holder_keeps_it_until_another_device_is_visible() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut phone = Device::connect(common(), &user, "phone").await;
    let offer = phone.expect("offer").await;
    phone.expect("caught_up").await;
    phone.hide().await;
    phone.assert_silent().await;
    let mut laptop = hidden(&user, "laptop").await;
    phone.assert_silent().await;
    laptop.assert_silent().await;
    laptop.show().await;
    assert_eq!(laptop.expect("offer").await["id"], "x");
    assert_moved(&phone.expect("withdraw").await, &offer);
}

#[tokio::test]
async fn a_hidden_holder_that_is_shown_again_goes_on() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut phone = Device::connect(common(), &user, "phone").await;
    let offer = phone.expect("offer").await;
    phone.expect("caught_up").await;
    phone.hide().await;
    phone.show().await;
    phone.assert_silent().await;
    assert_eq!(phone.ack(&offer, 0).await["yours"], true);
}

#[tokio::test]
async fn nothing_is_offered_while_no_device_is_visible() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "before").await;
    let mut device = hidden(&user, "d1").await;
    api.queue_plain(&user, "after").await;
    device.assert_silent().await;
    device.show().await;
    assert_eq!(device.expect("offer").await["id"], "before");
    assert_eq!(device.expect("offer").await["id"], "after");
    device.assert_silent().await;
}

#[tokio::test]
async fn a_holder_that_closes_its_connection_gives_it_up_at_once() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut holder = Device::connect(common(), &user, "d1").await;
    holder.expect("offer").await;
    holder.expect("caught_up").await;
    let mut other = Device::connect_idle(common(), &user, "d2").await;
    let before = clock::wall_ms();
    holder.close().await;
    let offer = other.expect("offer").await;
    assert_eq!(offer["offer"], 2);
    assert!(offer["at"].as_u64().is_some_and(|at| at < before + 8_000), "long before the lease of 10 s: {offer}");
}

#[tokio::test]
async fn a_withdraw_is_sent_to_the_old_holder_before_the_new_one_is_offered_it() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut old = Device::connect(common(), &user, "d1").await;
    old.expect("offer").await;
    old.expect("caught_up").await;
    let mut new = Device::connect_idle(common(), &user, "d2").await;
    old.hide().await;
    let (withdraw, offer) = (old.expect("withdraw").await, new.expect("offer").await);
    assert!(withdraw["at"].as_u64() <= offer["at"].as_u64(), "{withdraw} then {offer}");
}

/// Offers less withdraws of all that comes before the answer to an ack of an unknown key.
async fn offers_less_withdraws(device: &mut Device) -> i32 {
    let window = device.welcome["window"]["id"].clone();
    device.send(&json!({"type": "ack", "id": "never published", "window": window, "step": 0})).await;
    let mut balance = 0;
    loop {
        match device.expect_any_of(&["caught_up", "offer", "withdraw", "error"]).await["type"].as_str() {
            Some("offer") => balance += 1,
            Some("withdraw") => balance -= 1,
            Some("error") => return balance,
            _ => {}
        }
    }
}

#[tokio::test]
async fn visibility_that_goes_to_and_fro_leaves_one_holder() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut devices = [Device::connect(common(), &user, "d1").await, Device::connect(common(), &user, "d2").await];
    for round in 0..10 {
        devices[round % 2].hide().await;
        devices[(round + 1) % 2].show().await;
    }
    // The first look waits until each device's messages were taken; the second sees what they led to on the other.
    let mut holding = [0_i32, 0];
    for _ in 0..2 {
        for (device, holding) in devices.iter_mut().zip(&mut holding) {
            *holding += offers_less_withdraws(device).await;
        }
    }
    assert_eq!(holding.iter().sum::<i32>(), 1, "{holding:?}");
    assert!(holding.iter().all(|count| (0..=1).contains(count)), "{holding:?}");
    let timeline = api.get(&engagement(&user, "x")).await.ok(200);
    assert!(timeline.to_string().contains("offered"), "{timeline}");
}

#[tokio::test]
async fn a_place_that_is_free_elsewhere_is_used() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let mut device = Hello::new(&user, "d1").max_in_flight(1).connect(common()).await;
    device.expect("caught_up").await;
    api.queue_plain(&user, "a").await;
    api.queue_plain(&user, "b").await;
    assert_eq!(device.expect("offer").await["id"], "a");
    device.assert_silent().await;
    let mut newer = Device::connect(common(), &user, "d2").await;
    assert_eq!(newer.offers_until_caught_up().await[0]["id"], "b", "the newer device is the active one and has room");
    device.assert_silent().await;
}

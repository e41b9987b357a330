//! `scope: "device"`: one delivery for each device, each with a key of its own. And a device that connects twice, or too often.

use serde_json::{Value, json};

use crate::nodes::{common, strict};
use crate::support::api::{Api, engagement, engagements};
use crate::support::device::Device;
use crate::support::hello::Hello;
use crate::support::{fresh, wait};

async fn take_offer(device: &mut Device) -> Value {
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    offer
}

#[tokio::test]
async fn each_device_gets_its_own_also_when_it_connects_later() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let mut first = Device::connect_idle(common(), &user, "d1").await;
    api.queue(&user, &json!({"id": "x", "payload": 1, "steps": 2, "scope": "device"})).await;
    let offer = first.expect("offer").await;
    assert_eq!(offer["scope"], "device");
    let mut second = Device::connect(common(), &user, "d2").await;
    let other = take_offer(&mut second).await;
    assert_eq!((&other["offer"], &other["step"]), (&json!(1), &json!(1)));
    assert_eq!(first.ack(&offer, 2).await["yours"], true);
    second.assert_silent().await;
    assert_eq!(second.ack(&other, 1).await["state"], "in_progress");
    first.assert_silent().await;
    first.close().await;
    second.close().await;
    Device::connect_idle(common(), &user, "d1").await;
    let again = take_offer(&mut Device::connect(common(), &user, "d2").await).await;
    assert_eq!((&again["offer"], &again["step"]), (&json!(2), &json!(2)));
    let list = api.get(&engagements(&user)).await.ok(200);
    let mut devices: Vec<&str> =
        list["deliveries"].as_array().expect("a list").iter().filter_map(|delivery| delivery["device"].as_str()).collect();
    devices.sort_unstable();
    assert_eq!(devices, ["d1", "d2"], "{list}");
}

#[tokio::test]
async fn a_withdraw_ends_the_deliveries_of_all_devices_also_for_those_that_come_later() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1, "scope": "device"})).await;
    let mut first = Device::connect(common(), &user, "d1").await;
    take_offer(&mut first).await;
    api.delete(&engagement(&user, "x")).await.ok(200);
    assert_eq!(first.expect("withdraw").await["reason"], "withdrawn");
    Device::connect_idle(common(), &user, "d2").await;
}

#[tokio::test]
async fn a_second_connection_of_a_device_replaces_the_first() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut first = Device::connect(common(), &user, "d1").await;
    take_offer(&mut first).await;
    let mut second = Device::connect(common(), &user, "d1").await;
    let offer = take_offer(&mut second).await;
    assert_eq!(offer["offer"], 2, "the new page does not have it on its screen");
    let bye = first.expect("bye").await;
    assert_eq!((&bye["code"], &bye["reconnect"]), (&json!("replaced"), &json!(false)));
    first.expect_closed(4409).await;
    assert_eq!(second.ack(&offer, 0).await["yours"], true);
}

#[tokio::test]
async fn a_hello_whose_client_has_left_again_replaces_nobody() {
    let user = fresh("user");
    let mut present = Device::connect_idle(common(), &user, "d1").await;
    for _ in 0..10 {
        let mut left = Device::open(common()).await;
        // As a node finds it that stood still meanwhile.
        left.send_and_close(Hello::new(&user, "d1").message()).await;
        left.expect_closed(1005).await;
    }
    present.assert_silent().await;
}

#[tokio::test]
async fn a_user_has_no_more_connections_than_configured() {
    let (api, user) = (Api::publisher(strict()), fresh("user"));
    let queued = api.queue_plain(&user, "x").await;
    let mut devices = Vec::new();
    for number in 1..=3 {
        devices.push(Hello::new(&user, &format!("d{number}")).hidden().connect(strict()).await);
    }
    let mut fourth = Device::open(strict()).await;
    let acks = [json!({"id": "x", "window": queued["window"], "step": 0})];
    fourth.send(Hello::new(&user, "d4").acks(&acks).message()).await;
    let confirm = fourth.expect("confirm").await;
    assert_eq!((&confirm["id"], &confirm["state"]), (&json!("x"), &json!("completed")), "its acks were taken all the same");
    fourth.expect_error("too_many_connections").await;
    fourth.expect_closed(4429).await;
    assert_eq!(api.publish(&user, &json!({"id": "x", "payload": {"name": "x"}})).await.ok(200)["state"], "completed");
    devices.pop().expect("a device").close().await;
    wait::until("there is room for another device", || async {
        let mut device = Device::open(strict()).await;
        device.send(Hello::new(&user, "d5").message()).await;
        match device.next().await {
            crate::support::device::Event::Message(welcome) if welcome["type"] == "welcome" => Some(()),
            _ => None,
        }
    })
    .await;
    let mut same = Device::connect(strict(), &user, "d1").await;
    same.expect("caught_up").await;
}

//! Endings by time and by count: ttl, not_before, snooze, max_offers, and windows of an engagement's own.

use engage::clock;
use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Api, engagement};
use crate::support::device::Device;
use crate::support::{fresh, wait};

async fn ended(user: &str, id: &str) -> (String, String) {
    let delivery = Api::admin(common()).delivery(user, id).await;
    (delivery["state"].as_str().unwrap_or_default().to_owned(), delivery["reason"].as_str().unwrap_or_default().to_owned())
}

async fn take_offer(device: &mut Device) -> Value {
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    offer
}

#[tokio::test]
async fn a_ttl_ends_a_delivery_also_when_a_device_holds_it() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let before = clock::wall_ms();
    api.queue(&user, &json!({"id": "x", "payload": 1, "ttl": "700ms"})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = take_offer(&mut device).await;
    assert!(offer["expires_in_ms"].as_u64().is_some_and(|left| left <= 700), "{offer}");
    let withdraw = device.expect("withdraw").await;
    assert_eq!((&withdraw["id"], &withdraw["window"], &withdraw["reason"]), (&json!("x"), &offer["window"], &json!("expired")));
    assert!(withdraw["at"].as_u64().is_some_and(|at| at >= before + 700), "{withdraw}");
    assert_eq!(ended(&user, "x").await, ("expired".to_owned(), "ttl".to_owned()));
    let late = device.ack(&offer, 0).await;
    assert_eq!((&late["state"], &late["yours"]), (&json!("expired"), &json!(false)));
    device.close().await;
    Device::connect_idle(common(), &user, "d1").await;
}

#[tokio::test]
async fn a_ttl_ends_a_delivery_that_nobody_holds() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1, "ttl": "300ms"})).await;
    wait::until_wall_clock(clock::wall_ms() + 300).await;
    Device::connect_idle(common(), &user, "d1").await;
    assert_eq!(ended(&user, "x").await, ("expired".to_owned(), "ttl".to_owned()));
    assert_eq!(api.publish(&user, &json!({"id": "x", "payload": 1, "ttl": "300ms"})).await.ok(200)["state"], "expired");
}

#[tokio::test]
async fn nothing_is_offered_before_its_not_before() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let mut device = Device::connect_idle(common(), &user, "d1").await;
    let not_before = device.server_time().await + 800;
    api.queue(&user, &json!({"id": "later", "payload": 1, "not_before": not_before, "priority": 100})).await;
    api.queue_plain(&user, "now").await;
    assert_eq!(device.expect("offer").await["id"], "now");
    assert_eq!(ended(&user, "later").await.0, "queued");
    let offer = device.expect("offer").await;
    assert_eq!(offer["id"], "later");
    assert!(offer["at"].as_u64().is_some_and(|at| at >= not_before), "{offer}");
}

#[tokio::test]
async fn a_dismiss_with_snooze_offers_it_again_after_that_time() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1, "steps": 3, "snooze": "800ms"})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = take_offer(&mut device).await;
    device.ack_with_data(&offer, 1, &json!("half")).await;
    let confirm = device.dismiss(&offer).await;
    assert_eq!(
        (&confirm["state"], &confirm["step"], &confirm["yours"]),
        (&json!("in_progress"), &json!(1), &json!(false)),
        "it keeps its state"
    );
    device.assert_silent().await;
    let again = device.expect("offer").await;
    assert_eq!((&again["offer"], &again["step"], &again["data"]), (&json!(2), &json!(2), &json!("half")));
    assert!(again["at"].as_u64() >= confirm["at"].as_u64().map(|at| at + 800), "{again} after {confirm}");
    assert_eq!(device.ack(&again, 3).await["state"], "completed");
}

#[tokio::test]
async fn a_snoozed_delivery_is_not_offered_to_a_reconnecting_device_before_its_time() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1, "snooze": "4h"})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = take_offer(&mut device).await;
    let confirm = device.dismiss(&offer).await;
    assert_eq!(confirm["state"], "offered");
    device.close().await;
    Device::connect_idle(common(), &user, "d1").await;
    assert_eq!(ended(&user, "x").await.0, "offered");
}

#[tokio::test]
async fn what_would_be_offered_too_often_expires_instead() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1, "max_offers": 2})).await;
    for number in 1..=2 {
        let mut device = Device::connect(common(), &user, "d1").await;
        assert_eq!(take_offer(&mut device).await["offer"], number);
        device.close().await;
    }
    assert_eq!(ended(&user, "x").await.0, "offered", "it is not over before it would be offered again");
    Device::connect_idle(common(), &user, "d1").await;
    assert_eq!(ended(&user, "x").await, ("expired".to_owned(), "max_offers".to_owned()));
}

#[tokio::test]
async fn the_last_offer_can_still_be_acked() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1, "max_offers": 1})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = take_offer(&mut device).await;
    device.assert_silent().await;
    assert_eq!(device.ack(&offer, 0).await["yours"], true);
}

#[tokio::test]
async fn an_engagement_with_a_window_of_its_own_lives_in_that_one() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let session = api.queue_plain(&user, "session").await;
    let prompt = json!({"id": "prompt", "payload": 1, "window": "1s"});
    let before = clock::wall_ms();
    let own = api.queue(&user, &prompt).await;
    assert_ne!(own["window"], session["window"]);
    let closes_at = own["closes_at"].as_u64().expect("ms");
    assert!((before + 1_000..=clock::wall_ms() + 1_000).contains(&closes_at), "{own}");
    assert_eq!(api.publish(&user, &prompt).await.ok(200)["window"], own["window"]);

    let mut device = Device::connect(common(), &user, "d1").await;
    assert_eq!(device.welcome["window"]["id"], session["window"]);
    let offers = device.offers_until_caught_up().await;
    assert_eq!(offers[1]["window"], own["window"]);
    let withdraw = device.expect("withdraw").await;
    assert_eq!((&withdraw["id"], &withdraw["reason"]), (&json!("prompt"), &json!("expired")));
    assert!(withdraw["at"].as_u64() >= Some(closes_at), "{withdraw}");

    let next = api.queue(&user, &prompt).await;
    assert_ne!(next["window"], own["window"], "after the close it is a new delivery");
    let offer = device.expect("offer").await;
    assert_eq!((&offer["window"], &offer["offer"]), (&next["window"], &json!(1)));
    let timeline = api_timeline(&user, "prompt").await;
    assert!(timeline.contains("window_closed"), "{timeline}");
}

async fn api_timeline(user: &str, id: &str) -> String {
    Api::admin(common()).get(&engagement(user, id)).await.ok(200).to_string()
}

#[tokio::test]
async fn a_settled_delivery_blocks_its_own_window_until_it_closes() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let prompt = json!({"id": "prompt", "payload": 1, "window": "1s"});
    let own = api.queue(&user, &prompt).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = take_offer(&mut device).await;
    device.ack(&offer, 0).await;
    assert_eq!(api.publish(&user, &prompt).await.ok(200)["state"], "completed");
    device.wait_for_server_time(own["closes_at"].as_u64().expect("ms")).await;
    api.queue(&user, &prompt).await;
    assert_eq!(device.expect("offer").await["offer"], 1);
}

//! Withdrawing (G10).

use serde_json::json;

use crate::nodes::common;
use crate::support::api::{Api, engagement};
use crate::support::device::Device;
use crate::support::{fresh, keys, words};

#[tokio::test]
async fn a_withdraw_is_answered_with_the_state_it_ended_in_and_no_later_hello_is_offered_it() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let ended = api.delete(&engagement(&user, "x")).await.ok(200);
    assert_eq!(keys(&ended), words("state reason step"));
    assert_eq!(ended, json!({"state": "withdrawn", "reason": "publisher", "step": 0}));
    Device::connect_idle(common(), &user, "d1").await;
    assert_eq!(api.publish(&user, &json!({"id": "x", "payload": {"name": "x"}})).await.ok(200)["state"], "withdrawn");
}

#[tokio::test]
async fn the_holder_is_told_and_keeps_nothing() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1, "steps": 5})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack(&offer, 2).await;
    let ended = api.delete(&engagement(&user, "x")).await.ok(200);
    assert_eq!(ended, json!({"state": "withdrawn", "reason": "publisher", "step": 2}));
    let withdraw = device.expect("withdraw").await;
    assert_eq!((&withdraw["id"], &withdraw["window"], &withdraw["reason"]), (&json!("x"), &offer["window"], &json!("withdrawn")));
    let late = device.ack(&offer, 5).await;
    assert_eq!((&late["state"], &late["step"], &late["yours"]), (&json!("withdrawn"), &json!(2), &json!(false)));
}

#[tokio::test]
async fn a_withdraw_that_comes_too_late_says_what_it_was_settled_as() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1, "steps": 2})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack(&offer, 2).await;
    let ended = api.delete(&engagement(&user, "x")).await.ok(200);
    assert_eq!((&ended["state"], &ended["step"]), (&json!("completed"), &json!(2)));
    assert!(ended["reason"].is_null(), "{ended}");
    device.assert_silent().await;
}

#[tokio::test]
async fn a_second_withdraw_says_the_same() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let first = api.delete(&engagement(&user, "x")).await.ok(200);
    assert_eq!(api.delete(&engagement(&user, "x")).await.ok(200), first);
}

#[tokio::test]
async fn what_was_never_published_cannot_be_withdrawn() {
    let api = Api::publisher(common());
    api.delete(&engagement(&fresh("nobody"), "x")).await.problem(404, "not_found");
    let user = fresh("user");
    api.queue_plain(&user, "x").await;
    api.delete(&engagement(&user, "y")).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_withdraw_and_an_ack_at_once_agree_on_how_it_ended() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let mut device = Device::connect_idle(common(), &user, "d1").await;
    for round in 0..20 {
        let id = format!("e{round}");
        api.queue_plain(&user, &id).await;
        let offer = device.expect("offer").await;
        let ack = json!({"type": "ack", "id": id, "window": offer["window"], "step": 0});
        let path = engagement(&user, &id);
        let (ended, ()) = tokio::join!(api.delete(&path), device.send(&ack));
        let mut told = device.expect_any_of(&["confirm", "withdraw"]).await;
        if told["type"] == "withdraw" {
            assert_eq!(told["reason"], "withdrawn");
            told = device.expect("confirm").await;
        }
        assert_eq!(told["state"], ended.ok(200)["state"], "round {round}");
        assert_eq!(told["yours"], told["state"] == "completed");
    }
    device.assert_silent().await;
}

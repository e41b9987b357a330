//! Acks and their confirms: states, steps, data, and who settled it.

use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Api, engagement};
use crate::support::device::Device;
use crate::support::{fresh, keys, words};

/// A device that holds one delivery of an engagement.
async fn holding(engagement: &Value) -> (String, Device, Value) {
    let user = fresh("user");
    Api::publisher(common()).queue(&user, engagement).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    (user, device, offer)
}

/// What a confirm says of the delivery.
fn told(confirm: &Value) -> (u64, &str, bool) {
    (confirm["step"].as_u64().expect("a step"), confirm["state"].as_str().expect("a state"), confirm["yours"].as_bool().expect("yours"))
}

#[tokio::test]
async fn a_confirm_has_the_fields_of_the_contract() {
    let (_, mut device, offer) = holding(&json!({"id": "tour", "payload": 1, "steps": 5})).await;
    let confirm = device.ack(&offer, 2).await;
    assert_eq!(keys(&confirm), words("type id window step steps state yours at ref"));
    let expected = json!({
        "type": "confirm", "id": "tour", "window": offer["window"], "step": 2, "steps": 5, "state": "in_progress", "yours": false,
        "at": confirm["at"], "ref": confirm["ref"]
    });
    assert_eq!(confirm, expected);
    assert!(confirm["at"].as_u64() >= offer["at"].as_u64(), "ledger time does not run back: {confirm}");
}

#[tokio::test]
async fn an_ack_without_a_ref_is_answered_too() {
    let (_, mut device, offer) = holding(&json!({"id": "x", "payload": 1})).await;
    device.send(&json!({"type": "ack", "id": "x", "window": offer["window"], "step": 0})).await;
    let confirm = device.expect("confirm").await;
    assert!(confirm["ref"].is_null() && confirm["state"] == "completed", "{confirm}");
    device.send(&json!({"type": "dismiss", "id": "x", "window": offer["window"]})).await;
    assert!(device.expect("confirm").await["ref"].is_null());
}

#[tokio::test]
async fn a_ref_is_echoed_whatever_integer_it_is() {
    let (_, mut device, offer) = holding(&json!({"id": "x", "payload": 1})).await;
    for reference in [0_i64, -1, 7, 1 << 40, i64::from(i32::MIN)] {
        device.send(&json!({"type": "ack", "id": "x", "window": offer["window"], "step": 0, "ref": reference})).await;
        assert_eq!(device.expect("confirm").await["ref"], reference);
        device.send(&json!({"type": "ping", "ref": reference})).await;
        assert_eq!(device.expect("pong").await["ref"], reference);
    }
}

#[tokio::test]
async fn showing_the_only_step_is_the_end_of_it() {
    let (_, mut device, offer) = holding(&json!({"id": "x", "payload": 1})).await;
    assert_eq!(offer["settle_on"], "shown");
    let confirm = device.ack(&offer, 0).await;
    assert_eq!((&confirm["state"], &confirm["yours"]), (&json!("completed"), &json!(true)));
}

#[tokio::test]
async fn doing_the_only_step_is_the_end_of_it() {
    let (_, mut device, offer) = holding(&json!({"id": "x", "payload": 1})).await;
    assert_eq!(told(&device.ack(&offer, 1).await), (1, "completed", true));
}

#[tokio::test]
async fn one_step_that_settles_on_completed_is_not_ended_by_showing_it() {
    let (_, mut device, offer) = holding(&json!({"id": "x", "payload": 1, "settle_on": "completed"})).await;
    assert_eq!(told(&device.ack(&offer, 0).await), (0, "shown", false));
    assert_eq!(told(&device.ack(&offer, 1).await), (1, "completed", true));
}

#[tokio::test]
async fn many_steps_that_settle_on_shown_are_ended_by_showing_them() {
    let (_, mut device, offer) = holding(&json!({"id": "x", "payload": 1, "steps": 3, "settle_on": "shown"})).await;
    let confirm = device.ack(&offer, 0).await;
    assert_eq!((&confirm["state"], &confirm["yours"]), (&json!("completed"), &json!(true)));
}

#[tokio::test]
async fn steps_go_up_and_never_back() {
    let (user, mut device, offer) = holding(&json!({"id": "x", "payload": 1, "steps": 5})).await;
    assert_eq!(told(&device.ack(&offer, 0).await), (0, "shown", false));
    assert_eq!(told(&device.ack(&offer, 3).await), (3, "in_progress", false));
    assert_eq!(told(&device.ack(&offer, 1).await), (3, "in_progress", false));
    assert_eq!(told(&device.ack(&offer, 0).await), (3, "in_progress", false));
    assert_eq!(told(&device.ack(&offer, 5).await), (5, "completed", true));
    assert_eq!(told(&device.ack(&offer, 2).await), (5, "completed", true), "a settled delivery stays what it is");
    assert_eq!(told(&device.dismiss(&offer).await), (5, "completed", true));
    let known = Api::admin(common()).get(&engagement(&user, "x")).await.ok(200);
    assert!(known.to_string().contains("completed"), "{known}");
}

#[tokio::test]
async fn a_step_outside_the_engagement_is_an_error_and_changes_nothing() {
    let (_, mut device, offer) = holding(&json!({"id": "x", "payload": 1, "steps": 5})).await;
    for step in [6_i64, 100, 101, 255, 256, 65_536, 4_294_967_295, i64::MAX, -1, i64::MIN] {
        let ack = json!({"type": "ack", "id": "x", "window": offer["window"], "step": step});
        let error = device.ask(ack, "error").await;
        assert_eq!((&error["code"], &error["retry"]), (&json!("step_out_of_range"), &json!(false)), "step {step}: {error}");
        assert_eq!((&error["id"], &error["window"]), (&offer["id"], &offer["window"]));
    }
    assert_eq!(told(&device.ack(&offer, 1).await), (1, "in_progress", false));
}

#[tokio::test]
async fn an_ack_of_a_key_that_the_ledger_does_not_know_is_an_error() {
    let (_, mut device, offer) = holding(&json!({"id": "x", "payload": 1})).await;
    let unknown =
        [json!(["y", offer["window"]]), json!(["x", "w1"]), json!(["x", "nonsense"]), json!(["x", "w".repeat(60)]), json!(["x", "ẅ"])];
    for key in unknown {
        for kind in ["ack", "dismiss"] {
            let mut message = json!({"type": kind, "id": key[0], "window": key[1]});
            if kind == "ack" {
                message["step"] = json!(0);
            }
            let error = device.ask(message, "error").await;
            assert_eq!((&error["code"], &error["retry"]), (&json!("unknown_delivery"), &json!(false)), "{key}: {error}");
            assert_eq!((&error["id"], &error["window"]), (&key[0], &key[1]), "the error names the key");
        }
    }
    assert_eq!(device.ack(&offer, 0).await["state"], "completed");
}

#[tokio::test]
async fn data_replaces_data_unless_the_ack_is_for_a_lower_step() {
    let (user, mut device, offer) = holding(&json!({"id": "x", "payload": 1, "steps": 5})).await;
    device.ack_with_data(&offer, 2, &json!({"q1": 9})).await;
    device.ack_with_data(&offer, 2, &json!({"q1": 9, "q2": [1, "ü"]})).await;
    device.ack_with_data(&offer, 1, &json!({"late": true})).await;
    device.ack(&offer, 3).await;
    device.close().await;
    let mut again = Device::connect(common(), &user, "d2").await;
    let offer = again.expect("offer").await;
    assert_eq!((&offer["step"], &offer["data"]), (&json!(4), &json!({"q1": 9, "q2": [1, "ü"]})));
}

#[tokio::test]
async fn data_is_bounded() {
    let (user, mut device, offer) = holding(&json!({"id": "x", "payload": 1, "steps": 5})).await;
    let largest = json!("d".repeat(4 * 1024 - 2));
    device.ack_with_data(&offer, 1, &largest).await;
    let over = json!({"type": "ack", "id": "x", "window": offer["window"], "step": 2, "data": "d".repeat(4 * 1024 - 1)});
    let error = device.ask(over, "error").await;
    assert!(error["code"] == "too_large" || error["code"] == "bad_message", "{error}");
    device.close().await;
    let offer = Device::connect(common(), &user, "d1").await.expect("offer").await;
    assert_eq!((&offer["step"], &offer["data"]), (&json!(2), &largest));
}

#[tokio::test]
async fn a_dismissed_delivery_is_settled() {
    let (user, mut device, offer) = holding(&json!({"id": "x", "payload": 1, "steps": 5})).await;
    device.ack(&offer, 2).await;
    assert_eq!(told(&device.dismiss(&offer).await), (2, "dismissed", true));
    assert_eq!(told(&device.ack(&offer, 5).await), (2, "dismissed", true), "its state and step stay");
    device.close().await;
    Device::connect_idle(common(), &user, "d1").await;
}

#[tokio::test]
async fn yours_says_whose_ack_settled_it() {
    let (user, mut first, offer) = holding(&json!({"id": "x", "payload": 1})).await;
    let mut second = Device::connect_idle(common(), &user, "d2").await;
    assert!(second.ack(&offer, 0).await["yours"] == true, "an ack counts from any connection of the user");
    first.expect("withdraw").await;
    let late = first.ack(&offer, 0).await;
    assert_eq!((&late["state"], &late["yours"]), (&json!("completed"), &json!(false)));
    assert_eq!(second.ack(&offer, 0).await["yours"], true);
}

#[tokio::test]
async fn an_ack_cannot_touch_another_users_delivery() {
    let (owner, mut device, offer) = holding(&json!({"id": "x", "payload": 1})).await;
    let stranger = fresh("stranger");
    let mut other = Device::connect_idle(common(), &stranger, "d1").await;
    let error = other.ask(json!({"type": "ack", "id": "x", "window": offer["window"], "step": 0}), "error").await;
    assert_eq!(error["code"], "unknown_delivery");
    assert_eq!(Api::admin(common()).delivery(&owner, "x").await["state"], "offered");
    assert_eq!(device.ack(&offer, 0).await["yours"], true);
}

#[tokio::test]
async fn acks_in_an_array_are_each_answered_in_order() {
    let (_, mut device, offer) = holding(&json!({"id": "x", "payload": 1, "steps": 50})).await;
    let acks: Vec<Value> =
        (1..=20).map(|step| json!({"type": "ack", "id": "x", "window": offer["window"], "step": step, "ref": step})).collect();
    device.send(&json!(acks)).await;
    for step in 1..=20 {
        let confirm = device.expect("confirm").await;
        assert_eq!((&confirm["ref"], &confirm["step"]), (&json!(step), &json!(step)));
    }
}

//! A publish that is taken, one that is known already, and one that says something else under a known key.

use engage::clock;
use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::{fresh, keys, words};

const DAY_MS: u64 = 24 * 3_600_000;

#[tokio::test]
async fn a_publish_is_answered_201_with_its_window_and_state() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let before = clock::wall_ms();
    let queued = api.publish(&user, &json!({"id": "nps", "payload": {"q": "How likely?"}})).await.ok(201);
    assert_eq!(keys(&queued), words("status user id window state closes_at"));
    assert_eq!(queued["status"], "queued");
    assert_eq!(queued["user"], user);
    assert_eq!(queued["id"], "nps");
    assert_eq!(queued["state"], "queued");
    assert!(queued["window"].as_str().is_some_and(|window| !window.is_empty()), "{queued}");
    let closes_at = queued["closes_at"].as_u64().expect("ms since the epoch");
    assert!((before + DAY_MS..=clock::wall_ms() + DAY_MS + 1_000).contains(&closes_at), "the window is a day long: {queued}");
}

#[tokio::test]
async fn all_of_a_session_is_published_into_one_window() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let first = api.queue_plain(&user, "first").await;
    let second = api.queue_plain(&user, "second").await;
    assert_eq!((&first["window"], &first["closes_at"]), (&second["window"], &second["closes_at"]));
}

#[tokio::test]
async fn the_same_publish_again_is_a_duplicate_with_the_first_ones_state() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let engagement = json!({"id": "tour", "payload": [1, 2], "steps": 5});
    let first = api.queue(&user, &engagement).await;
    let again = api.publish(&user, &engagement).await.ok(200);
    assert_eq!(keys(&again), words("status user id window state closes_at step"));
    assert_eq!((&again["status"], &again["state"], &again["step"]), (&json!("duplicate"), &json!("queued"), &json!(0)));
    assert_eq!((&again["window"], &again["closes_at"]), (&first["window"], &first["closes_at"]));

    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    assert_eq!(api.publish(&user, &engagement).await.ok(200)["state"], "offered");
    device.expect("caught_up").await;
    device.ack(&offer, 0).await;
    assert_eq!(api.publish(&user, &engagement).await.ok(200)["state"], "shown");
    device.ack(&offer, 2).await;
    let known = api.publish(&user, &engagement).await.ok(200);
    assert_eq!((&known["state"], &known["step"]), (&json!("in_progress"), &json!(2)));
    device.ack(&offer, 5).await;
    let known = api.publish(&user, &engagement).await.ok(200);
    assert_eq!((&known["state"], &known["step"]), (&json!("completed"), &json!(5)));
    device.assert_silent().await;
}

#[tokio::test]
async fn a_duplicate_is_told_apart_from_other_content_and_the_first_stays() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let first = json!({"id": "x", "payload": {"v": 1}, "steps": 2});
    api.queue(&user, &first).await;
    let others = [
        json!({"payload": {"v": 2}}),
        json!({"steps": 3}),
        json!({"settle_on": "shown"}),
        json!({"scope": "device"}),
        json!({"targets": "all"}),
        json!({"ttl": "1h"}),
        json!({"not_before": 1}),
        json!({"priority": 1}),
        json!({"max_offers": 1}),
        json!({"snooze": "1h"}),
    ];
    for other in &others {
        let mut engagement = first.clone();
        let (field, value) = other.as_object().expect("an object").iter().next().expect("one field");
        engagement[field] = value.clone();
        let answer = api.publish(&user, &engagement).await;
        assert_eq!(answer.status, 409, "{other}: {answer:?}");
        answer.problem(409, "different_engagement");
    }
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    assert_eq!((&offer["payload"], &offer["steps"]), (&json!({"v": 1}), &json!(2)));
    device.expect("caught_up").await;
}

#[tokio::test]
async fn defaults_that_are_spelled_out_are_the_same_content() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let spelled_out = json!({
        "id": "x", "payload": {"name": "x"}, "steps": 1, "settle_on": "shown", "scope": "user", "targets": "active",
        "mode": "standard", "priority": 0, "max_offers": 0
    });
    assert_eq!(api.publish(&user, &spelled_out).await.ok(200)["status"], "duplicate");
}

#[tokio::test]
async fn a_publish_brings_every_field_to_the_device() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let payload = json!({"title": "grüß dich 👋", "list": [1, -2.5, true, null], "nested": {"a": {"b": []}}});
    let engagement = json!({
        "id": "full", "payload": payload, "steps": 100, "settle_on": "completed", "scope": "user", "targets": "all", "mode": "standard",
        "window": "2m", "ttl": "90s", "not_before": 0, "priority": -100, "max_offers": 7, "snooze": "4h"
    });
    let queued = api.queue(&user, &engagement).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    assert_eq!(offer["payload"], payload);
    assert_eq!((&offer["steps"], &offer["settle_on"], &offer["priority"]), (&json!(100), &json!("completed"), &json!(-100)));
    assert_eq!(offer["window"], queued["window"]);
    let expires_in = offer["expires_in_ms"].as_u64().expect("ms");
    assert!((60_000..=90_000).contains(&expires_in), "the ttl ends it before its window: {offer}");
}

#[tokio::test]
async fn a_payload_may_be_any_json_up_to_its_bound() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let largest = Value::String("x".repeat(16 * 1024 - 2));
    for (index, payload) in [json!(null), json!(0), json!(""), json!([]), json!({}), largest].into_iter().enumerate() {
        api.queue(&user, &json!({"id": format!("e{index}"), "payload": payload})).await;
    }
    let over = Value::String("x".repeat(16 * 1024 - 1));
    api.publish(&user, &json!({"id": "over", "payload": over})).await.problem(413, "too_large");
}

#[tokio::test]
async fn of_many_publishes_of_one_key_at_once_exactly_one_is_the_first() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    for round in 0..5 {
        let body = json!({"id": format!("e{round}"), "payload": {"v": round}});
        let answers = futures_util::future::join_all((0..40).map(|_| api.publish(&user, &body))).await;
        let first: Vec<Value> = answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.json()).collect();
        assert_eq!(first.len(), 1, "round {round}");
        for answer in answers.iter().filter(|answer| answer.status != 201) {
            let known = answer.ok(200);
            assert_eq!((&known["status"], &known["window"]), (&json!("duplicate"), &first[0]["window"]));
        }
    }
    assert_eq!(Device::connect(common(), &user, "d1").await.offers_until_caught_up().await.len(), 5);
}

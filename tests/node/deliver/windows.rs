//! CONTRACT §3: session windows that close, on a node whose windows last 3 s and carry 1 s.

use serde_json::{Value, json};

use crate::nodes::brief;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::hello::Hello;
use crate::support::{fresh, wait};

const CARRY_MS: u64 = 1_000;

fn ms(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("ms, not {value}"))
}

#[tokio::test]
async fn a_connected_device_is_told_of_the_new_window_and_what_was_open_expires() {
    let (api, user) = (Api::admin(brief()), fresh("user"));
    let mut device = Device::connect_idle(brief(), &user, "d1").await;
    let first = device.welcome["window"].clone();
    api.queue(&user, &json!({"id": "tour", "payload": 1, "steps": 5})).await;
    let offer = device.expect("offer").await;
    assert_eq!(offer["window"], first["id"]);
    device.ack(&offer, 2).await;
    let withdraw = device.expect("withdraw").await;
    assert_eq!((&withdraw["id"], &withdraw["reason"]), (&json!("tour"), &json!("expired")));
    let next = device.expect("window").await["window"].clone();
    assert_ne!(next["id"], first["id"]);
    assert!(ms(&next["opened_at"]) >= ms(&first["closes_at"]), "{next}");
    assert_eq!(ms(&next["closes_at"]) - ms(&next["opened_at"]), 3_000);

    let late = device.ack(&offer, 5).await;
    assert_eq!(
        (&late["state"], &late["step"], &late["yours"]),
        (&json!("expired"), &json!(2), &json!(false)),
        "a late ack is told how it ended"
    );
    let expired = api.outcomes_of(&user).await.into_iter().find(|line| line["outcome"] == "expired").expect("it is reported");
    assert_eq!((&expired["reason"], &expired["window"], &expired["step"]), (&json!("window_closed"), &first["id"], &json!(2)));

    let same = json!({"id": "tour", "payload": 1, "steps": 5});
    let carried = api.publish(&user, &same).await.ok(200);
    assert_eq!(
        (&carried["state"], &carried["window"]),
        (&json!("expired"), &first["id"]),
        "what was seen is not seen again within the carry"
    );
    device.wait_for_server_time(ms(&withdraw["at"]) + CARRY_MS).await;
    api.queue(&user, &same).await;
    let again = device.expect("offer").await;
    assert_eq!((&again["window"], &again["step"], &again["offer"]), (&next["id"], &json!(1), &json!(1)), "a new window, a new delivery");
}

#[tokio::test]
async fn what_expired_with_its_window_is_told_to_a_hello_that_still_shows_it() {
    let (api, user) = (Api::publisher(brief()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut device = Device::connect(brief(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    let closes_at = ms(&device.welcome["window"]["closes_at"]);
    device.close().await;
    wait::until_wall_clock(closes_at).await;
    let mut again = Hello::new(&user, "d1").open(&[&offer]).connect(brief()).await;
    assert_ne!(again.welcome["window"]["id"], offer["window"]);
    assert_eq!(again.expect("withdraw").await["reason"], "expired");
    again.expect("caught_up").await;
}

#[tokio::test]
async fn what_settled_well_before_the_close_is_forgotten_with_its_window() {
    let (api, user) = (Api::publisher(brief()), fresh("user"));
    let first = api.queue_plain(&user, "x").await;
    let mut device = Device::connect(brief(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    let confirm = device.ack(&offer, 0).await;
    assert!(ms(&confirm["at"]) + CARRY_MS < ms(&first["closes_at"]), "this machine is too slow for a window of 3 s");
    device.expect("window").await;
    let again = api.queue_plain(&user, "x").await;
    assert_ne!(again["window"], first["window"]);
    assert_eq!(device.expect("offer").await["offer"], 1);
}

#[tokio::test]
async fn what_settled_just_before_the_close_counts_as_delivered_until_the_carry_has_passed() {
    let (api, user) = (Api::publisher(brief()), fresh("user"));
    let first = api.queue_plain(&user, "x").await;
    let mut device = Device::connect(brief(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.wait_for_server_time(ms(&first["closes_at"]) - 500).await;
    let confirm = device.ack(&offer, 0).await;
    assert_eq!(confirm["state"], "completed");
    device.expect("window").await;
    let carried = api.publish(&user, &json!({"id": "x", "payload": {"name": "x"}})).await.ok(200);
    assert_eq!((&carried["status"], &carried["state"], &carried["window"]), (&json!("duplicate"), &json!("completed"), &first["window"]));
    device.wait_for_server_time(ms(&confirm["at"]) + CARRY_MS).await;
    let again = api.queue_plain(&user, "x").await;
    assert_ne!(again["window"], first["window"]);
    assert_eq!(device.expect("offer").await["window"], again["window"]);
}

#[tokio::test]
async fn without_a_device_the_next_window_opens_at_the_next_publish() {
    let (api, user) = (Api::admin(brief()), fresh("user"));
    let first = api.queue_plain(&user, "x").await;
    wait::until_wall_clock(ms(&first["closes_at"]) + 400).await;
    let second = api.queue_plain(&user, "x").await;
    assert_ne!(second["window"], first["window"]);
    assert!(ms(&second["closes_at"]) >= ms(&first["closes_at"]) + 3_400, "it opened at the publish: {second}");
    let outcomes = api.outcomes_of(&user).await;
    let told: Vec<&str> = outcomes.iter().filter_map(|line| line["outcome"].as_str()).collect();
    assert_eq!(told, ["published", "expired", "published"]);
}

#[tokio::test]
async fn an_own_window_outlives_the_session_window() {
    let (api, user) = (Api::publisher(brief()), fresh("user"));
    let own = api.queue(&user, &json!({"id": "long", "payload": 1, "steps": 2, "window": "1h"})).await;
    let mut device = Device::connect(brief(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.expect("window").await;
    let confirm = device.ack(&offer, 1).await;
    assert_eq!((&confirm["state"], &confirm["window"]), (&json!("in_progress"), &own["window"]));
    assert_eq!(device.ack(&offer, 2).await["state"], "completed");
    device.expect("window").await;
    assert_eq!(api.publish(&user, &json!({"id": "long", "payload": 1, "steps": 2, "window": "1h"})).await.ok(200)["state"], "completed");
}

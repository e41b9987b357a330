//! A user and the deliveries of a user, as the API shows them; and forgetting one.

use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Api, engagement, engagements};
use crate::support::device::{Device, Event};
use crate::support::hello::Hello;
use crate::support::{fresh, wait};

#[tokio::test]
async fn a_user_that_the_ledger_does_not_know_is_not_found() {
    let (api, user) = (Api::reader(common()), fresh("nobody"));
    api.get(&format!("/v1/users/{user}")).await.problem(404, "not_found");
    api.get(&engagement(&user, "x")).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_user_is_shown_with_window_devices_and_buffer() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let queued = api.queue_plain(&user, "x").await;
    api.queue(&user, &json!({"id": "y", "payload": "y".repeat(1_000)})).await;
    let shown = api.get(&format!("/v1/users/{user}")).await.ok(200);
    assert_eq!((&shown["user"], &shown["owner"], &shown["devices"]), (&json!(user), &json!("n1"), &json!([])));
    assert!(shown["shard"].as_u64().is_some_and(|shard| shard < 4), "{shown}");
    assert_eq!((&shown["window"]["id"], &shown["window"]["closes_at"]), (&queued["window"], &queued["closes_at"]));
    assert_eq!(shown["buffered"]["deliveries"], 2);
    assert!(shown["buffered"]["bytes"].as_u64().is_some_and(|bytes| (1_000..4_000).contains(&bytes)), "{shown}");

    let mut device = Device::connect(common(), &user, "d1").await;
    let offers = device.offers_until_caught_up().await;
    let mut hidden = Hello::new(&user, "d2").hidden().connect(common()).await;
    hidden.expect("caught_up").await;
    device.ack(&offers[1], 0).await;
    let shown = api.get(&format!("/v1/users/{user}")).await.ok(200);
    let mut devices = shown["devices"].as_array().expect("devices").clone();
    devices.sort_by_key(|device| device["device"].to_string());
    assert_eq!(devices.len(), 2, "{shown}");
    assert_eq!((&devices[0]["device"], &devices[0]["node"], &devices[0]["visible"]), (&json!("d1"), &json!("n1"), &json!(true)));
    assert_eq!((&devices[1]["device"], &devices[1]["visible"]), (&json!("d2"), &json!(false)));
    assert!(devices[0]["connected_at"].as_u64() >= shown["window"]["opened_at"].as_u64(), "{shown}");
    assert_eq!(shown["buffered"]["deliveries"], 1, "what is settled is not buffered");
}

#[tokio::test]
async fn a_user_who_is_only_connected_is_found() {
    let (api, user) = (Api::reader(common()), fresh("user"));
    let device = Device::connect_idle(common(), &user, "d1").await;
    assert_eq!(api.get(&format!("/v1/users/{user}")).await.ok(200)["devices"][0]["device"], "d1");
    device.close().await;
}

#[tokio::test]
async fn deliveries_are_listed_newest_last_and_paged_by_cursor() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    for number in 0..5 {
        api.queue(&user, &json!({"id": format!("e{number}"), "payload": 1, "priority": -number})).await;
    }
    let ids = |list: &Value| -> Vec<String> {
        list["deliveries"].as_array().expect("a list").iter().map(|delivery| delivery["id"].as_str().expect("an id").to_owned()).collect()
    };
    let list = api.get(&engagements(&user)).await.ok(200);
    assert_eq!(ids(&list), ["e0", "e1", "e2", "e3", "e4"]);
    assert!(
        list["deliveries"].as_array().is_some_and(|all| all.iter().all(|one| one["state"] == "queued" && one["window"].is_string())),
        "{list}"
    );
    assert!(list.get("cursor").is_some(), "{list}");
}

#[tokio::test]
async fn one_engagement_is_shown_with_its_timeline() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    api.queue(&user, &json!({"id": "tour", "payload": 1, "steps": 3})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack(&offer, 0).await;
    device.ack(&offer, 2).await;
    device.ack(&offer, 3).await;
    let shown = api.get(&engagement(&user, "tour")).await.ok(200);
    assert_eq!(shown["id"], "tour", "{shown}");
    let timeline = shown["timeline"].as_array().unwrap_or_else(|| panic!("a timeline in {shown}"));
    let told: Vec<&str> = timeline.iter().filter_map(|line| line["outcome"].as_str()).collect();
    assert_eq!(told, ["published", "offered", "shown", "step", "step", "completed"], "{shown}");
    let times: Vec<u64> = timeline.iter().filter_map(|line| line["at"].as_u64()).collect();
    assert!(times.len() == 6 && times.is_sorted(), "{shown}");
}

#[tokio::test]
async fn a_forgotten_user_leaves_nothing_and_the_connections_are_closed() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let first = api.queue_plain(&user, "x").await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack(&offer, 0).await;
    let mut bystander = Device::connect_idle(common(), &fresh("user"), "d1").await;
    let answer = api.delete(&format!("/v1/users/{user}")).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    wait::within("the connection ends", async {
        while let Event::Message(message) = device.next().await {
            assert!(message["type"] == "bye" || message["type"] == "withdraw" || message["type"] == "error", "{message}");
        }
    })
    .await;
    api.get(&format!("/v1/users/{user}")).await.problem(404, "not_found");
    bystander.assert_silent().await;
    let again = api.queue_plain(&user, "x").await;
    assert_ne!(again["window"], first["window"], "what was forgotten can be published anew, in a window never used before");
    let offers = Device::connect(common(), &user, "d1").await.offers_until_caught_up().await;
    assert_eq!((offers.len(), &offers[0]["offer"]), (1, &json!(1)));
}

#[tokio::test]
async fn what_was_open_when_the_user_was_forgotten_is_reported_as_such() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    assert_eq!(api.delete(&format!("/v1/users/{user}")).await.status, 204);
    assert_eq!(api.delete(&format!("/v1/users/{user}")).await.status, 204, "forgetting twice is safe");
    let outcomes = api.outcomes_of(&user).await;
    if let Some(last) = outcomes.last() {
        assert_eq!(last["reason"], "user_forgotten", "{outcomes:?}");
    }
}

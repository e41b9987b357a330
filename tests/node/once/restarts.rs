//! A node that stops or dies and starts again, step by step.

use serde_json::json;

use crate::support::api::{Api, engagement};
use crate::support::device::{Device, Event};
use crate::support::hello::Hello;
use crate::support::node::{Node, Settings};
use crate::support::{fresh, wait};

#[tokio::test]
async fn a_killed_node_comes_back_with_every_accepted_publish_and_every_confirmed_ack() {
    let mut node = Node::start(Settings::new());
    let (api, user) = (Api::admin(&node), fresh("user"));
    api.queue_plain(&user, "done").await;
    api.queue(&user, &json!({"id": "half", "payload": {"v": 1}, "steps": 5})).await;
    let mut device = Device::connect(&node, &user, "d1").await;
    let offers = device.offers_until_caught_up().await;
    device.ack(&offers[0], 0).await;
    let half = device.ack_with_data(&offers[1], 3, &json!({"q": 3})).await;
    let waiting = api.queue(&user, &json!({"id": "waiting", "payload": 2, "not_before": 1})).await;
    device.expect("offer").await;
    node.kill();
    assert!(matches!(device.next().await, Event::Broken | Event::Closed(_)));

    node.start_again();
    let api = Api::admin(&node);
    assert_eq!(api.publish(&user, &json!({"id": "done", "payload": {"name": "done"}})).await.ok(200)["state"], "completed");
    let mut device = Device::connect(&node, &user, "d2").await;
    assert_eq!(device.welcome["window"]["id"], half["window"], "the window goes on");
    let again = wait::within("the offers", async {
        let mut offers = Vec::new();
        while offers.len() < 2 {
            let message = device.expect_any_of(&["offer", "caught_up"]).await;
            if message["type"] == "offer" {
                offers.push(message);
            }
        }
        offers
    })
    .await;
    assert_eq!((&again[0]["id"], &again[0]["step"], &again[0]["data"]), (&json!("half"), &json!(4), &json!({"q": 3})));
    assert!(again[0]["at"].as_u64() > half["at"].as_u64(), "ledger time does not run back");
    assert_eq!((&again[1]["id"], &again[1]["window"]), (&json!("waiting"), &waiting["window"]));
    assert_eq!(device.ack(&again[0], 5).await["state"], "completed");
    assert_eq!(api.metric("engage_redelivery_after_ack_total").await, 0.0);
}

#[tokio::test]
async fn a_device_that_held_it_when_the_node_died_is_not_offered_it_again_when_it_shows_it() {
    let mut node = Node::start(Settings::new());
    let (api, user) = (Api::admin(&node), fresh("user"));
    api.queue(&user, &json!({"id": "tour", "payload": 1, "steps": 3})).await;
    let mut device = Device::connect(&node, &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    node.kill();
    node.start_again();
    let mut again = Hello::new(&user, "d1").open(&[&offer]).connect(&node).await;
    again.expect("caught_up").await;
    again.assert_silent().await;
    assert_eq!(again.ack(&offer, 3).await["yours"], true);
}

#[tokio::test]
async fn a_stopped_node_comes_back_as_it_was() {
    let mut node = Node::start(Settings::new());
    let (api, user) = (Api::admin(&node), fresh("user"));
    for id in ["withdrawn", "dismissed", "open"] {
        api.queue(&user, &json!({"id": id, "payload": id, "steps": 2})).await;
    }
    let mut device = Device::connect(&node, &user, "d1").await;
    let offers = device.offers_until_caught_up().await;
    api.delete(&engagement(&user, "withdrawn")).await.ok(200);
    device.expect("withdraw").await;
    device.dismiss(&offers[1]).await;
    device.ack(&offers[2], 1).await;
    let before = api.outcomes_of(&user).await;

    node.stop_and_start_again();
    let api = Api::admin(&node);
    assert_eq!(api.delivery(&user, "withdrawn").await["state"], "withdrawn");
    assert_eq!(api.delivery(&user, "dismissed").await["state"], "dismissed");
    let after = api.outcomes_of(&user).await;
    assert_eq!(after[..before.len()], before[..], "the feed goes on with the same cursors");
    let mut device = Device::connect(&node, &user, "d1").await;
    let offer = device.expect("offer").await;
    assert_eq!((&offer["id"], &offer["step"]), (&json!("open"), &json!(2)));
    device.expect("caught_up").await;
}

#[tokio::test]
async fn a_lease_that_ran_when_the_node_died_still_ends() {
    let mut node = Node::start(Settings::new().with("cluster.lease", "1s"));
    let (api, user) = (Api::publisher(&node), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut holder = Device::connect(&node, &user, "phone").await;
    holder.expect("offer").await;
    holder.expect("caught_up").await;
    node.kill();
    node.start_again();
    let mut other = Device::connect(&node, &user, "laptop").await;
    loop {
        let message = other.expect_any_of(&["offer", "caught_up"]).await;
        if message["type"] == "offer" {
            assert_eq!((&message["id"], &message["offer"]), (&json!("x"), &json!(2)));
            return;
        }
    }
}

#[tokio::test]
async fn what_is_due_while_the_node_is_down_is_done_when_it_is_back() {
    let mut node = Node::start(Settings::new());
    let (api, user) = (Api::admin(&node), fresh("user"));
    let queued = api.queue(&user, &json!({"id": "x", "payload": 1, "window": "1s"})).await;
    node.kill();
    wait::until_wall_clock(queued["closes_at"].as_u64().expect("ms")).await;
    node.start_again();
    let mut device = Device::connect_idle(&node, &user, "d1").await;
    device.assert_silent().await;
    let outcomes = Api::admin(&node).outcomes_of(&user).await;
    let told: Vec<&str> = outcomes.iter().filter_map(|line| line["outcome"].as_str()).collect();
    assert_eq!(told, ["published", "expired"]);
}

#[tokio::test]
async fn a_node_without_a_disk_starts_empty() {
    let mut node = Node::start(Settings::new().with("node.storage", "memory"));
    let (api, user) = (Api::admin(&node), fresh("user"));
    let first = api.queue_plain(&user, "x").await;
    assert_eq!(api.delivery(&user, "x").await["state"], "queued");
    node.stop_and_start_again();
    let api = Api::admin(&node);
    api.get(&format!("/v1/users/{user}")).await.problem(404, "not_found");
    Device::connect_idle(&node, &user, "d1").await;
    let again = api.queue_plain(&user, "x").await;
    assert_ne!(again["window"], first["window"], "a window's id is unique for the user for ever");
}

//! CONTRACT §6: fire and forget. Sent once, watched, and nowhere kept.

use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Api, engagement, engagements};
use crate::support::device::Device;
use crate::support::hello::Hello;
use crate::support::{fresh, keys, wait, words};

fn flash(targets: &str) -> Value {
    json!({"id": "flash", "payload": {"text": "now"}, "mode": "fire_and_forget", "targets": targets})
}

#[tokio::test]
async fn a_notice_is_sent_once_and_its_answer_counts_the_devices() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let mut device = Device::connect_idle(common(), &user, "d1").await;
    let sent = api.publish(&user, &flash("active")).await.ok(202);
    assert_eq!((&sent["status"], &sent["devices"]), (&json!("sent"), &json!(1)));
    let notice = device.expect("notice").await;
    assert_eq!(keys(&notice), words("type id payload at"));
    assert_eq!((&notice["id"], &notice["payload"]), (&json!("flash"), &json!({"text": "now"})));
    device.assert_silent().await;
    device.close().await;
    Device::connect_idle(common(), &user, "d1").await;
}

#[tokio::test]
async fn a_notice_without_a_connected_device_is_sent_to_none_and_not_kept() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    assert_eq!(api.publish(&user, &flash("all")).await.ok(202)["devices"], 0);
    Device::connect_idle(common(), &user, "d1").await;
    api.get(&engagement(&user, "flash")).await.problem(404, "not_found");
    let list = api.get(&engagements(&user)).await.ok(200);
    assert_eq!(list["deliveries"], json!([]));
}

#[tokio::test]
async fn a_notice_to_all_reaches_hidden_devices_too() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let mut seen = Device::connect_idle(common(), &user, "d1").await;
    let mut hidden = Hello::new(&user, "d2").hidden().connect(common()).await;
    hidden.expect("caught_up").await;
    assert_eq!(api.publish(&user, &flash("all")).await.ok(202)["devices"], 2);
    seen.expect("notice").await;
    hidden.expect("notice").await;
}

#[tokio::test]
async fn a_notice_to_the_active_device_reaches_that_one() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let mut older = Device::connect_idle(common(), &user, "d1").await;
    let mut newer = Device::connect_idle(common(), &user, "d2").await;
    assert_eq!(api.publish(&user, &flash("active")).await.ok(202)["devices"], 1);
    newer.expect("notice").await;
    older.assert_silent().await;
}

#[tokio::test]
async fn a_notice_reaches_a_lone_hidden_device() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let mut hidden = Hello::new(&user, "d1").hidden().connect(common()).await;
    hidden.expect("caught_up").await;
    assert_eq!(api.publish(&user, &flash("active")).await.ok(202)["devices"], 1);
    hidden.expect("notice").await;
}

#[tokio::test]
async fn what_became_of_a_notice_stands_in_the_outcomes_and_metrics() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let sent_before = api.metric("engage_notices_sent_total").await;
    let seen_before = api.metric("engage_notices_seen_total").await;
    let mut device = Device::connect_idle(common(), &user, "d1").await;
    api.publish(&user, &flash("active")).await.ok(202);
    device.expect("notice").await;
    device.send(&json!({"type": "seen", "id": "flash"})).await;
    let outcomes = wait::until("the notice was sent and seen", || async {
        let outcomes = api.outcomes_of(&user).await;
        (outcomes.len() >= 2).then_some(outcomes)
    })
    .await;
    let told: Vec<(&str, &str)> =
        outcomes.iter().map(|line| (line["outcome"].as_str().unwrap_or_default(), line["device"].as_str().unwrap_or_default())).collect();
    assert_eq!(told.iter().map(|(outcome, _)| *outcome).collect::<Vec<_>>(), ["notice_sent", "notice_seen"]);
    assert_eq!(told[1].1, "d1", "the device that saw it: {outcomes:?}");
    assert!(outcomes.iter().all(|line| line["id"] == "flash" && line["window"].is_null()), "{outcomes:?}");
    assert!(api.metric("engage_notices_sent_total").await > sent_before);
    assert!(api.metric("engage_notices_seen_total").await > seen_before);
    device.assert_silent().await;
}

#[tokio::test]
async fn the_same_notice_again_is_sent_again() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let mut device = Device::connect_idle(common(), &user, "d1").await;
    for _ in 0..2 {
        api.publish(&user, &flash("active")).await.ok(202);
        device.expect("notice").await;
    }
}

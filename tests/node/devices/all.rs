//! `targets: "all"`: offered to every connected device; the first settling ack wins, progress is shared.

use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::hello::Hello;
use crate::support::{fresh, keys, words};

async fn offered_to_two(engagement: Value) -> (String, [Device; 2], [Value; 2]) {
    let user = fresh("user");
    let mut engagement = engagement;
    engagement["targets"] = json!("all");
    let mut first = Device::connect_idle(common(), &user, "d1").await;
    let mut second = Hello::new(&user, "d2").hidden().connect(common()).await;
    second.expect("caught_up").await;
    Api::publisher(common()).queue(&user, &engagement).await;
    let offers = [first.expect("offer").await, second.expect("offer").await];
    (user, [first, second], offers)
}

#[tokio::test]
async fn the_first_settling_ack_wins_and_the_others_are_told() {
    let (user, [mut first, mut second], [offer, _]) = offered_to_two(json!({"id": "x", "payload": 1})).await;
    let confirm = second.ack(&offer, 0).await;
    assert_eq!((&confirm["state"], &confirm["yours"]), (&json!("completed"), &json!(true)));
    let withdraw = first.expect("withdraw").await;
    assert_eq!((&withdraw["id"], &withdraw["reason"]), (&json!("x"), &json!("done_elsewhere")));
    assert_eq!(first.ack(&offer, 0).await["yours"], false);
    second.assert_silent().await;
    Device::connect_idle(common(), &user, "d3").await;
}

#[tokio::test]
async fn a_dismiss_settles_it_for_all() {
    let (_, [mut first, mut second], [offer, _]) = offered_to_two(json!({"id": "x", "payload": 1, "steps": 3})).await;
    assert_eq!(first.dismiss(&offer).await["state"], "dismissed");
    assert_eq!(second.expect("withdraw").await["reason"], "done_elsewhere");
}

#[tokio::test]
async fn progress_is_shared_and_the_other_devices_are_told() {
    let (user, [mut first, mut second], [offer, _]) = offered_to_two(json!({"id": "x", "payload": 1, "steps": 5})).await;
    first.ack_with_data(&offer, 2, &json!({"q": 1})).await;
    let progress = second.expect("progress").await;
    assert_eq!(keys(&progress), words("type id window step data"));
    assert_eq!((&progress["id"], &progress["window"]), (&offer["id"], &offer["window"]));
    assert_eq!(progress["data"], json!({"q": 1}));
    assert_eq!(second.ack(&offer, 1).await["step"], 2, "the highest step counts");
    first.assert_silent().await;
    second.ack(&offer, 4).await;
    first.expect("progress").await;
    let mut third = Device::connect(common(), &user, "d3").await;
    let joined = third.expect("offer").await;
    assert_eq!((&joined["step"], &joined["data"]), (&json!(5), &json!({"q": 1})));
    third.expect("caught_up").await;
    assert_eq!(first.ack(&offer, 5).await["yours"], true);
    assert_eq!(second.expect("withdraw").await["reason"], "done_elsewhere");
    assert_eq!(third.expect("withdraw").await["reason"], "done_elsewhere");
}

#[tokio::test]
async fn two_acks_at_once_have_one_winner() {
    let (_, [mut first, mut second], [offer, _]) = offered_to_two(json!({"id": "x", "payload": 1})).await;
    let ack = json!({"type": "ack", "id": "x", "window": offer["window"], "step": 0});
    tokio::join!(first.send(&ack), second.send(&ack));
    let mut winners = 0;
    for device in [&mut first, &mut second] {
        let mut message = device.next().await;
        if let crate::support::device::Event::Message(told) = &message
            && told["type"] == "withdraw"
        {
            message = device.next().await;
        }
        let crate::support::device::Event::Message(confirm) = message else { panic!("the connection ended") };
        assert_eq!((&confirm["type"], &confirm["state"]), (&json!("confirm"), &json!("completed")), "{confirm}");
        winners += i32::from(confirm["yours"] == true);
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn a_withdraw_by_the_publisher_reaches_all() {
    let (user, [mut first, mut second], _) = offered_to_two(json!({"id": "x", "payload": 1})).await;
    let ended = Api::admin(common()).delete(&crate::support::api::engagement(&user, "x")).await.ok(200);
    assert_eq!((&ended["state"], &ended["reason"]), (&json!("withdrawn"), &json!("publisher")));
    assert_eq!(first.expect("withdraw").await["reason"], "withdrawn");
    assert_eq!(second.expect("withdraw").await["reason"], "withdrawn");
}

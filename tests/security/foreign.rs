//! Deliveries of others: whoever names one that is not theirs learns nothing of it, and changes nothing.

use serde_json::{Value, json};

use crate::answer::answered;
use crate::nodes::common;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::token::token;

/// A user who holds an offer of something with two steps, and the offer.
async fn victim() -> (String, Device, Value) {
    let user = fresh("victim");
    Api::publisher(common()).queue(&user, &json!({"id": "mine", "payload": "private", "steps": 2})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    (user, device, offer)
}

/// The victim's delivery is as it was, and the victim can go on.
async fn is_untouched(user: &str, mut device: Device, offer: &Value) {
    assert_eq!(Api::reader(common()).delivery(user, "mine").await["state"], "offered");
    device.assert_silent().await;
    assert_eq!(device.ack(offer, 2).await["yours"], true);
}

#[tokio::test]
async fn an_ack_of_another_users_delivery_is_refused() {
    let expected = answered("error unknown_delivery");
    let (user, device, offer) = victim().await;
    let mut thief = Device::connect_idle(common(), &fresh("thief"), "d1").await;
    for step in [0, 1, 2] {
        let ack = json!({"type": "ack", "id": offer["id"], "window": offer["window"], "step": step, "data": {"stolen": true}});
        let answer = thief.ask(ack, "error").await;
        expected.to_message(&answer);
        assert!(!answer.to_string().contains("private"), "{answer}");
    }
    // The user of a message is the token's: a field changes nothing.
    let ack = json!({"type": "ack", "user": user, "sub": user, "id": offer["id"], "window": offer["window"], "step": 2});
    expected.to_message(&thief.ask(ack, "error").await);
    is_untouched(&user, device, &offer).await;
}

#[tokio::test]
async fn a_dismiss_of_another_users_delivery_is_refused() {
    let expected = answered("error unknown_delivery");
    let (user, device, offer) = victim().await;
    let mut thief = Device::connect_idle(common(), &fresh("thief"), "d1").await;
    let dismiss = json!({"type": "dismiss", "id": offer["id"], "window": offer["window"]});
    expected.to_message(&thief.ask(dismiss, "error").await);
    is_untouched(&user, device, &offer).await;
}

#[tokio::test]
async fn a_posted_ack_of_another_users_delivery_is_refused() {
    let expected = answered("error unknown_delivery");
    let (user, device, offer) = victim().await;
    let ack = json!({"type": "ack", "id": offer["id"], "window": offer["window"], "step": 2, "ref": 1});
    let body = json!({"token": token(&fresh("thief")), "device": "d1", "user": user, "messages": [ack]});
    let answers = Api::with_key(common(), None).post("/v1/messages", &body).await.ok(200);
    expected.to_message(&answers[0]);
    is_untouched(&user, device, &offer).await;
}

#[tokio::test]
async fn an_ack_in_the_hello_of_another_users_delivery_is_refused() {
    let expected = answered("error unknown_delivery");
    let (user, device, offer) = victim().await;
    let ack = json!({"id": offer["id"], "window": offer["window"], "step": 2});
    let thief = crate::support::hello::Hello::new(&fresh("thief"), "d1").acks(&[ack]).open(&[&offer]).connect(common()).await;
    expected.to_message(&thief.welcome["acks"][0]);
    is_untouched(&user, device, &offer).await;
}

#[tokio::test]
async fn an_ack_of_another_devices_own_delivery_is_refused() {
    let expected = answered("error unknown_delivery");
    let user = fresh("user");
    let mut phone = Device::connect_idle(common(), &user, "phone").await;
    Api::publisher(common()).queue(&user, &json!({"id": "own", "payload": 1, "scope": "device", "window": "1m"})).await;
    let offer = phone.expect("offer").await;
    // A device that never connected has no delivery of its own: it can't ack the phone's in its place.
    let ack = json!({"type": "ack", "id": offer["id"], "window": offer["window"], "step": 0});
    let body = json!({"token": token(&user), "device": "laptop", "messages": [ack]});
    let answers = Api::with_key(common(), None).post("/v1/messages", &body).await.ok(200);
    expected.to_message(&answers[0]);
    assert_eq!(phone.ack(&offer, 0).await["yours"], true);
}

//! G1, G4: what a reconnecting device is offered, and what never again.

use serde_json::json;

use crate::nodes::common;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;

#[tokio::test]
async fn an_unsettled_delivery_is_offered_again_after_the_last_confirmed_step() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "tour", "payload": {"v": 1}, "steps": 5})).await;
    for (number, device) in ["d1", "d1", "d2"].into_iter().enumerate() {
        let mut device = Device::connect(common(), &user, device).await;
        let offer = device.expect("offer").await;
        assert_eq!((&offer["offer"], &offer["step"]), (&json!(number + 1), &json!(number + 1)));
        assert_eq!(offer["data"], if number == 0 { json!(null) } else { json!({"done": number}) });
        device.expect("caught_up").await;
        device.ack_with_data(&offer, u32::try_from(number).expect("small") + 1, &json!({"done": number + 1})).await;
        device.close().await;
    }
}

#[tokio::test]
async fn a_shown_delivery_of_many_steps_is_offered_again_from_the_first() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "tour", "payload": 1, "steps": 2})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack(&offer, 0).await;
    device.close().await;
    let offer = Device::connect(common(), &user, "d1").await.expect("offer").await;
    assert_eq!((&offer["offer"], &offer["step"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn what_was_confirmed_is_not_offered_after_a_reconnect_or_to_another_device() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack(&offer, 0).await;
    device.vanish();
    for name in ["d1", "d2", "d3"] {
        Device::connect_idle(common(), &user, name).await.assert_silent().await;
    }
}

#[tokio::test]
async fn what_was_offered_but_never_confirmed_is_offered_again() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    for number in 1..=3 {
        let mut device = Device::connect(common(), &user, "d1").await;
        assert_eq!(device.expect("offer").await["offer"], number);
        device.expect("caught_up").await;
        match number {
            2 => device.vanish(),
            _ => drop(device.close().await),
        }
    }
}

#[tokio::test]
async fn what_the_device_has_on_its_screen_is_not_offered_again() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue(&user, &json!({"id": "tour", "payload": 1, "steps": 3})).await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack(&offer, 1).await;
    device.vanish();
    let mut again = Hello::new(&user, "d1").open(&[&offer]).connect(common()).await;
    again.expect("caught_up").await;
    again.assert_silent().await;
    assert_eq!(again.ack(&offer, 3).await["state"], "completed");
}

#[tokio::test]
async fn what_stands_on_the_screen_counts_for_max_in_flight() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "a").await;
    api.queue_plain(&user, "b").await;
    let mut device = Hello::new(&user, "d1").max_in_flight(1).connect(common()).await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.vanish();
    let mut again = Hello::new(&user, "d1").max_in_flight(1).open(&[&offer]).connect(common()).await;
    again.expect("caught_up").await;
    again.assert_silent().await;
    again.ack(&offer, 0).await;
    assert_eq!(again.expect("offer").await["id"], "b");
}

#[tokio::test]
async fn acks_of_the_hello_are_taken_before_anything_is_offered() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let queued = api.queue_plain(&user, "seen").await;
    api.queue(&user, &json!({"id": "tour", "payload": 1, "steps": 5})).await;
    let window = &queued["window"];
    let acks = [
        json!({"id": "tour", "window": window, "step": 2, "data": {"q": 1}}),
        json!({"id": "never published", "window": window, "step": 0}),
        json!({"id": "seen", "window": window, "step": 0}),
        json!({"id": "tour", "window": window, "step": 9}),
        json!({"id": "seen"}),
        json!(7),
    ];
    let mut device = Hello::new(&user, "d1").acks(&acks).connect(common()).await;
    let answers = device.welcome["acks"].as_array().expect("answers").clone();
    assert_eq!(answers.len(), 6, "{answers:?}");
    assert_eq!((&answers[0]["type"], &answers[0]["id"], &answers[0]["step"]), (&json!("confirm"), &json!("tour"), &json!(2)));
    assert_eq!((&answers[1]["type"], &answers[1]["code"]), (&json!("error"), &json!("unknown_delivery")));
    assert_eq!((&answers[2]["type"], &answers[2]["state"], &answers[2]["yours"]), (&json!("confirm"), &json!("completed"), &json!(true)));
    assert_eq!((&answers[3]["type"], &answers[3]["code"]), (&json!("error"), &json!("step_out_of_range")));
    assert_eq!(
        (&answers[4]["code"], &answers[5]["code"]),
        (&json!("bad_message"), &json!("bad_message")),
        "what can't be read is answered in its place"
    );
    let offers = device.offers_until_caught_up().await;
    assert_eq!(offers.len(), 1, "what was seen is not offered: {offers:?}");
    assert_eq!((&offers[0]["id"], &offers[0]["step"], &offers[0]["data"]), (&json!("tour"), &json!(3), &json!({"q": 1})));
}

#[tokio::test]
async fn an_ack_of_the_hello_may_carry_a_ref() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let queued = api.queue_plain(&user, "seen").await;
    let acks = [json!({"id": "seen", "window": queued["window"], "step": 0, "ref": 41})];
    let mut device = Hello::new(&user, "d1").acks(&acks).connect(common()).await;
    assert_eq!(device.welcome["acks"][0]["ref"], 41);
    device.expect("caught_up").await;
}

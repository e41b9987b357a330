//! A connection lost without a Close frame, on a node whose lease is 2 s.

use engage::clock;
use serde_json::{Value, json};

use crate::nodes::strict;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;

const LEASE_MS: u64 = 2_000;

/// Two devices, of which the first holds a delivery of five steps.
async fn holder_and_other() -> (String, Device, Device, Value) {
    let user = fresh("user");
    Api::publisher(strict()).queue(&user, &json!({"id": "tour", "payload": 1, "steps": 5})).await;
    let mut holder = Device::connect(strict(), &user, "phone").await;
    let offer = holder.expect("offer").await;
    holder.expect("caught_up").await;
    let mut other = Device::connect(strict(), &user, "laptop").await;
    other.expect("caught_up").await;
    (user, holder, other, offer)
}

#[tokio::test]
async fn a_lost_holder_keeps_it_for_the_lease() {
    let (_, mut holder, mut other, offer) = holder_and_other().await;
    holder.ack(&offer, 2).await;
    let lost_at = clock::wall_ms();
    holder.vanish();
    let moved = other.expect("offer").await;
    assert_eq!((&moved["offer"], &moved["step"]), (&json!(2), &json!(3)));
    let at = moved["at"].as_u64().expect("ms");
    assert!(at >= lost_at + LEASE_MS, "the lease had {} ms to go", lost_at + LEASE_MS - at);
    assert!(at < lost_at + LEASE_MS + 3_000, "{} ms after the lease ran out", at - lost_at - LEASE_MS);
}

#[tokio::test]
async fn a_lost_holder_that_is_back_in_time_goes_on() {
    let (user, holder, mut other, offer) = holder_and_other().await;
    holder.vanish();
    let mut back = Hello::new(&user, "phone").open(&[&offer]).connect(strict()).await;
    back.expect("caught_up").await;
    let now = clock::wall_ms();
    other.wait_for_server_time(now + LEASE_MS + 300).await;
    other.assert_silent().await;
    assert_eq!(back.ack(&offer, 5).await["yours"], true);
}

#[tokio::test]
async fn a_lost_holder_that_is_back_after_the_lease_is_told_that_it_moved() {
    let (user, holder, mut other, offer) = holder_and_other().await;
    holder.vanish();
    other.expect("offer").await;
    let mut back = Hello::new(&user, "phone").open(&[&offer]).connect(strict()).await;
    assert_eq!(back.expect("withdraw").await["reason"], "moved");
    back.expect("caught_up").await;
    other.assert_silent().await;
}

#[tokio::test]
async fn a_lost_holder_without_another_device_is_offered_it_again() {
    let user = fresh("user");
    Api::publisher(strict()).queue_plain(&user, "x").await;
    let mut device = Device::connect(strict(), &user, "d1").await;
    device.expect("offer").await;
    device.expect("caught_up").await;
    device.vanish();
    let mut again = Device::connect(strict(), &user, "d1").await;
    assert_eq!(again.expect("offer").await["offer"], 2);
    again.expect("caught_up").await;
}

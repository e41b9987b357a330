//! Without a majority nothing is written and nothing is guessed; with it, everything goes on.

use std::time::Duration;

use engage::clock;
use serde_json::json;

use crate::load::{Load, Size, shows_enough};
use crate::support::cluster::{Cluster, Plan};
use crate::support::device::{Device, Event};
use crate::support::hello::Hello;
use crate::support::{fresh, wait};
use engage::history::record::Fault;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_writes_are_refused_in_time_and_nothing_is_offered() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    let (api, address, user) = (cluster.member(0).admin(), cluster.member(0).address(), fresh("user"));
    api.queue(&user, &json!({"id": "held", "payload": 1, "steps": 3})).await;
    let mut device = Hello::new(&user, "d1").say_to(&address).await;
    let offer = device.offers_until_caught_up().await.remove(0);
    for place in [1, 2] {
        cluster.member_mut(place).kill();
    }

    let start = clock::monotonic();
    let refused = api.publish(&user, &json!({"id": "later", "payload": 1})).await;
    let took = clock::monotonic() - start;
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").parse::<u64>().is_ok(), "{refused:?}");
    assert!(took <= REQUEST_TIMEOUT + SLACK, "it was refused after {took:?}");
    wait::until("the node is not ready", || async { (api.get("/readyz").await.status == 503).then_some(()) }).await;
    let told = told_without_majority(&mut device, &offer).await;
    assert!(
        told.iter().any(|message| message["type"] == "withdraw" && message["reason"] == "moved"),
        "after the lease it is withdrawn: {told:?}"
    );
    let error = told.iter().find(|message| message["type"] == "error").expect("the ack is answered");
    assert_eq!((&error["code"], &error["retry"]), (&json!("unavailable"), &json!(true)), "{error}");

    let mut stranger =
        Device::try_open(&address, &[("Sec-WebSocket-Protocol", "engage.v1.json")]).await.expect("the edge takes connections");
    stranger.send(Hello::new(&user, "d2").message()).await;
    stranger.expect_error("unavailable").await;
    assert!(matches!(stranger.next().await, Event::Closed(_)));

    cluster.restart(1).await;
    cluster.led().await;
    wait::until("the node is ready", || async { (api.get("/readyz").await.status == 200).then_some(()) }).await;
    assert!(
        matches!(api.publish(&user, &json!({"id": "later", "payload": 1})).await.status, 200 | 201),
        "the refused publish may have happened"
    );
    cluster.restart(2).await;
    cluster.whole().await;
    let acks = [json!({"id": "held", "window": offer["window"], "step": 3})];
    let mut back = Hello::new(&user, "d1").acks(&acks).say_to(&address).await;
    assert_eq!(back.welcome["acks"][0]["state"], "completed", "{}", back.welcome);
    let offers = back.offers_until_caught_up().await;
    assert_eq!(offers.iter().map(|offer| &offer["id"]).collect::<Vec<_>>(), ["later"]);
}

/// Acks what is held, and takes what comes until the ack is answered and what is held was withdrawn.
async fn told_without_majority(device: &mut Device, offer: &serde_json::Value) -> Vec<serde_json::Value> {
    device.send(&json!({"type": "ack", "id": offer["id"], "window": offer["window"], "step": 1, "ref": 1})).await;
    let mut told = Vec::new();
    while told.len() < 2 {
        told.push(device.expect_any_of(&["error", "withdraw"]).await);
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_majority_that_is_lost_under_load_and_comes_back_has_guessed_nothing() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    let load = Load::start("majority", &cluster, Size::CROWD);
    load.in_full_swing().await;
    load.fault("all", Fault::NoMajority);
    for place in [0, 2] {
        load.fault(&cluster.name(place), Fault::Kill);
        cluster.member_mut(place).kill();
    }
    wait::pass(Duration::from_secs(8)).await;
    for place in [0, 2] {
        cluster.restart_without_waiting(place);
    }
    for place in [0, 2] {
        cluster.ready(place).await;
        load.fault(&cluster.name(place), Fault::Start);
    }
    cluster.whole().await;
    load.fault("all", Fault::Majority);
    wait::pass(Duration::from_secs(3)).await;
    shows_enough(&load.finish(&cluster).await);
}

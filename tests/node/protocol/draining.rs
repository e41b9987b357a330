//! SIGTERM: every client gets `bye` and a Close frame, and the node is gone in under 5 s. `ENGAGE_TEST_CONNECTIONS=10000 cargo test --test node draining`
//! does it with as many connections as the contract speaks of (it needs as many file descriptors: `ulimit -n`).

use std::time::Duration;

use engage::clock;
use futures_util::StreamExt;
use serde_json::json;

use crate::support::api::Api;
use crate::support::device::{Device, Event};
use crate::support::hello::Hello;
use crate::support::node::{Node, Settings};
use crate::support::stream::Stream;
use crate::support::whole_number_from;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_node_says_goodbye_to_every_client_and_is_gone_in_five_seconds() {
    let count = whole_number_from("ENGAGE_TEST_CONNECTIONS", 300);
    let mut node = Node::start(Settings::new().with("node.storage", "memory"));
    let connects = futures_util::stream::iter(0..count).map(|number| {
        let node = &node;
        async move { Device::connect_idle(node, &format!("user-{number}"), "d1").await }
    });
    let devices: Vec<Device> = connects.buffer_unordered(32).collect().await;
    let mut stream = Stream::connect(&node, &Hello::new("user-0", "streaming")).await;
    stream.expect("welcome").await;
    stream.expect("caught_up").await;
    let farewells: Vec<_> = devices.into_iter().map(|device| tokio::spawn(farewell(device))).collect();

    let start = clock::monotonic();
    node.ask_to_stop();
    assert_eq!(stream.expect("bye").await["code"], "draining");
    for said in farewells {
        said.await.expect("every device is told");
    }
    let (status, _) = tokio::task::block_in_place(|| node.wait_for_exit());
    let took = clock::monotonic() - start;
    assert!(status.success(), "it exits with 0, not {status}");
    assert!(took < Duration::from_secs(5), "it took {took:?} with {count} connections");
}

async fn farewell(mut device: Device) {
    let bye = device.expect("bye").await;
    assert_eq!((&bye["code"], &bye["reconnect"]), (&json!("draining"), &json!(true)));
    assert!(bye["after_ms"].is_u64() && bye["reason"].is_string(), "{bye}");
    assert_eq!(device.next().await, Event::Closed(1012));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acked_as_the_node_stopped_is_either_confirmed_or_acked_again() {
    let mut node = Node::start(Settings::new());
    let api = Api::publisher(&node);
    api.queue_plain("u", "x").await;
    let mut device = Device::connect(&node, "u", "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    let ack = json!({"id": "x", "window": offer["window"], "step": 0});
    node.ask_to_stop();
    let mut message = ack.clone();
    message["type"] = json!("ack");
    let _ = device.try_send(&message).await;
    let mut confirmed = false;
    while let Event::Message(message) = device.next().await {
        confirmed |= message["type"] == "confirm";
    }
    let (status, _) = tokio::task::block_in_place(|| node.wait_for_exit());
    assert!(status.success(), "{status}");
    node.start_again();
    let acks = if confirmed { Vec::new() } else { vec![ack] };
    let mut again = Hello::new("u", "d1").acks(&acks).connect(&node).await;
    again.expect("caught_up").await;
    again.assert_silent().await;
}

//! What is urgent is not held up, and no lane holds more than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};

use super::super::*;
use super::support::{Forged, Node, SOON, config, pair, until};
use crate::clock;

const CHUNK_BYTES: usize = 1024 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_fills_the_link_delays_no_heartbeat() {
    let (one, two) = pair().await;
    let is_over = Arc::new(AtomicBool::new(false));
    let stream = tokio::spawn({
        let (links, is_over) = (Arc::clone(&one.links), Arc::clone(&is_over));
        async move {
            let chunk = Bytes::from(vec![7; CHUNK_BYTES]);
            let mut sent = 0_u64;
            while !is_over.load(Ordering::Relaxed) {
                match links.tell(NodeId(2), Lane::Snapshot, Service::Join, chunk.clone()) {
                    Ok(()) => sent += 1,
                    Err(_) => tokio::time::sleep(Duration::from_micros(200)).await,
                }
            }
            sent
        }
    });
    until("the snapshot to run", || two.join.told.lock().unwrap().len() > 20).await;
    let mut took = Vec::new();
    for _ in 0..500 {
        let before = clock::monotonic();
        assert_eq!(one.ask(2, b"heartbeat", SOON).await.unwrap(), "heartbeat");
        took.push(clock::monotonic() - before);
        two.join.told.lock().unwrap().truncate(30);
    }
    is_over.store(true, Ordering::Relaxed);
    let sent = stream.await.unwrap();
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    println!("p50 {:?}, p99 {p99:?}, {sent} MiB meanwhile", took[took.len() / 2]);
    assert!(p99 < Duration::from_millis(50), "p99 {p99:?}");
    assert!(sent > 50, "the snapshot stood still: {sent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lane_is_bounded_and_a_peer_that_does_not_read_is_given_up() {
    let mut config = config(1);
    config.tuning.session_lane = LaneBound { bytes: 1024 * 1024, frames: 1_000 };
    config.tuning.silent_ms = 1_000;
    let node = Node::start(config);
    node.links.know(NodeId(9), "127.0.0.1:1".to_owned());
    let (_stuck, _) = Forged::MEMBER.dial(node.address).await.unwrap();
    node.until_linked(9).await;
    let body = Bytes::from(vec![1; 16 * 1024]);
    let mut taken = 0_usize;
    until("the lane to be full", || {
        while node.links.tell(NodeId(9), Lane::Session, Service::Session, body.clone()).is_ok() {
            taken += 1;
        }
        !node.is_linked_to(9) || taken > 64
    })
    .await;
    assert!(node.is_linked_to(9), "full is not down");
    // What the lane may hold, and what one write and the kernel on both sides take, which grows to a few MiB.
    assert!(taken * body.len() < 32 * 1024 * 1024, "{taken}");
    assert_eq!(node.links.tell(NodeId(9), Lane::Raft, Service::Raft, Bytes::new()), Ok(()), "another lane has room of its own");
    until("the silence to end it", || !node.is_linked_to(9)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_without_an_answer_are_bounded() {
    let mut config = config(1);
    config.tuning.asks_max = 3;
    let node = Node::start(config);
    node.links.know(NodeId(9), "127.0.0.1:1".to_owned());
    let (_quiet, _) = Forged::MEMBER.dial(node.address).await.unwrap();
    node.until_linked(9).await;
    let ask = || node.links.ask(NodeId(9), Lane::Raft, Service::Raft, Bytes::new(), SOON);
    let mut asking: FuturesUnordered<_> = (0..3).map(|_| ask()).collect();
    assert_eq!(asking.next().now_or_never(), None, "nobody answers");
    assert_eq!(ask().await, Err(PeerError::NotSent));
    while let Some(asked) = asking.next().await {
        assert_eq!(asked, Err(PeerError::NoAnswer), "the silence ends the link and with it the question");
    }
}

//! Links that break, and come back.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::frame::{Header, Kind, Rest};
use super::super::*;
use super::support::{Forged, KEEP, Node, SOON, config, pair, until};
use crate::clock;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_comes_back_with_the_next_number_when_the_peer_restarts() {
    for restarted in [1_u64, 2] {
        let (one, two) = pair().await;
        let (stays, goes) = if restarted == 1 { (two, one) } else { (one, two) };
        let stays_id = 3 - restarted;
        goes.links.stop().await;
        let goes = Node::start_at(config(restarted), goes.address);
        goes.links.know(NodeId(stays_id), stays.address.to_string());
        until("the second link", || stays.links.up().iter().any(|up| up.link == 2)).await;
        goes.until_linked(stays_id).await;
        assert_eq!(goes.links.up()[0].link, 1, "it counts from its own start");
        let node = NodeId(restarted);
        stays.until_seen(&[(node, 1, true), (node, 1, false), (node, 2, true)]).await;
        assert_eq!(stays.ask(restarted, b"there?", SOON).await.unwrap(), "there?");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_an_answer_learns_at_once_that_the_link_broke() {
    let (one, two) = pair().await;
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let links = Arc::clone(&one.links);
            let ask =
                async move { links.ask(NodeId(2), Lane::Raft, Service::Raft, Bytes::from_static(KEEP), Duration::from_secs(60)).await };
            tokio::spawn(ask)
        })
        .collect();
    until("the questions", || two.raft.kept.lock().unwrap().len() == 50).await;
    let before = clock::monotonic();
    two.links.stop().await;
    for asked in asking {
        assert_eq!(asked.await.unwrap(), Err(PeerError::NoAnswer));
    }
    assert!(clock::monotonic() - before < SOON);
    until("the link to be down", || !one.is_linked_to(2)).await;
    assert_eq!(one.ask(2, b"x", SOON).await, Err(PeerError::NotSent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_sends_what_was_said_before() {
    let (one, two) = pair().await;
    for _ in 0..100 {
        one.links.tell(NodeId(2), Lane::Session, Service::Session, Bytes::from_static(b"the last words")).unwrap();
    }
    one.links.stop().await;
    until("the last words", || two.session.told.lock().unwrap().len() == 100).await;
    assert!(one.links.up().is_empty());
    let changes = one.links.events();
    assert_eq!(*changes.borrow(), 2, "one up, one down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_falls_silent_is_given_up() {
    let mut config = config(1);
    config.tuning.ping_ms = 50;
    config.tuning.silent_ms = 300;
    let node = Node::start(config);
    node.links.know(NodeId(9), "127.0.0.1:1".to_owned());
    let (_silent, _) = Forged::MEMBER.dial(node.address).await.unwrap();
    node.until_linked(9).await;
    until("it to be given up", || !node.is_linked_to(9)).await;
    node.until_seen(&[(NodeId(9), 1, true), (NodeId(9), 1, false)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_connection_takes_the_place_of_the_older() {
    let node = Node::start(config(1));
    node.links.know(NodeId(9), "127.0.0.1:1".to_owned());
    let (mut older, _) = Forged::MEMBER.dial(node.address).await.unwrap();
    node.until_linked(9).await;
    let (_newer, _) = Forged::MEMBER.dial(node.address).await.unwrap();
    until("the second link", || node.links.up().iter().any(|up| up.link == 2)).await;
    let mut rest = Vec::new();
    tokio::time::timeout(SOON, older.read_to_end(&mut rest)).await.unwrap().unwrap();
    let peer = NodeId(9);
    node.until_seen(&[(peer, 1, true), (peer, 1, false), (peer, 2, true)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_or_too_long_ends_the_link_and_is_counted() {
    let mut config = config(1);
    config.tuning.frame_max_bytes = 100_000;
    let node = Node::start(config);
    node.links.know(NodeId(9), "127.0.0.1:1".to_owned());
    let mut bad_sum = Vec::new();
    let header = Header { kind: Kind::Tell, lane: Lane::Session, service: Service::Session as u8, id: 0, len_bytes: 5, rest: Rest::None };
    header.write(b"hello", &mut bad_sum);
    *bad_sum.last_mut().unwrap() ^= 1;
    let mut too_long = Vec::new();
    let header = Header { len_bytes: 60_000, rest: Rest::Follows, ..header };
    for _ in 0..2 {
        header.write(&[0; 60_000], &mut too_long);
    }
    let mut claims = Vec::new();
    Header { len_bytes: 0, ..header }.write(b"", &mut claims);
    claims[..4].copy_from_slice(&(16 * 1024 * 1024_u32).to_le_bytes());
    for (wire, refusal, count) in [(bad_sum, Refusal::Broken, 1), (too_long, Refusal::TooLong, 1), (claims, Refusal::TooLong, 2)] {
        let (mut stream, _) = Forged::MEMBER.dial(node.address).await.unwrap();
        stream.write_all(&wire).await.unwrap();
        until(refusal.word(), || node.links.refused_count(refusal) == count && !node.is_linked_to(9)).await;
    }
    assert!(node.session.told.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_panics_costs_the_link_and_nothing_else() {
    struct Panics;
    impl Serve for Panics {
        fn told(&self, _: NodeId, _: Bytes) {
            panic!("as the test wants it");
        }
        fn asked(&self, _: NodeId, _: Bytes, _: crate::ports::peers::Answer) {}
    }
    let (one, two) = (Node::start(config(1)), Node::start(config(2)));
    two.links.serve(Service::Meta, Arc::new(Panics));
    one.links.know(NodeId(2), two.address.to_string());
    two.links.know(NodeId(1), one.address.to_string());
    one.until_linked(2).await;
    one.links.tell(NodeId(2), Lane::Raft, Service::Meta, Bytes::new()).unwrap();
    until("another link", || one.links.up().iter().any(|up| up.link == 2)).await;
    two.until_linked(1).await;
    assert_eq!(one.ask(2, b"still there", SOON).await.unwrap(), "still there");
}

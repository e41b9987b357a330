//! Two nodes that talk.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;

use super::super::*;
use super::support::{DROP, KEEP, SOON, config, linked, pair, until};
use crate::clock;

const COUNT: u32 = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_arrives_in_order_both_ways() {
    let (one, two) = pair().await;
    for n in 0..COUNT {
        let body = Bytes::copy_from_slice(&n.to_le_bytes());
        one.links.tell(NodeId(2), Lane::Session, Service::Session, body.clone()).unwrap();
        two.links.tell(NodeId(1), Lane::Session, Service::Session, body).unwrap();
    }
    for (node, from) in [(&one, NodeId(2)), (&two, NodeId(1))] {
        until("all of it", || node.session.told.lock().unwrap().len() == COUNT as usize).await;
        let told = node.session.told.lock().unwrap();
        assert!(told.iter().zip(0..COUNT).all(|(told, n)| *told == (from, Bytes::copy_from_slice(&n.to_le_bytes()))));
    }
    assert!(one.raft.told.lock().unwrap().is_empty(), "it is for one service only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_gets_its_own_answer() {
    let (one, two) = pair().await;
    let questions: Vec<Vec<u8>> = (0..200_u32).map(|n| vec![u8::try_from(n % 200).unwrap(); 1 + (n as usize * 997) % 200_000]).collect();
    let asked = join_all(questions.iter().enumerate().map(|(n, question)| {
        let (from, to) = if n % 2 == 0 { (&one, 2) } else { (&two, 1) };
        let lane = [Lane::Raft, Lane::Session][n / 2 % 2];
        let body = Bytes::copy_from_slice(question);
        async move { from.links.ask(NodeId(to), lane, Service::Raft, body, SOON).await }
    }));
    for (question, answer) in questions.iter().zip(asked.await) {
        assert!(answer.unwrap() == question);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_without_an_answer_times_out_and_a_dropped_one_says_so_at_once() {
    let (one, two) = pair().await;
    assert_eq!(one.ask(2, KEEP, Duration::from_millis(50)).await, Err(PeerError::NoAnswer));
    let kept = two.raft.kept.lock().unwrap().pop().unwrap();
    kept.send(Bytes::from_static(b"too late"));
    let before = clock::monotonic();
    assert_eq!(one.ask(2, DROP, Duration::from_secs(60)).await, Err(PeerError::NoAnswer));
    assert!(clock::monotonic() - before < SOON);
    assert_eq!(one.ask(2, b"and on it goes", SOON).await.unwrap(), "and on it goes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_serves_it_and_nobody_is_there_are_told_apart() {
    let (one, two) = pair().await;
    let ask = |to: u64, service: Service| one.links.ask(NodeId(to), Lane::Raft, service, Bytes::new(), SOON);
    assert_eq!(ask(2, Service::Meta).await, Err(PeerError::NoAnswer));
    assert_eq!(ask(1, Service::Raft).await, Err(PeerError::NotSent), "a node has no link to itself");
    assert_eq!(ask(7, Service::Raft).await, Err(PeerError::NotSent));
    let too_long = Bytes::from(vec![0; LinkTuning::default().frame_max_bytes + 1]);
    assert_eq!(one.links.tell(NodeId(2), Lane::Raft, Service::Raft, too_long), Err(PeerError::NotSent));
    assert!(two.is_linked_to(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_link_stays_up() {
    let mut configs = [config(1), config(2)];
    for config in &mut configs {
        config.tuning.ping_ms = 20;
        config.tuning.silent_ms = 200;
    }
    let [one, two] = configs;
    let (one, two) = linked(one, two).await;
    // Ten times the silence that would end it.
    let end = clock::monotonic() + Duration::from_millis(2_000);
    until("time to pass", || clock::monotonic() >= end).await;
    assert_eq!(one.links.up()[0].link, 1);
    assert_eq!(two.links.up()[0].link, 1);
}

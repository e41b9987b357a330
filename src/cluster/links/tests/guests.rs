//! Nodes that are no members yet.

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

use super::super::frame::Kind;
use super::super::guest_frame;
use super::super::*;
use super::support::{DROP, Forged, KEEP, Node, SECRET, SOON, config, until};

fn guest(secret: &str) -> GuestConfig {
    GuestConfig::new(LinkSecret::new(secret), "uuid-g".to_owned(), "newcomer".to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_asks_to_join_and_gets_its_answer() {
    let node = Node::start(config(1));
    let address = node.address.to_string();
    for question in [Bytes::from_static(b"may I join?"), Bytes::from(vec![3; 60_000])] {
        assert_eq!(ask_as_guest(&address, &guest(SECRET), question.clone()).await.unwrap(), question);
    }
    assert!(node.links.up().is_empty(), "a guest has no link");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_is_told_what_is_wrong() {
    let node = Node::start(config(1));
    let address = node.address.to_string();
    let ask = async |secret: &str, body: Bytes| ask_as_guest(&address, &guest(secret), body).await.unwrap_err();
    let error = ask("another secret", Bytes::new()).await;
    assert!(matches!(error, GuestError::Refused { refusal: Refusal::WrongSecret, .. }), "{error}");
    assert!(error.to_string().contains("cluster.secret") && error.to_string().contains(&address), "{error}");
    assert!(matches!(ask(SECRET, Bytes::from(vec![0; 65_537])).await, GuestError::TooLong));
    assert!(matches!(ask(SECRET, Bytes::from_static(DROP)).await, GuestError::NoAnswer { .. }));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let error = ask_as_guest(&nobody, &guest(SECRET), Bytes::new()).await.unwrap_err();
    assert!(matches!(error, GuestError::Unreachable { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_may_ask_nothing_else() {
    let node = Node::start(config(1));
    for (kind, service) in [(Kind::Ask, Service::Raft), (Kind::Tell, Service::Join), (Kind::Ask, Service::Meta)] {
        let before = node.links.refused_count(Refusal::Stranger);
        let (mut stream, _) = Forged::GUEST.dial(node.address).await.unwrap();
        guest_frame::write(&mut stream, (kind, service as u8), b"let me").await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert_eq!(answer, b"");
        until("the count", || node.links.refused_count(Refusal::Stranger) == before + 1).await;
    }
    assert!(node.raft.told.lock().unwrap().is_empty() && node.join.told.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_wait_are_bounded() {
    let mut config = config(1);
    config.tuning.guests_max = 2;
    let node = Node::start(config);
    let address = node.address.to_string();
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let address = address.clone();
            tokio::spawn(async move { ask_as_guest(&address, &guest(SECRET), Bytes::from_static(KEEP)).await })
        })
        .collect();
    until("two guests", || node.join.kept.lock().unwrap().len() == 2).await;
    let third = ask_as_guest(&address, &guest(SECRET), Bytes::new()).await.unwrap_err();
    assert!(matches!(third, GuestError::Refused { refusal: Refusal::Busy, .. }), "{third}");
    let kept = std::mem::take(&mut *node.join.kept.lock().unwrap());
    for answer in kept {
        answer.send(Bytes::from_static(b"welcome"));
    }
    for guest in waiting {
        assert_eq!(guest.await.unwrap().unwrap(), "welcome");
    }
}

//! Who is not let in: each is refused, told so where that helps, and counted.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::handshake::{HandshakeError, Proven};
use super::super::hello::{PREFIX_BYTES, Role};
use super::super::*;
use super::support::{Forged, Node, SOON, config, until};

/// Node 1, which knows 9.
fn node() -> Node {
    let node = Node::start(config(1));
    node.links.know(NodeId(9), "127.0.0.1:1".to_owned());
    node
}

async fn refused_by(forged: &Forged, address: SocketAddr) -> (Refusal, Proven) {
    match forged.dial(address).await {
        Err(HandshakeError::RefusedBy { refusal, proof }) => (refusal, proof),
        other => panic!("{forged:?}: {:?}", other.map(|(_, peer)| peer)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_belong_is_refused_and_told_why() {
    let node = node();
    node.links.forget(NodeId(8));
    let cases = [
        (Forged { node: 7, ..Forged::MEMBER }, Refusal::Stranger, Proven::Yes),
        (Forged { node: 8, ..Forged::MEMBER }, Refusal::Removed, Proven::Yes),
        (Forged { to: 2, ..Forged::MEMBER }, Refusal::WrongNode, Proven::Yes),
        (Forged { node: 1, ..Forged::MEMBER }, Refusal::WrongUuid, Proven::Yes),
        (Forged { role: Role::Knock, ..Forged::MEMBER }, Refusal::Broken, Proven::Yes),
        (Forged { secret: "another secret", ..Forged::MEMBER }, Refusal::WrongSecret, Proven::No),
        (Forged { secret: "another secret", ..Forged::GUEST }, Refusal::WrongSecret, Proven::No),
        (Forged { cluster_id: "another cluster", ..Forged::MEMBER }, Refusal::WrongCluster, Proven::No),
        (Forged { cluster_id: "", ..Forged::MEMBER }, Refusal::WrongCluster, Proven::No),
    ];
    for (forged, refusal, proof) in cases {
        let before = node.links.refused_count(refusal);
        assert_eq!(refused_by(&forged, node.address).await, (refusal, proof));
        until(refusal.word(), || node.links.refused_count(refusal) == before + 1).await;
    }
    assert!(node.links.up().is_empty());
    assert!(node.watcher.0.lock().unwrap().is_empty());
    assert!(Forged::MEMBER.dial(node.address).await.is_ok(), "the one who belongs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_data_directory_under_one_id_is_refused_both_ways() {
    let node = node();
    let (_first, _) = Forged::MEMBER.dial(node.address).await.unwrap();
    node.until_linked(9).await;
    let other = Forged { uuid: "another-uuid", ..Forged::MEMBER };
    assert_eq!(refused_by(&other, node.address).await, (Refusal::WrongUuid, Proven::Yes));
    assert_eq!(node.links.up()[0].link, 1, "the first one keeps its link");

    // The same where this node dials: 2 knows 1, and then another data directory answers as 1.
    let (one, two) = (Node::start(config(1)), Node::start(config(2)));
    one.links.know(NodeId(2), two.address.to_string());
    two.links.know(NodeId(1), one.address.to_string());
    two.until_linked(1).await;
    one.links.stop().await;
    let mut imposter = config(1);
    imposter.node_uuid = "another-uuid".to_owned();
    let imposter = Node::start_at(imposter, one.address);
    imposter.links.know(NodeId(2), two.address.to_string());
    two.until_refused(Refusal::WrongUuid).await;
    assert!(!two.is_linked_to(1) && !imposter.is_linked_to(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_answers_in_the_place_of_another_is_refused() {
    let (three, two) = (Node::start(config(3)), Node::start(config(2)));
    two.links.know(NodeId(3), three.address.to_string());
    // Node 1's address is now that of node 2.
    three.links.know(NodeId(1), two.address.to_string());
    two.until_refused(Refusal::WrongNode).await;
    assert!(three.links.up().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_handshake_is_refused_without_an_answer() {
    let node = node();
    for garbage in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0; 64], &[255; 4096]] {
        let before = node.links.refused_count(Refusal::Broken);
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        // It may be closed with a reset, since there was more to read.
        let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer, b"");
        until("the count", || node.links.refused_count(Refusal::Broken) == before + 1).await;
    }
}

fn prefix(newest: u16, oldest: u16, len: u16) -> [u8; PREFIX_BYTES] {
    let mut bytes = *b"engage\x00L\0\0\0\0\0\0\0\0";
    bytes[8..10].copy_from_slice(&newest.to_le_bytes());
    bytes[10..12].copy_from_slice(&oldest.to_le_bytes());
    bytes[12..14].copy_from_slice(&len.to_le_bytes());
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_of_another_version_or_length_is_refused() {
    let node = node();
    for (hello, refusal) in [(prefix(9, 8, 0), Refusal::Version), (prefix(1, 1, u16::MAX), Refusal::TooLong)] {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(&hello).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        assert_eq!(answer[10], refusal as u8, "{refusal}");
        node.until_refused(refusal).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_dawdles_is_cut_off_and_members_still_get_in() {
    let mut config = config(1);
    config.tuning.handshake_timeout_ms = 2_000;
    config.tuning.handshakes_max = 8;
    let node = Node::start(config);
    node.links.know(NodeId(9), "127.0.0.1:1".to_owned());
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(node.address).await.unwrap();
        stream.write_all(b"engage").await.unwrap();
        slow.push(stream);
    }
    until("the oldest to give way", || node.links.refused_count(Refusal::Busy) >= 12).await;
    let (_member, _) = Forged::MEMBER.dial(node.address).await.unwrap();
    node.until_linked(9).await;
    until("the rest to be cut off", || node.links.refused_count(Refusal::Timeout) >= 7).await;
    for mut stream in slow {
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer, b"");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_handshake_is_worth_nothing() {
    let node = node();
    // A proof holds for one challenge: the hello of a member, sent again with the proof that it gave then.
    let relay = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    relay.set_nonblocking(true).unwrap();
    let relay = tokio::net::TcpListener::from_std(relay).unwrap();
    let relay_address = relay.local_addr().unwrap();
    let member = tokio::spawn(async move { Forged::MEMBER.dial(relay_address).await.map(|(_, peer)| peer) });
    let (mut victim, _) = relay.accept().await.unwrap();
    let mut recorded = Vec::new();
    let mut challenge = [0; 48];
    {
        let mut hello = vec![0; 512];
        let len = victim.read(&mut hello).await.unwrap();
        let mut real = TcpStream::connect(node.address).await.unwrap();
        real.write_all(&hello[..len]).await.unwrap();
        real.read_exact(&mut challenge).await.unwrap();
        victim.write_all(&challenge).await.unwrap();
        let mut proof = [0; 32];
        victim.read_exact(&mut proof).await.unwrap();
        recorded.extend_from_slice(&hello[..len]);
        recorded.extend_from_slice(&proof);
    }
    drop(victim);
    assert!(member.await.unwrap().is_err());
    let mut again = TcpStream::connect(node.address).await.unwrap();
    again.write_all(&recorded).await.unwrap();
    let mut fresh = [0; 48];
    again.read_exact(&mut fresh).await.unwrap();
    assert_ne!(fresh, challenge);
    node.until_refused(Refusal::WrongSecret).await;
    assert!(node.links.up().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_prove_the_secret_is_not_talked_to() {
    // Node 2 dials what claims to be node 1 and takes every proof.
    let fake = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let two = Node::start(config(2));
    two.links.know(NodeId(1), fake.local_addr().unwrap().to_string());
    let (mut stream, _) = fake.accept().await.unwrap();
    let mut hello = vec![0; 512];
    stream.read(&mut hello).await.unwrap();
    let mut challenge = [0; 48];
    challenge[..8].copy_from_slice(b"engage\x00L");
    challenge[8] = 1;
    stream.write_all(&challenge).await.unwrap();
    let mut proof = [0; 32];
    stream.read_exact(&mut proof).await.unwrap();
    // A verdict that lets it in, with its own proof for a proof.
    let mut verdict = vec![0; 4];
    verdict.extend_from_slice(&proof);
    stream.write_all(&verdict).await.unwrap();
    two.until_refused(Refusal::WrongSecret).await;
    // One that says "removed", without a proof.
    let (mut stream, _) = fake.accept().await.unwrap();
    stream.read(&mut hello).await.unwrap();
    stream.write_all(&challenge).await.unwrap();
    stream.read_exact(&mut proof).await.unwrap();
    let mut verdict = vec![Refusal::Removed as u8, 0, 0, 0];
    verdict.extend_from_slice(&[0; 32]);
    stream.write_all(&verdict).await.unwrap();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await.unwrap();
    assert!(!*two.links.refused_as_removed().borrow(), "anybody can say so");
    assert_eq!(two.links.tell(NodeId(1), Lane::Raft, Service::Raft, Bytes::new()), Err(PeerError::NotSent));
}

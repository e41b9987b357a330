//! The cluster port, and who is not let in there. What a node says of a refusal stands in its metrics: `engage_link_refused_total` by reason.

use std::sync::OnceLock;

use reqwest::Method;
use tokio::sync::{Mutex, MutexGuard};

use crate::answer::{Expected, answered};
use crate::nodes::settings;
use crate::peer::{self, Claims, JOIN, META, RAFT, Role, prefix, question};
use crate::raw::Raw;
use crate::support::api::Api;
use crate::support::member::Member;
use crate::support::node::ADMIN_KEY;
use crate::support::seat::Seat;
use crate::support::wait;

const SECRET: &str = "the-secret-of-the-nodes-of-the-tests-0123456789";
/// Connections whose handshake may be under way at once.
const HANDSHAKES_MAX: usize = 32;

/// A node and its cluster port. One case at a time, so that each can count.
struct Port {
    member: &'static Member,
    _turn: MutexGuard<'static, ()>,
}

async fn port() -> Port {
    static MEMBER: OnceLock<Member> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let member = MEMBER.get_or_init(|| {
        let mut member = Member::new("n1", settings().with("cluster.secret", SECRET), Seat::on_loopback());
        member.start(&["serve"]);
        wait::until_blocking("the node is ready", || member.is_ready_now().then_some(()));
        member
    });
    Port { member, _turn: turn }
}

impl Port {
    fn address(&self) -> String {
        self.member.cluster_address()
    }

    async fn metrics(&self) -> String {
        let api = Api::at(&self.member.address(), Some(ADMIN_KEY));
        api.send(api.request(Method::GET, "/metrics")).await.text
    }

    async fn refused(&self, reason: &str) -> u64 {
        let metrics = self.metrics().await;
        let line = metrics.lines().find(|line| line.starts_with("engage_link_refused_total") && line.contains(&format!("\"{reason}\"")));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0, |count| count.parse().expect("a count"))
    }

    /// Waits until so many more were refused for the reason.
    async fn until_refused(&self, expected: &Expected, (before, more): (u64, u64)) {
        let reason = expected.link();
        wait::until(&format!("{more} more refused as {reason}"), || async { (self.refused(reason).await >= before + more).then_some(()) })
            .await;
    }

    async fn cluster_id(&self) -> String {
        let view = self.member.admin().get("/v1/cluster").await.ok(200);
        view["cluster_id"].as_str().expect("a cluster id").to_owned()
    }

    async fn memory(&self) -> f64 {
        self.member.admin().metric("process_resident_memory_bytes").await
    }

    /// Who knows the secret is let in as a guest, to ask whether it may join.
    async fn lets_a_guest_in(&self) {
        let verdict = peer::dial(&self.address(), &Claims::GUEST, SECRET).await.expect("a verdict");
        assert_eq!(verdict.reason, 0, "who knows the secret is let in");
    }
}

#[tokio::test]
async fn what_speaks_no_protocol_of_links_is_hung_up_on() {
    let expected = answered("link broken");
    let port = port().await;
    let before = port.refused(expected.link()).await;
    let garbage: [&[u8]; 5] = [
        b"GET /v1/cluster HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x00\x00\x00\x00\x00",
        &[0; 64],
        &[255; 100_000],
        b"engage\x00M\x01\x00\x01\x00\x00\x00\x00\x00",
    ];
    for bytes in garbage {
        let mut wire = Raw::to(&port.address()).await;
        wire.send(bytes).await;
        assert_eq!(wire.rest_bytes().await, b"", "a stranger is told nothing");
    }
    port.until_refused(&expected, (before, 5)).await;
    port.lets_a_guest_in().await;
}

#[tokio::test]
async fn a_hello_that_is_not_one_is_refused() {
    let expected = answered("link broken");
    let port = port().await;
    let before = port.refused(expected.link()).await;
    let mut bodies = vec![vec![255; 200], vec![0; 512]];
    let honest = Claims::GUEST.hello();
    bodies.push(honest[16..honest.len() - 1].to_vec());
    for body in &bodies {
        let mut wire = Raw::to(&port.address()).await;
        wire.send([prefix(u16::try_from(body.len()).expect("it is short")), body.clone()].concat()).await;
        wire.rest_bytes().await;
    }
    // A guest that claims to be a node.
    assert!(peer::dial(&port.address(), &Claims { node: 1, ..Claims::GUEST }, SECRET).await.is_none());
    port.until_refused(&expected, (before, 4)).await;
}

#[tokio::test]
async fn a_peer_that_cannot_prove_the_secret_is_refused() {
    let expected = answered("link wrong_secret");
    let port = port().await;
    let (before, cluster_id) = (port.refused(expected.link()).await, port.cluster_id().await);
    let member = Claims { role: Role::Member, node: 1, cluster_id: &cluster_id };
    for (claims, secret) in [(Claims::GUEST, "another-secret"), (Claims::GUEST, ""), (member, "another-secret"), (member, &SECRET[1..])] {
        let verdict = peer::dial(&port.address(), &claims, secret).await.expect("a verdict");
        assert_eq!(verdict.reason, 2, "it is told why");
    }
    port.until_refused(&expected, (before, 4)).await;
    port.lets_a_guest_in().await;
}

#[tokio::test]
async fn a_recorded_handshake_is_worth_nothing() {
    let expected = answered("link wrong_secret");
    let port = port().await;
    let before = port.refused(expected.link()).await;
    let recorded = peer::dial(&port.address(), &Claims::GUEST, SECRET).await.expect("a verdict");
    assert_eq!(recorded.reason, 0);
    // Byte for byte what let the other one in, with what it asked behind it.
    let mut wire = Raw::to(&port.address()).await;
    wire.send([recorded.said, question(JOIN, b"let me in", 9)].concat()).await;
    let answer = wire.rest_bytes().await;
    assert_eq!((answer.len(), answer[48]), (48 + 4 + 32, 2), "a fresh challenge, and a verdict without a proof");
    port.until_refused(&expected, (before, 1)).await;
}

#[tokio::test]
async fn a_node_of_another_cluster_is_refused() {
    let expected = answered("link wrong_cluster");
    let port = port().await;
    let before = port.refused(expected.link()).await;
    for (role, cluster_id) in [(Role::Member, "another-cluster"), (Role::Knock, "another-cluster"), (Role::Member, "")] {
        let verdict = peer::dial(&port.address(), &Claims { role, node: 2, cluster_id }, SECRET).await.expect("a verdict");
        assert_eq!(verdict.reason, 3);
    }
    port.until_refused(&expected, (before, 3)).await;
}

#[tokio::test]
async fn a_node_that_is_no_member_is_refused_though_it_knows_the_secret() {
    let expected = answered("link stranger");
    let port = port().await;
    let (before, cluster_id) = (port.refused(expected.link()).await, port.cluster_id().await);
    for node in [2, 99, u64::MAX] {
        let claims = Claims { role: Role::Member, node, cluster_id: &cluster_id };
        assert_eq!(peer::dial(&port.address(), &claims, SECRET).await.expect("a verdict").reason, 1);
    }
    port.until_refused(&expected, (before, 3)).await;
}

#[tokio::test]
async fn a_guest_that_asks_for_more_than_to_join_is_hung_up_on() {
    let expected = answered("link stranger");
    let port = port().await;
    let before = port.refused(expected.link()).await;
    for service in [RAFT, META, 0, 200] {
        let mut guest = peer::dial(&port.address(), &Claims::GUEST, SECRET).await.expect("a verdict");
        guest.wire.send(question(service, b"tell me", 7)).await;
        assert_eq!(guest.wire.rest_bytes().await, b"");
    }
    port.until_refused(&expected, (before, 4)).await;
    // The one question that it may ask has an answer, if not the one it would like.
    let mut guest = peer::dial(&port.address(), &Claims::GUEST, SECRET).await.expect("a verdict");
    guest.wire.send(question(JOIN, b"may I?", 6)).await;
    assert!(!guest.wire.rest_bytes().await.is_empty());
}

#[tokio::test]
async fn a_length_that_is_claimed_sets_no_memory_aside() {
    let expected = answered("link too_long");
    let port = port().await;
    let (before, memory_before) = (port.refused(expected.link()).await, port.memory().await);
    for _ in 0..100 {
        let mut wire = Raw::to(&port.address()).await;
        wire.send(prefix(u16::MAX)).await;
        assert_eq!(wire.rest_bytes().await.len(), 48, "it is told why, and no more");
    }
    // The same of one who is let in as a guest, and claims four gigabytes.
    for _ in 0..10 {
        let mut guest = peer::dial(&port.address(), &Claims::GUEST, SECRET).await.expect("a verdict");
        guest.wire.send(question(JOIN, b"", u32::MAX)).await;
        assert_eq!(guest.wire.rest_bytes().await, b"");
    }
    port.until_refused(&expected, (before, 110)).await;
    let grown = port.memory().await - memory_before;
    assert!(grown < 16.0 * 1024.0 * 1024.0, "{grown} bytes more for 110 claims");
}

#[tokio::test]
async fn of_too_many_strangers_the_oldest_gives_way() {
    let expected = answered("link busy");
    let port = port().await;
    let before = port.refused(expected.link()).await;
    let surplus = 40;
    let mut open = Vec::new();
    for _ in 0..HANDSHAKES_MAX + surplus {
        let mut wire = Raw::to(&port.address()).await;
        wire.send(b"engage").await;
        open.push(wire);
    }
    port.until_refused(&expected, (before, surplus as u64)).await;
    for wire in &mut open[..surplus] {
        assert_eq!(wire.rest_bytes().await, b"");
    }
    port.lets_a_guest_in().await;
}

#[tokio::test]
async fn a_stranger_that_says_nothing_is_hung_up_on() {
    let expected = answered("link timeout");
    let port = port().await;
    let before = port.refused(expected.link()).await;
    let mut silent = Raw::to(&port.address()).await;
    let mut dawdling = Raw::to(&port.address()).await;
    dawdling.send(&Claims::GUEST.hello()[..20]).await;
    let mut unproven = Raw::to(&port.address()).await;
    unproven.send(Claims::GUEST.hello()).await;
    let mut unasked = peer::dial(&port.address(), &Claims::GUEST, SECRET).await.expect("a verdict");
    assert!(!silent.is_closed().await, "it is given a moment");
    for wire in [&mut silent, &mut dawdling, &mut unasked.wire] {
        assert_eq!(wire.rest_bytes().await, b"");
    }
    assert_eq!(unproven.rest_bytes().await.len(), 48, "a challenge, and no more");
    port.until_refused(&expected, (before, 4)).await;
}

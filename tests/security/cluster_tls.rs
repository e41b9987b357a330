//! TLS between nodes: who brings no certificate of the cluster's authority is not let in, though it knows the secret.

use crate::answer::answered;
use crate::nodes::settings;
use crate::peer::{self, Claims};
use crate::raw::Raw;
use crate::secure::{Authority, Files, text};
use crate::support::api::Api;
use crate::support::member::Member;
use crate::support::node::{ADMIN_KEY, Settings};
use crate::support::seat::Seat;
use crate::support::wait;

const SECRET: &str = "the-secret-of-the-nodes-of-the-tests-0123456789";

fn with(files: Option<&Files>) -> Settings {
    let settings = settings().with("cluster.secret", SECRET);
    let Some(files) = files else { return settings };
    settings.with("cluster.tls_cert", text(&files.cert)).with("cluster.tls_key", text(&files.key)).with("cluster.tls_ca", text(&files.ca))
}

async fn serving(files: &Files) -> Member {
    let mut member = Member::new("n1", with(Some(files)), Seat::on_loopback());
    member.start(&["serve"]);
    wait::until("the node is ready", || std::future::ready(member.is_ready_now().then_some(()))).await;
    member
}

async fn refused(member: &Member) -> f64 {
    Api::at(&member.address(), Some(ADMIN_KEY)).metric("engage_link_refused_total").await
}

/// A node that tries to join, until it has said why it can't.
async fn cannot_join(member: &Member, name: &str, settings: Settings) {
    let before = refused(member).await;
    let mut other = Member::new(name, settings, Seat::on_loopback());
    other.start(&["join", &member.cluster_address()]);
    let said = |log: &str| ["no TLS with", "did not finish the handshake"].iter().any(|part| log.contains(part));
    wait::until(&format!("{name} says why"), || std::future::ready(said(&other.log()).then_some(()))).await;
    assert!(!other.is_ready_now(), "{name} is no member");
    wait::until("the refusal is counted", || async { (refused(member).await > before).then_some(()) }).await;
    let nodes = member.admin().get("/v1/cluster").await.ok(200)["nodes"].as_array().expect("nodes").len();
    assert_eq!(nodes, 1, "{name} was not let in");
}

#[tokio::test]
async fn a_node_with_a_certificate_of_another_authority_is_not_let_in() {
    let expected = answered("link tls");
    let home = tempfile::tempdir().expect("a temporary directory");
    let (ours, theirs) = (Authority::new(), Authority::new());
    let member = serving(&ours.issue(&home.path().join("n1"))).await;
    // It trusts the right authority, and has a certificate of another.
    let files = theirs.issue(&home.path().join("n2"));
    std::fs::write(&files.ca, ours.pem()).expect("a file can be written");
    cannot_join(&member, "n2", with(Some(&files))).await;
    // It trusts another authority: it does not speak to this node.
    cannot_join(&member, "n3", with(Some(&theirs.issue(&home.path().join("n3"))))).await;
    // It brings none.
    cannot_join(&member, "n4", with(None)).await;
    let before = refused(&member).await;
    assert!(peer::dial(&member.cluster_address(), &Claims::GUEST, SECRET).await.is_none(), "no challenge without TLS");
    let mut raw = Raw::to(&member.cluster_address()).await;
    raw.send(b"GET / HTTP/1.1\r\n\r\n").await;
    raw.rest().await;
    wait::until("both are counted", || async { (refused(&member).await >= before + 2.0).then_some(()) }).await;
    let metrics = member.admin().get("/metrics").await.text;
    assert!(metrics.contains(&format!("reason=\"{}\"", expected.link())), "{metrics}");
    // And one that has a certificate of the authority is a member within a moment.
    let mut friend = Member::new("n5", with(Some(&ours.issue(&home.path().join("n5")))), Seat::on_loopback());
    friend.start(&["join", &member.cluster_address()]);
    wait::until("it has joined", || std::future::ready(friend.is_ready_now().then_some(()))).await;
}

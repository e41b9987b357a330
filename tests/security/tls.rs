//! TLS on the HTTP port: `https` and `wss`, and what does not speak it.

use std::sync::OnceLock;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use crate::answer::answered;
use crate::nodes::settings;
use crate::raw::Raw;
use crate::secure::{Authority, text};
use crate::support::device::unbatch;
use crate::support::member::Member;
use crate::support::node::ADMIN_KEY;
use crate::support::seat::Seat;
use crate::support::token::token;
use crate::support::wait::{self, within};
use crate::support::{fresh, runner};

/// A node that speaks TLS.
struct Secure {
    member: Member,
    authority: Authority,
    _home: tempfile::TempDir,
}

async fn secure() -> &'static Secure {
    static SECURE: OnceLock<Secure> = OnceLock::new();
    let secure = SECURE.get_or_init(|| {
        let (home, authority) = (tempfile::tempdir().expect("a temporary directory"), Authority::new());
        let files = authority.issue(home.path());
        let settings = settings().with("http.tls_cert", text(&files.cert)).with("http.tls_key", text(&files.key));
        let mut member = Member::new("n1", settings, Seat::on_loopback());
        member.start(&["serve"]);
        Secure { member, authority, _home: home }
    });
    let client = https(&secure.authority);
    let is_ready = || async {
        let answer = client.get(format!("https://{}/readyz", secure.member.address().0)).send().await;
        answer.ok().filter(|answer| answer.status() == 200).map(drop)
    };
    wait::until("the node is ready", is_ready).await;
    secure
}

fn https(authority: &Authority) -> reqwest::Client {
    let config = authority.client();
    reqwest::Client::builder().no_proxy().tls_backend_preconfigured((*config).clone()).build().expect("a client can be built")
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn wss(secure: &Secure, authority: &Authority) -> Result<Socket, tungstenite::Error> {
    let address = secure.member.address().0;
    let stream = TcpStream::connect(&address).await.expect("the node accepts");
    let mut request = format!("wss://{address}/v1/connect").into_client_request().expect("a request");
    request.headers_mut().insert("sec-websocket-protocol", "engage.v1.json".parse().expect("a value"));
    let connector = Connector::Rustls(authority.client());
    within("the upgrade", client_async_tls_with_config(request, stream, None, Some(connector))).await.map(|(socket, _)| socket)
}

async fn next(socket: &mut Socket) -> Vec<Value> {
    loop {
        match within("a message", socket.next()).await {
            Some(Ok(Message::Text(text))) => return unbatch(text.as_str()),
            Some(Ok(Message::Ping(_))) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_speaks_https_and_wss() {
    let expected = answered("taken");
    let secure = secure().await;
    let (user, url) = (fresh("user"), format!("https://{}", secure.member.address().0));
    let publish = https(&secure.authority).post(format!("{url}/v1/users/{user}/engagements")).bearer_auth(ADMIN_KEY);
    let answer = publish.json(&json!({"id": "x", "payload": {"over": "tls"}})).send().await.expect("the node answers");
    assert_eq!(answer.status().as_u16(), 201, "{}", expected.words());
    let mut socket = wss(secure, &secure.authority).await.expect("the upgrade is accepted");
    let hello = json!({"type": "hello", "token": token(&user), "device": "d1"});
    socket.send(Message::text(hello.to_string())).await.expect("it is sent");
    let mut messages = Vec::new();
    while !messages.iter().any(|message: &Value| message["type"] == "caught_up") {
        messages.extend(next(&mut socket).await);
    }
    let offer = messages.iter().find(|message| message["type"] == "offer").expect("an offer");
    let ack = json!({"type": "ack", "id": "x", "window": offer["window"], "step": 1});
    socket.send(Message::text(ack.to_string())).await.expect("it is sent");
    assert_eq!(next(&mut socket).await[0]["state"], "completed");
    // The commands do as well, by the certificates that the system trusts.
    let home = tempfile::tempdir().expect("a temporary directory");
    let trusted = home.path().join("ca.pem");
    std::fs::write(&trusted, secure.authority.pem()).expect("a file can be written");
    runner::run(&["status", "--url", &url, "--key", ADMIN_KEY], &[("SSL_CERT_FILE", text(&trusted))]).succeeds();
}

#[tokio::test]
async fn a_node_whose_certificate_is_not_trusted_is_not_spoken_to() {
    let expected = answered("exit 1");
    let secure = secure().await;
    let stranger = Authority::new();
    let url = format!("https://{}", secure.member.address().0);
    assert!(https(&stranger).get(format!("{url}/healthz")).send().await.is_err());
    assert!(wss(secure, &stranger).await.is_err());
    let home = tempfile::tempdir().expect("a temporary directory");
    let trusted = home.path().join("ca.pem");
    std::fs::write(&trusted, stranger.pem()).expect("a file can be written");
    let ran = runner::run(&["status", "--url", &url, "--key", ADMIN_KEY], &[("SSL_CERT_FILE", text(&trusted))]);
    expected.by_command(&ran, &["certificate"]);
    assert!(!ran.stderr.contains(ADMIN_KEY), "{}", ran.stderr);
}

#[tokio::test]
async fn plain_http_on_a_port_with_tls_has_no_answer() {
    let expected = answered("closed");
    let secure = secure().await;
    for request in ["GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut raw = Raw::to(&secure.member.address().0).await;
        raw.send(request).await;
        let rest = raw.rest().await;
        assert!(!rest.contains("HTTP"), "{}: {rest:?}", expected.words());
    }
}

#[tokio::test]
async fn a_tls_handshake_that_does_not_end_is_cut() {
    let expected = answered("closed");
    let secure = secure().await;
    let mut raw = Raw::to(&secure.member.address().0).await;
    raw.send(b"\x16\x03\x01\x02\x00\x01").await;
    assert_eq!(raw.rest().await, "", "{}", expected.words());
}

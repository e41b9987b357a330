//! The client routes over real sockets, in front of a ledger that agrees to everything.

use actix_rt::Arbiter;
use actix_web::dev::ServerHandle;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::actors::connections::Connections;
use crate::actors::fakes::{FakeLedger, effect, offer, until, user, yes, yes_and};
use crate::actors::house::House;
use crate::actors::limits::Limits;
use crate::actors::registry::Registry;
use crate::http::callers_for_tests::Callers;
use crate::http::server;
use crate::http::socket::on_connect;
use crate::ledger::Command;
use crate::ledger::command::Departure;
use crate::ledger::effect::Action;
use crate::ledger::engagement::Scope;
use crate::ledger::ids::{DeviceId, EdgeId};
use crate::protocol::token::{Verifier, mint_hs256};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Node {
    address: SocketAddr,
    ledger: Arc<FakeLedger>,
    connections: Arc<Connections>,
    registry: Arc<Registry>,
    server: ServerHandle,
    /// How many answers of users get lost from now on.
    to_lose: Arc<AtomicUsize>,
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.server.stop(false));
    }
}

fn node(ledger: Arc<FakeLedger>, limits: Limits) -> Node {
    let House { registry, sessions, .. } = House::with(ledger.clone(), limits);
    let limits = registry.limits();
    let connections = Connections::new(EdgeId(1), Arc::clone(&limits));
    let verifier = Verifier::from_secret(SECRET).unwrap();
    let edge = Edge { sessions, connections: Arc::clone(&connections), verifier, limits: Arc::clone(&limits) };
    let origins = vec!["https://app.example.com".to_owned()];
    let to_lose = Arc::new(AtomicUsize::new(0));
    let callers = Callers { registry: Arc::clone(&registry), to_lose: Arc::clone(&to_lose) };
    let data = web::Data::new(ClientEdge::new(Arc::new(edge), Arc::new(callers), origins));
    let place = Arc::clone(&registry);
    let routes = move |app: &mut web::ServiceConfig| {
        place.place(Arbiter::current());
        app.app_data(data.clone()).configure(routes);
    };
    let listener = server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), 128).unwrap();
    let address = listener.local_addr().unwrap();
    let seconds = Duration::from_secs(5);
    let settings =
        server::Settings { tls: None, workers: 1, sockets_max: 1_000, header_timeout: seconds, body_timeout: seconds, keep_alive: seconds };
    let server = server::build(listener, settings, server::Site::new(routes, on_connect(&limits))).unwrap();
    let handle = server.handle();
    actix_rt::spawn(server);
    actix_rt::spawn(Connections::sweep(Arc::downgrade(&connections)));
    Node { address, ledger, connections, registry, server: handle, to_lose }
}

fn agreeable() -> Node {
    node(FakeLedger::agreeable(), Limits::default())
}

fn token(for_s: u64) -> String {
    mint_hs256(SECRET, &user("u1"), None, clock::wall_ms() / 1000 + for_s).unwrap()
}

impl Node {
    async fn open(&self) -> Socket {
        let mut request = format!("ws://{}/v1/connect", self.address).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "other, engage.v1.json".parse().unwrap());
        let (socket, answer) = connect_async(request).await.unwrap();
        assert_eq!(answer.headers()["Sec-WebSocket-Protocol"], "engage.v1.json");
        socket
    }

    async fn hello(&self, device: &str) -> Socket {
        let mut socket = self.open().await;
        say(&mut socket, &json!({"type": "hello", "token": token(60), "device": device})).await;
        assert_eq!(hear(&mut socket).await["type"], "welcome");
        socket
    }

    /// The status of an upgrade with this header.
    async fn refused(&self, name: &'static str, value: &str) -> u16 {
        let mut request = format!("ws://{}/v1/connect", self.address).into_client_request().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
        match connect_async(request).await {
            Err(WsError::Http(answer)) => {
                assert_eq!(answer.headers()["content-type"], "application/problem+json");
                answer.status().as_u16()
            }
            Ok(_) => 101,
            Err(other) => panic!("{other}"),
        }
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let url = format!("http://{}{path}", self.address);
        reqwest::Client::new().post(url).body(body.to_string()).send().await.unwrap()
    }

    fn departures(&self) -> Vec<Departure> {
        let departure = |command: &Command| if let Command::Detach { departure, .. } = command { Some(*departure) } else { None };
        self.ledger.commands().iter().filter_map(departure).collect()
    }
}

async fn say(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn next(socket: &mut Socket) -> Message {
    tokio::time::timeout(Duration::from_secs(10), socket.next())
        .await
        .expect("something comes in time")
        .expect("the connection lives")
        .unwrap()
}

/// The next frame that is not a ping.
async fn hear(socket: &mut Socket) -> Value {
    loop {
        match next(socket).await {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// The last message and the close code.
async fn end(socket: &mut Socket) -> (Value, u16) {
    let mut last = Value::Null;
    loop {
        match next(socket).await {
            Message::Text(text) => match serde_json::from_str(&text).unwrap() {
                Value::Array(mut list) => last = list.pop().unwrap(),
                one => last = one,
            },
            Message::Close(Some(close)) => return (last, close.code.into()),
            _ => {}
        }
    }
}

/// What becomes of a connection that sends this after its hello.
async fn fate(node: &Node, messages: Vec<Message>) -> (String, u16) {
    let mut socket = node.hello("d1").await;
    for message in messages {
        socket.send(message).await.unwrap();
    }
    let (last, code) = end(&mut socket).await;
    (last["code"].as_str().unwrap_or_default().to_owned(), code)
}

#[actix_web::test]
async fn a_client_says_hello_acks_pings_and_goes() {
    let node = agreeable();
    let mut socket = node.hello("d1").await;
    let messages =
        json!([{"type": "ack", "id": "a", "window": "w1", "step": 1, "ref": 7}, {"type": "dance", "ref": 8}, {"type": "ping", "ref": 9}]);
    say(&mut socket, &messages).await;
    let mut answers: Vec<Value> = Vec::new();
    while answers.len() < 3 {
        // However they are put together to frames.
        match hear(&mut socket).await {
            Value::Array(list) => answers.extend(list),
            one => answers.push(one),
        }
    }
    answers.sort_by_key(|answer| answer["ref"].as_i64());
    assert_eq!((&answers[0]["type"], &answers[0]["state"]), (&json!("confirm"), &json!("in_progress")));
    assert_eq!((&answers[1]["code"], &answers[2]["type"]), (&json!("bad_message"), &json!("pong")));
    socket.close(None).await.unwrap();
    until("the ledger knows", || node.departures() == [Departure::Closed]).await;
    until("it is gone", || node.connections.count() == 0).await;
}

#[actix_web::test]
async fn a_connection_that_breaks_is_lost_not_closed() {
    let node = agreeable();
    drop(node.hello("d1").await);
    until("the ledger knows", || node.departures() == [Departure::Lost]).await;
}

#[actix_web::test]
async fn what_a_client_must_not_send_ends_its_connection_with_the_reason() {
    let node = agreeable();
    let text = |text: &str| vec![Message::text(text)];
    assert_eq!(fate(&node, text("{")).await, ("bad_message".to_owned(), 4400));
    assert_eq!(fate(&node, vec![Message::binary(vec![1, 2])]).await, ("bad_message".to_owned(), 4400));
    assert_eq!(fate(&node, text(&format!("\"{}\"", "x".repeat(70_000)))).await, ("too_large".to_owned(), 4413));
    assert_eq!(fate(&node, text(&format!("[{}]", vec!["1"; 300].join(",")))).await, ("too_large".to_owned(), 4413));
    let invalid = Frame::message(vec![0xff], OpCode::Data(Data::Text), true);
    assert_eq!(fate(&node, vec![Message::Frame(invalid)]).await, (String::new(), 1007));
    let stray = Frame::message("x", OpCode::Data(Data::Continue), true);
    assert_eq!(fate(&node, vec![Message::Frame(stray)]).await, (String::new(), 1002));
    let flood = vec![Message::text(r#"{"type":"ping"}"#); 1_000];
    assert_eq!(fate(&node, flood).await, ("rate_limited".to_owned(), 4429));
    // The node goes on.
    node.hello("d1").await;
}

#[actix_web::test]
async fn a_message_in_fragments_is_one_message() {
    let node = agreeable();
    let mut socket = node.hello("d1").await;
    let part = |text: &str, kind, is_final| Message::Frame(Frame::message(text.to_owned(), OpCode::Data(kind), is_final));
    socket.send(part(r#"{"type":"pi"#, Data::Text, false)).await.unwrap();
    socket.send(Message::Ping("p".into())).await.unwrap();
    socket.send(part(r#"ng","ref":1}"#, Data::Continue, true)).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Pong("p".into()));
    assert_eq!(hear(&mut socket).await["type"], "pong");
}

#[actix_web::test]
async fn a_hello_must_come_first_and_be_good() {
    let node = node(FakeLedger::agreeable(), Limits { hello_timeout_ms: 300, ..Limits::default() });
    let other_device = mint_hs256(SECRET, &user("u1"), Some(&DeviceId::parse("d2").unwrap()), clock::wall_ms() / 1000 + 60).unwrap();
    let other_key = mint_hs256(b"another secret of the same length", &user("u1"), None, clock::wall_ms() / 1000 + 60).unwrap();
    let expired = mint_hs256(SECRET, &user("u1"), None, 1_000).unwrap();
    let cases = [
        (json!({"type": "ping"}), "bad_message", 4400),
        (json!({"type": "dance"}), "bad_message", 4400),
        (json!({"type": "hello", "token": token(60), "device": ""}), "bad_message", 4400),
        (json!({"type": "hello", "device": "d1"}), "unauthorized", 4401),
        (json!({"type": "hello", "token": other_key, "device": "d1"}), "unauthorized", 4401),
        (json!({"type": "hello", "token": expired, "device": "d1"}), "token_expired", 4401),
        (json!({"type": "hello", "token": other_device, "device": "d1"}), "forbidden", 4403),
    ];
    for (message, code, close) in cases {
        let mut socket = node.open().await;
        say(&mut socket, &message).await;
        let (last, closed) = end(&mut socket).await;
        assert_eq!((last["code"].as_str().unwrap(), closed), (code, close), "{message}");
    }
    let mut silent = node.open().await;
    let (last, closed) = end(&mut silent).await;
    assert_eq!((last["code"].as_str().unwrap(), closed), ("hello_timeout", 4408));
    assert!(node.ledger.commands().is_empty());
}

#[actix_web::test]
async fn a_token_is_renewed_in_time_or_ends_the_connection() {
    let node = agreeable();
    let (mut renewed, mut expiring) = (node.open().await, node.open().await);
    for (socket, device) in [(&mut renewed, "d1"), (&mut expiring, "d2")] {
        say(socket, &json!({"type": "hello", "token": token(1), "device": device})).await;
        assert_eq!(hear(socket).await["type"], "welcome");
    }
    say(&mut renewed, &json!({"type": "token", "token": token(60)})).await;
    let (last, closed) = end(&mut expiring).await;
    assert_eq!((last["code"].as_str().unwrap(), closed), ("token_expired", 4401));
    say(&mut renewed, &json!({"type": "ping"})).await;
    assert_eq!(hear(&mut renewed).await["type"], "pong");
    let foreign = mint_hs256(SECRET, &user("u2"), None, clock::wall_ms() / 1000 + 60).unwrap();
    say(&mut renewed, &json!({"type": "token", "token": foreign})).await;
    assert_eq!(end(&mut renewed).await.1, 4403);
}

#[actix_web::test]
async fn an_upgrade_is_checked_before_it_is_made() {
    let node = node(FakeLedger::agreeable(), Limits { connections_max: 3, ..Limits::default() });
    assert_eq!(node.refused("Origin", "https://evil.example.com").await, 403);
    assert_eq!(node.refused("Origin", "https://app.example.com.evil.com").await, 403);
    assert_eq!(node.refused("Origin", "null").await, 403);
    assert_eq!(node.refused("Sec-WebSocket-Protocol", "mqtt").await, 400);
    assert_eq!(node.refused("Authorization", "Bearer x.y.z").await, 401);
    assert_eq!(node.refused("Authorization", &format!("Basic {}", token(60))).await, 401);
    assert_eq!(node.refused("Origin", "https://app.example.com").await, 101);
    assert_eq!(node.refused("Origin", &format!("http://{}", node.address)).await, 101);
    let mut request = format!("ws://{}/v1/connect", node.address).into_client_request().unwrap();
    request.headers_mut().insert("Authorization", format!("Bearer {}", token(60)).parse().unwrap());
    until("there is room", || node.connections.count() == 0).await;
    let (mut socket, _) = connect_async(request).await.unwrap();
    say(&mut socket, &json!({"type": "hello", "device": "d1"})).await;
    assert_eq!(hear(&mut socket).await["user"], "u1");
    let _others = (node.open().await, node.open().await);
    assert_eq!(node.refused("X-Any", "x").await, 503);
    assert_eq!(reqwest::get(format!("http://{}/v1/connect", node.address)).await.unwrap().status(), 503);
}

#[actix_web::test]
async fn a_stream_is_a_connection_without_a_websocket() {
    let node = node(FakeLedger::agreeable(), Limits { heartbeat_ms: 100, ..Limits::default() });
    let mut answer = node.post("/v1/stream", &json!({"type": "hello", "token": token(60), "device": "d1"})).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap()), (200, "text/event-stream"));
    let first = answer.chunk().await.unwrap().unwrap();
    let welcome: Value = serde_json::from_slice(first.strip_prefix(b"data: ").unwrap()).unwrap();
    assert_eq!(welcome["type"], "welcome");
    assert_eq!(&answer.chunk().await.unwrap().unwrap()[..], b":\n\n");
    drop(answer);
    until("the ledger knows", || node.departures() == [Departure::Lost]).await;
    for (body, status) in [(json!({"type": "ping"}), 400), (json!({"type": "hello", "device": "d"}), 401), (json!("x".repeat(70_000)), 413)]
    {
        assert_eq!(node.post("/v1/stream", &body).await.status().as_u16(), status);
    }
}

#[actix_web::test]
async fn a_client_route_names_its_methods_to_whom_comes_with_another() {
    let node = agreeable();
    for (path, allow) in [("/v1/connect", "GET"), ("/v1/stream", "POST, OPTIONS"), ("/v1/messages", "POST, OPTIONS")] {
        let answer = reqwest::Client::new().put(format!("http://{}{path}", node.address)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers()["allow"].to_str().unwrap()), (405, allow));
        let problem: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(problem["code"], "method_not_allowed");
    }
}

#[actix_web::test]
async fn messages_can_be_posted_and_are_answered_in_order() {
    let node = agreeable();
    let messages = json!([
        {"type": "ack", "id": "a", "window": "w1", "step": 1, "ref": 1},
        {"type": "ack", "id": "b", "window": "?", "step": 1, "ref": 2},
        {"type": "hello", "device": "d1"},
        {"type": "seen", "id": "flash"},
        {"type": "dismiss", "id": "c", "window": "w1", "ref": 3},
    ]);
    let answer = node.post("/v1/messages", &json!({"token": token(60), "device": "d1", "messages": messages})).await;
    assert_eq!(answer.status().as_u16(), 200);
    let answers: Vec<Value> = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let told: Vec<_> =
        answers.iter().map(|answer| (answer["type"].as_str().unwrap(), answer["code"].as_str(), answer["ref"].as_i64())).collect();
    assert_eq!(
        told,
        [
            ("confirm", None, Some(1)),
            ("error", Some("unknown_delivery"), Some(2)),
            ("error", Some("bad_message"), None),
            ("confirm", None, Some(3))
        ]
    );
    for (body, status) in
        [(json!({"device": "d1", "messages": []}), 401), (json!([]), 400), (json!({"token": "x", "device": "d1", "messages": []}), 401)]
    {
        assert_eq!(node.post("/v1/messages", &body).await.status().as_u16(), status);
    }
}

/// It was told `unavailable`, though there was a majority all the time.
#[actix_web::test]
async fn a_posted_ack_whose_owner_was_lost_is_answered_by_the_next_one() {
    let node = agreeable();
    node.to_lose.store(2, Relaxed);
    let messages = json!([{"type": "ack", "id": "a", "window": "w1", "step": 1, "ref": 1}]);
    let answer = node.post("/v1/messages", &json!({"token": token(60), "device": "d1", "messages": messages})).await;
    let answers: Vec<Value> = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!((answers.len(), &answers[0]["type"], &answers[0]["ref"]), (1, &json!("confirm"), &json!(1)));
    assert_eq!(node.to_lose.load(Relaxed), 0);
}

#[actix_web::test]
async fn a_page_of_a_listed_origin_may_post_and_read_the_answer() {
    let node = agreeable();
    let ask = |origin: &'static str| {
        let request = reqwest::Client::new().request(reqwest::Method::OPTIONS, format!("http://{}/v1/messages", node.address));
        request.header("Origin", origin).send()
    };
    let allowed = ask("https://app.example.com").await.unwrap();
    assert_eq!(
        (allowed.status().as_u16(), &allowed.headers()["access-control-allow-origin"]),
        (204, &"https://app.example.com".parse().unwrap())
    );
    assert_eq!(ask("https://evil.example.com").await.unwrap().status(), 403);
    let url = format!("http://{}/v1/messages", node.address);
    let refused = reqwest::Client::new().post(url).header("Origin", "https://app.example.com").body("{}").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("access-control-allow-origin")), (400, true));
}

#[actix_web::test]
async fn a_client_that_never_reads_is_cut_and_freed() {
    let mut offers_count = 0;
    let ledger = FakeLedger::new(move |command| match command {
        // Each ack brings a big offer; a client that does not read lets them pile up.
        Command::Ack { .. } => {
            let mut action = offer("big", Scope::User, 15_000);
            offers_count += 1;
            if let Action::Offer(offer) = &mut action {
                offer.offer = offers_count;
            }
            Some(Ok(yes_and(command, vec![effect(crate::actors::fakes::connection(1), action)])))
        }
        _ => Some(Ok(yes(command))),
    });
    let limits = Limits {
        outbox_bytes_max: 200_000,
        close_timeout_ms: 300,
        write_timeout_ms: 60_000,
        messages_per_second: 100_000,
        ..Limits::default()
    };
    let node = node(ledger, limits);
    let mut stuck = TcpStream::connect(node.address).await.unwrap();
    socket2::SockRef::from(&stuck).set_recv_buffer_size(4_096).unwrap();
    let upgrade = "GET /v1/connect HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stuck.write_all(upgrade.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stuck.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    stuck.write_all(&frame(&json!({"type": "hello", "token": token(60), "device": "d1"}).to_string())).await.unwrap();
    let acks = frame(&json!({"type": "ack", "id": "a", "window": "w1", "step": 1}).to_string());
    for _ in 0..200 {
        if stuck.write_all(&acks).await.is_err() {
            break;
        }
    }
    until("it is cut", || node.departures() == [Departure::Lost]).await;
    until("its socket is freed", || node.connections.count() == 0).await;
    until("its user leaves", || node.registry.actor_count() <= 1).await;
}

/// A text frame, masked with zeros.
fn frame(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    let head: Vec<u8> = if length < 126 { vec![0x81, 0x80 | length as u8] } else { [&[0x81, 0xfe][..], &length.to_be_bytes()].concat() };
    [&head[..], &[0; 4], text.as_bytes()].concat()
}

#[actix_web::test]
async fn a_drain_says_goodbye_to_everybody() {
    let node = agreeable();
    let mut sockets = Vec::new();
    for at in 0..50 {
        sockets.push(node.hello(&format!("d{at}")).await);
    }
    let stream = node.post("/v1/stream", &json!({"type": "hello", "token": token(60), "device": "s"})).await;
    let clients: Vec<_> = sockets
        .into_iter()
        .map(|mut socket| {
            actix_rt::spawn(async move {
                let (last, code) = end(&mut socket).await;
                // The answer to the Close goes out with the next read.
                let _ = socket.next().await;
                (last, code)
            })
        })
        .collect();
    let connections = Arc::clone(&node.connections);
    let cut_count = actix_rt::spawn(async move { connections.drain(Duration::from_secs(3), Duration::from_secs(5)).await });
    for client in clients {
        let (bye, code) = client.await.unwrap();
        assert_eq!(
            (bye["type"].as_str(), bye["code"].as_str(), bye["reconnect"].as_bool(), code),
            (Some("bye"), Some("draining"), Some(true), 1012)
        );
        assert!(bye["after_ms"].as_u64().unwrap() <= 3_000);
    }
    assert!(stream.text().await.unwrap().contains("\"draining\""));
    assert_eq!(cut_count.await.unwrap(), 0);
    assert_eq!(node.refused("X-Any", "x").await, 503);
    until("the ledger knows", || node.departures().len() == 51).await;
    assert!(node.departures().iter().all(|departure| *departure == Departure::Lost));
}

#[actix_web::test]
async fn a_silent_client_is_closed_and_one_that_answers_pings_is_not() {
    let node = node(FakeLedger::agreeable(), Limits { heartbeat_ms: 300, close_timeout_ms: 200, ..Limits::default() });
    let mut answering = node.hello("d1").await;
    // This one never reads, so it never answers a ping.
    let _silent = node.hello("d2").await;
    let reading = actix_rt::spawn(async move {
        let mut pings = 0;
        while pings < 6 {
            if let Message::Ping(_) = next(&mut answering).await {
                pings += 1;
            }
        }
        answering
    });
    until("the silent one is gone", || node.departures() == [Departure::Lost]).await;
    let mut answering = reading.await.unwrap();
    say(&mut answering, &json!({"type": "ping"})).await;
    assert_eq!(hear(&mut answering).await["type"], "pong");
}

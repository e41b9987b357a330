//! A device on a real WebSocket. It takes messages one by one, also those that came as an array, and never skips one: what a test does not expect fails it.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::hello::Hello;
use super::node::{Address, Node};
use super::wait::{pass, within};

/// The subprotocol of the contract.
pub const SUBPROTOCOL: &str = "engage.v1.json";

/// Where clients connect.
const CONNECT: &str = "/v1/connect";

/// What a connection can bring.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Message(Value),
    /// A Close frame with its code.
    Closed(u16),
    /// The end without a Close frame.
    Broken,
}

/// A connected device, or one that has not said hello yet.
pub struct Device {
    socket: WebSocketStream<TcpStream>,
    inbox: VecDeque<Value>,
    next_ref: i64,
    /// What the hello was answered with; null before.
    pub welcome: Value,
    /// The subprotocol that the server chose; empty where it chose none.
    pub subprotocol: String,
}

impl Device {
    fn new(socket: WebSocketStream<TcpStream>, response: &Response) -> Device {
        let chosen = response.headers().get("sec-websocket-protocol");
        let subprotocol = chosen.map_or(String::new(), |value| value.to_str().expect("a header of text").to_owned());
        Device { socket, inbox: VecDeque::new(), next_ref: 1, welcome: Value::Null, subprotocol }
    }

    /// Connects a visible device, and takes the welcome.
    pub async fn connect(node: &Node, user: &str, device: &str) -> Device {
        Hello::new(user, device).connect(node).await
    }

    /// Connects a visible device for which nothing waits.
    pub async fn connect_idle(node: &Node, user: &str, device: &str) -> Device {
        let mut device = Device::connect(node, user, device).await;
        device.expect("caught_up").await;
        device
    }

    /// A connection without a hello.
    pub async fn open(node: &Node) -> Device {
        Device::open_with(node, &[("Sec-WebSocket-Protocol", SUBPROTOCOL)]).await.expect("the upgrade is accepted")
    }

    /// The same with other headers; the error is the HTTP status that refused it.
    pub async fn open_with(node: &Node, headers: &[(&'static str, &str)]) -> Result<Device, u16> {
        Device::open_on(TcpSocket::new_v4().expect("a socket"), node, headers).await
    }

    /// The same on a socket that the test has prepared.
    pub async fn open_on(socket: TcpSocket, node: &Node, headers: &[(&'static str, &str)]) -> Result<Device, u16> {
        let address = node.address().parse().expect("an address");
        let stream = within("a connection", socket.connect(address)).await.expect("the node accepts");
        stream.set_nodelay(true).expect("a socket option");
        let request = upgrade_request(&node.address(), CONNECT, headers);
        Device::upgrade(stream, request).await
    }

    /// The same at another path or with a query.
    pub async fn open_at(node: &Node, path: &str) -> Result<Device, u16> {
        let stream = within("a connection", TcpStream::connect(node.address())).await.expect("the node accepts");
        Device::upgrade(stream, upgrade_request(&node.address(), path, &[("Sec-WebSocket-Protocol", SUBPROTOCOL)])).await
    }

    async fn upgrade(stream: TcpStream, request: Request) -> Result<Device, u16> {
        match within("the upgrade", tokio_tungstenite::client_async_with_config(request, stream, Some(small_buffers()))).await {
            Ok((socket, response)) => Ok(Device::new(socket, &response)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("the upgrade failed: {error}"),
        }
    }

    /// A connection to a node that may be gone, without a hello.
    pub async fn try_open(address: &Address, headers: &[(&'static str, &str)]) -> Option<Device> {
        let stream = TcpStream::connect(&address.0).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let request = upgrade_request(&address.0, CONNECT, headers);
        let (socket, response) =
            within("the upgrade", tokio_tungstenite::client_async_with_config(request, stream, Some(small_buffers()))).await.ok()?;
        Some(Device::new(socket, &response))
    }

    /// Sends one message on a connection that may be gone.
    pub async fn try_send(&mut self, message: &Value) -> Result<(), Error> {
        self.try_send_raw(Message::text(message.to_string())).await
    }

    /// Sends one message.
    pub async fn send(&mut self, message: &Value) {
        self.send_raw(Message::text(message.to_string())).await;
    }

    /// Sends a message and a Close frame in one write, so that they are read together.
    pub async fn send_and_close(&mut self, message: &Value) {
        let text = message.to_string();
        let length = u16::try_from(text.len()).expect("a short message");
        // Masked with zeros, so as it stands; a hello with its token is longer than 125 bytes.
        let mut bytes = vec![0x81, 0x80 | 126];
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(&[0x88, 0x80, 0, 0, 0, 0]);
        within("room to send", self.socket.get_mut().write_all(&bytes)).await.expect("the connection takes it");
    }

    /// Sends any WebSocket message.
    pub async fn send_raw(&mut self, message: Message) {
        self.try_send_raw(message).await.expect("the connection takes it");
    }

    /// Sends any WebSocket message on a connection that may be gone.
    pub async fn try_send_raw(&mut self, message: Message) -> Result<(), Error> {
        within("room to send", self.socket.send(message)).await
    }

    /// Sends a text in fragments, as given: each a frame, and nothing checked.
    pub async fn send_fragments(&mut self, fragments: &[&[u8]]) {
        for (index, fragment) in fragments.iter().enumerate() {
            let kind = if index == 0 { Data::Text } else { Data::Continue };
            let frame = Frame::message(fragment.to_vec(), OpCode::Data(kind), index + 1 == fragments.len());
            self.send_raw(Message::Frame(frame)).await;
        }
    }

    /// What comes next, within the deadline.
    pub async fn next(&mut self) -> Event {
        within("something on the connection", self.next_without_deadline()).await
    }

    /// What comes next, however long that takes.
    pub async fn next_without_deadline(&mut self) -> Event {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                return Event::Message(message);
            }
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => self.inbox.extend(unbatch(text.as_str())),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(frame))) => {
                    let _ = self.socket.close(None).await;
                    return frame.map_or(Event::Closed(1005), |frame| Event::Closed(frame.code.into()));
                }
                Some(Ok(Message::Binary(bytes))) => panic!("a binary frame of {} bytes", bytes.len()),
                Some(Err(_)) | None => return Event::Broken,
            }
        }
    }

    /// The next message, which must be of this type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        match self.next().await {
            Event::Message(message) if message["type"] == kind => message,
            other => panic!("expected {kind}, but {other:?} came"),
        }
    }

    /// The next message, which must be of one of these types.
    pub async fn expect_any_of(&mut self, kinds: &[&str]) -> Value {
        match self.next().await {
            Event::Message(message) if kinds.iter().any(|kind| message["type"] == *kind) => message,
            other => panic!("expected one of {kinds:?}, but {other:?} came"),
        }
    }

    /// The next message, which must be an error with this code.
    pub async fn expect_error(&mut self, code: &str) -> Value {
        let error = self.expect("error").await;
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].is_string() && error["retry"].is_boolean(), "{error}");
        error
    }

    /// The connection must now be closed with this code.
    pub async fn expect_closed(&mut self, code: u16) {
        assert_eq!(self.next().await, Event::Closed(code));
    }

    /// The offers up to `caught_up`, after a welcome.
    pub async fn offers_until_caught_up(&mut self) -> Vec<Value> {
        let mut offers = Vec::new();
        loop {
            match self.next().await {
                Event::Message(message) if message["type"] == "offer" => offers.push(message),
                Event::Message(message) if message["type"] == "caught_up" => return offers,
                other => panic!("expected offers and caught_up, but {other:?} came"),
            }
        }
    }

    /// Sends an ack of what was offered; the next message must be its confirm.
    pub async fn ack(&mut self, offer: &Value, step: u32) -> Value {
        self.ask(json!({"type": "ack", "id": offer["id"], "window": offer["window"], "step": step}), "confirm").await
    }

    /// The same with data.
    pub async fn ack_with_data(&mut self, offer: &Value, step: u32, data: &Value) -> Value {
        self.ask(json!({"type": "ack", "id": offer["id"], "window": offer["window"], "step": step, "data": data}), "confirm").await
    }

    /// Dismisses what was offered; the next message must be its confirm.
    pub async fn dismiss(&mut self, offer: &Value) -> Value {
        self.ask(json!({"type": "dismiss", "id": offer["id"], "window": offer["window"]}), "confirm").await
    }

    /// Sends a message with a ref of its own; the next message must be of `kind` and echo the ref.
    pub async fn ask(&mut self, mut message: Value, kind: &str) -> Value {
        let reference = self.next_ref;
        self.next_ref += 1;
        message["ref"] = json!(reference);
        self.send(&message).await;
        let answer = self.expect(kind).await;
        assert_eq!(answer["ref"], reference, "the ref is echoed: {answer}");
        answer
    }

    /// Says that a person looks at it now.
    pub async fn show(&mut self) {
        self.send(&json!({"type": "visible", "visible": true})).await;
    }

    /// Says that nobody looks at it now.
    pub async fn hide(&mut self) {
        self.send(&json!({"type": "visible", "visible": false})).await;
    }

    /// Nothing was on its way to this device: an ack of a key that nobody published goes through the ledger and back, behind all that the ledger did
    /// before, and no other message comes ahead of its error.
    pub async fn assert_silent(&mut self) {
        let window = self.welcome["window"]["id"].clone();
        let error = self.ask(json!({"type": "ack", "id": "never published", "window": window, "step": 0}), "error").await;
        assert_eq!(error["code"], "unknown_delivery", "{error}");
        self.ask(json!({"type": "ping"}), "pong").await;
    }

    /// The server's time, asked for by a ping; nothing else may be waiting.
    pub async fn server_time(&mut self) -> u64 {
        let pong = self.ask(json!({"type": "ping"}), "pong").await;
        pong["server_time"].as_u64().expect("server_time in ms")
    }

    /// Waits until the server's time has come to `at`, while nothing else comes.
    pub async fn wait_for_server_time(&mut self, at: u64) {
        loop {
            let now = self.server_time().await;
            if now >= at {
                return;
            }
            pass(std::time::Duration::from_millis((at - now).clamp(20, 500))).await;
        }
    }

    /// Closes the connection with a Close frame, and waits until the server has closed it too. What was under way until then.
    pub async fn close(mut self) -> Vec<Value> {
        let mut under_way: Vec<Value> = self.inbox.drain(..).collect();
        let _ = self.socket.close(None).await;
        while let Event::Message(message) = self.next().await {
            under_way.push(message);
        }
        under_way
    }

    /// Sends a Close frame, on a connection that may be gone, and does not wait for the answer.
    pub async fn start_close(&mut self) {
        let _ = self.socket.send(Message::Close(None)).await;
    }

    /// Loses the connection: no Close frame.
    pub fn vanish(self) {
        drop(self);
    }
}

/// Buffers that ten thousand devices of one test can afford.
fn small_buffers() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4 * 1024).write_buffer_size(0)
}

fn upgrade_request(address: &str, path: &str, headers: &[(&'static str, &str)]) -> Request {
    let mut request = format!("ws://{address}{path}").into_client_request().expect("a request");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header value"));
    }
    request
}

/// The messages of one text frame: one, or an array of them.
pub fn unbatch(text: &str) -> Vec<Value> {
    match serde_json::from_str(text) {
        Ok(Value::Array(messages)) => messages,
        Ok(message) => vec![message],
        Err(error) => panic!("the server sent what is not JSON ({error}): {text}"),
    }
}

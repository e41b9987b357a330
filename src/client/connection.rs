//! One device's WebSocket (CONTRACT §8). Opens, says hello, sends and reads; it neither reconnects nor acks by itself: see [`super::Outbox`] and
//! [`super::Backoff`] for the parts that a device puts together.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::hello::{Ack, ClientMessage, Hello};
use super::message::{Received, ServerMessage, parse_frame};
use super::{ConnectError, Credential, address};

/// The subprotocol of the contract.
pub const SUBPROTOCOL: &str = "engage.v1.json";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the other side has to answer a Close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Until a welcome says otherwise.
const HEARTBEAT_MS: u64 = 25_000;
/// Small, so that a test or a bench can hold tens of thousands of connections.
const BUFFER_BYTES: usize = 4 * 1024;
const FRAME_MAX_BYTES: usize = 4 * 1024 * 1024;
/// What a Close frame without a code counts as (RFC 6455, 7.1.5).
const NO_CODE: u16 = 1005;

/// How to open a WebSocket.
#[derive(Clone, PartialEq, Eq)]
pub struct Dial {
    /// The node's HTTP address, like `http://127.0.0.1:7400`.
    pub url: String,
    /// The subprotocols offered to the server.
    pub subprotocol: Option<String>,
    /// More headers: `Authorization`, `Origin`.
    pub headers: Vec<(String, String)>,
}

/// Shows the names of the headers alone: a token may stand in one.
impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Dial").field("url", &self.url).field("subprotocol", &self.subprotocol).field("headers", &names).finish()
    }
}

impl Dial {
    /// As every client should do it.
    #[must_use]
    pub fn to(url: impl Into<String>) -> Self {
        Dial { url: url.into(), subprotocol: Some(SUBPROTOCOL.to_owned()), headers: Vec::new() }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn request(&self) -> Result<tungstenite::handshake::client::Request, ConnectError> {
        let url = address::websocket(&self.url)?;
        let failed = |cause: String| ConnectError::Failed { url: url.clone(), cause };
        let mut request = url.as_str().into_client_request().map_err(|error| failed(error.to_string()))?;
        let subprotocol = self.subprotocol.iter().map(|value| ("sec-websocket-protocol".to_owned(), value.clone()));
        for (name, value) in subprotocol.chain(self.headers.iter().cloned()) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| failed(error.to_string()))?;
            let value = HeaderValue::from_str(&value).map_err(|error| failed(error.to_string()))?;
            request.headers_mut().append(name, value);
        }
        Ok(request)
    }
}

/// Why a connection is no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Left {
    /// The server closed it.
    #[error("closed by the server with {code} {reason}")]
    Closed { code: u16, reason: String },
    /// It broke, or the server went silent.
    #[error("connection lost: {cause}")]
    Lost { cause: String },
    /// The server sent what the contract doesn't know.
    #[error("the server sent what can't be read: {cause}")]
    Unreadable { cause: String },
}

impl Left {
    /// The close code, if there was one.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Left::Closed { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether to connect again as before: not when the client itself is at fault, its token is no good, or another connection took its place.
    #[must_use]
    pub fn may_reconnect(&self) -> bool {
        !matches!(self.code(), Some(4400 | 4401 | 4403 | 4409))
    }

    fn lost(cause: impl std::fmt::Display) -> Left {
        Left::Lost { cause: cause.to_string() }
    }
}

/// An open WebSocket. Dropping it ends it without a Close frame, as flaky Wi-Fi would.
pub struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Messages of an array that were not asked for yet.
    ready: VecDeque<Received>,
    /// Set by the welcome.
    heartbeat_ms: u64,
}

impl Connection {
    /// Opens a WebSocket and says hello. The welcome is the first message then.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(url: &str, hello: Hello) -> Result<Connection, ConnectError> {
        let mut connection = Connection::dial(&Dial::to(url)).await?;
        let sent = connection.send(&ClientMessage::Hello(hello)).await;
        sent.map_err(|left| ConnectError::Failed { url: url.to_owned(), cause: left.to_string() })?;
        Ok(connection)
    }

    /// Opens a WebSocket and says nothing.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn dial(dial: &Dial) -> Result<Connection, ConnectError> {
        let request = dial.request()?;
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(BUFFER_BYTES)
            .max_message_size(Some(FRAME_MAX_BYTES))
            .max_frame_size(Some(FRAME_MAX_BYTES));
        let failed = |cause: String| ConnectError::Failed { url: dial.url.clone(), cause };
        match timeout(CONNECT_TIMEOUT, connect_async_with_config(request, Some(config), true)).await {
            Ok(Ok((socket, _))) => Ok(Connection { socket, ready: VecDeque::new(), heartbeat_ms: HEARTBEAT_MS }),
            Ok(Err(tungstenite::Error::Http(answer))) => {
                let problem = answer.body().as_deref().and_then(|body| serde_json::from_slice(body).ok());
                Err(ConnectError::Refused { status: answer.status().as_u16(), problem })
            }
            Ok(Err(tungstenite::Error::Io(error))) => Err(failed(error.to_string())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("no answer in {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    /// The next message. Answers the server's pings on the way, so a device must keep asking. Cancelling it loses nothing.
    ///
    /// # Errors
    /// [`Left`]: there is no next message.
    pub async fn next(&mut self) -> Result<Received, Left> {
        loop {
            if let Some(received) = self.ready.pop_front() {
                if let ServerMessage::Welcome(welcome) = &received.message {
                    self.heartbeat_ms = welcome.heartbeat_ms;
                }
                return Ok(received);
            }
            let silence = Duration::from_millis(self.heartbeat_ms.saturating_mul(2));
            match timeout(silence, self.socket.next()).await {
                Err(_) => return Err(Left::lost("silent for two heartbeats")),
                Ok(None) => return Err(Left::lost("end of stream")),
                Ok(Some(Err(error))) => return Err(Left::lost(error)),
                Ok(Some(Ok(Message::Text(text)))) => {
                    self.ready.extend(parse_frame(&text).map_err(|error| Left::Unreadable { cause: error.to_string() })?);
                }
                Ok(Some(Ok(Message::Close(frame)))) => return Err(self.closed(frame).await),
                Ok(Some(Ok(_))) => {}
            }
        }
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`Left::Lost`]; [`Connection::next`] may still say with which code the server closed.
    pub async fn send(&mut self, message: &ClientMessage) -> Result<(), Left> {
        self.send_json(message).await
    }

    /// Sends several messages in one frame.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn send_all(&mut self, messages: &[ClientMessage]) -> Result<(), Left> {
        self.send_json(messages).await
    }

    /// Sends an ack.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn ack(&mut self, ack: &Ack) -> Result<(), Left> {
        self.send(&ClientMessage::Ack(ack.clone())).await
    }

    /// Dismisses an engagement.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn dismiss(&mut self, id: &str, window: &str) -> Result<(), Left> {
        self.send(&ClientMessage::Dismiss { id: id.to_owned(), window: window.to_owned(), reference: None }).await
    }

    /// The device came into view.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn show(&mut self) -> Result<(), Left> {
        self.send(&ClientMessage::Visible { visible: true }).await
    }

    /// The device went out of view.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn hide(&mut self) -> Result<(), Left> {
        self.send(&ClientMessage::Visible { visible: false }).await
    }

    /// Asks for a pong with the same number.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn ping(&mut self, reference: u64) -> Result<(), Left> {
        self.send(&ClientMessage::Ping { reference: Some(reference) }).await
    }

    /// Renews the token.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn token(&mut self, token: &str) -> Result<(), Left> {
        self.send(&ClientMessage::Token { token: Credential::new(token) }).await
    }

    /// Sends a frame as it is: for tests of what must be refused.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub async fn send_frame(&mut self, frame: Message) -> Result<(), Left> {
        self.socket.send(frame).await.map_err(Left::lost)
    }

    /// Closes with a Close frame and waits for the server's: what this device holds is free at once.
    pub async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        if self.socket.close(Some(frame)).await.is_ok() {
            let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
            // A server that doesn't answer has the Close frame all the same.
            let _ = timeout(CLOSE_TIMEOUT, rest).await;
        }
    }

    /// Ends it at once, without a Close frame and with a reset: the server learns of it by an error, or not at all.
    pub fn cut(self) {
        if let MaybeTlsStream::Plain(socket) = self.socket.get_ref() {
            // Where the system refuses it, the connection ends by its drop.
            let _ = socket.set_zero_linger();
        }
    }

    async fn send_json<T: serde::Serialize + ?Sized>(&mut self, message: &T) -> Result<(), Left> {
        let text = serde_json::to_string(message).expect("client messages are JSON by construction");
        self.send_frame(Message::text(text)).await
    }

    /// The server's Close was read: sends ours back before the socket goes.
    async fn closed(&mut self, frame: Option<CloseFrame>) -> Left {
        let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
        let _ = timeout(CLOSE_TIMEOUT, rest).await;
        match frame {
            Some(frame) => Left::Closed { code: frame.code.into(), reason: frame.reason.as_str().to_owned() },
            None => Left::Closed { code: NO_CODE, reason: String::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_at_fault_does_not_connect_again_and_any_other_does() {
        let closed = |code| Left::Closed { code, reason: String::new() };
        for code in [4400, 4401, 4403, 4409] {
            assert!(!closed(code).may_reconnect(), "{code}");
        }
        for code in [1000, 1011, 1012, 4408, 4413, 4429, 4440] {
            assert!(closed(code).may_reconnect(), "{code}");
        }
        assert!(Left::lost("reset").may_reconnect());
    }
}

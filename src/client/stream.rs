//! The fallback for clients that cannot hold a WebSocket: `POST /v1/stream`, a hello up and an event stream down. What the device says goes by
//! [`super::Api::messages`].

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::header::ACCEPT;

use super::hello::{ClientMessage, Hello};
use super::message::{Received, parse_frame};
use super::{ApiError, Left, Problem, address};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Two heartbeats of the server.
const SILENCE: Duration = Duration::from_secs(50);
/// The longest line that is taken.
const LINE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// An open event stream. Dropping it ends the connection.
pub struct EventStream {
    body: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    /// Bytes of a line that has not ended yet.
    line: Vec<u8>,
    /// The data lines of an event that has not ended yet.
    data: String,
    ready: VecDeque<Received>,
}

impl EventStream {
    /// Says hello; the welcome is the first message then.
    ///
    /// # Errors
    /// [`ApiError`], as of any call.
    pub async fn open(url: &str, hello: Hello) -> Result<EventStream, ApiError> {
        let base = address::base(url)?;
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).no_proxy();
        if base.starts_with("http:") {
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| ApiError::Client(error.to_string()))?;
        let request = http.post(format!("{base}/v1/stream")).header(ACCEPT, "text/event-stream").json(&ClientMessage::Hello(hello));
        let no_answer = |error: reqwest::Error| ApiError::NoAnswer { url: base.clone(), cause: error.to_string() };
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status();
        if !status.is_success() {
            let problem: Result<Problem, _> = response.json().await;
            return Err(
                problem.map_or_else(|error| ApiError::Unreadable { status: status.as_u16(), cause: error.to_string() }, ApiError::Problem)
            );
        }
        Ok(EventStream { body: Box::pin(response.bytes_stream()), line: Vec::new(), data: String::new(), ready: VecDeque::new() })
    }

    /// The next message. Cancelling it loses nothing.
    ///
    /// # Errors
    /// [`Left`]: there is no next message. A stream has no close codes; its last messages (`error`, `bye`) say why.
    pub async fn next(&mut self) -> Result<Received, Left> {
        loop {
            if let Some(received) = self.ready.pop_front() {
                return Ok(received);
            }
            match tokio::time::timeout(SILENCE, self.body.next()).await {
                Err(_) => return Err(Left::Lost { cause: "silent for two heartbeats".to_owned() }),
                Ok(None) => return Err(Left::Lost { cause: "end of stream".to_owned() }),
                Ok(Some(Err(error))) => return Err(Left::Lost { cause: error.to_string() }),
                Ok(Some(Ok(bytes))) => self.take(&bytes)?,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Left> {
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.take_line(&String::from_utf8_lossy(&line))?;
            } else if self.line.len() == LINE_MAX_BYTES {
                return Err(Left::Unreadable { cause: "a line without an end".to_owned() });
            } else {
                self.line.push(byte);
            }
        }
        Ok(())
    }

    /// An empty line ends an event; a comment (the heartbeat) and fields but `data` mean nothing here.
    fn take_line(&mut self, line: &str) -> Result<(), Left> {
        let line = line.trim_end_matches('\r');
        if let Some(data) = line.strip_prefix("data:") {
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        } else if line.is_empty() && !self.data.is_empty() {
            let data = std::mem::take(&mut self.data);
            self.ready.extend(parse_frame(&data).map_err(|error| Left::Unreadable { cause: error.to_string() })?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ServerMessage;

    fn empty() -> EventStream {
        EventStream { body: Box::pin(futures_util::stream::empty()), line: Vec::new(), data: String::new(), ready: VecDeque::new() }
    }

    #[tokio::test]
    async fn events_are_read_however_they_are_cut_into_pieces() {
        let text = ": beat\n\ndata: {\"type\":\"caught_up\"}\n\nid: 1\r\ndata:[{\"type\":\"caught_up\"},{\"type\":\"pong\",\"server_time\":1}]\r\n\r\n";
        for size in 1..text.len() {
            let mut stream = empty();
            for piece in text.as_bytes().chunks(size) {
                stream.take(piece).expect("it is an event stream");
            }
            assert_eq!(stream.ready.len(), 3, "in pieces of {size} bytes");
            assert_eq!(stream.next().await.expect("there is one").message, ServerMessage::CaughtUp);
        }
    }
}

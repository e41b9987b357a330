//! A WebSocket client that costs little: frames put together by hand, answers counted rather than parsed.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::now;

/// One connection that said hello.
pub struct Socket {
    stream: TcpStream,
    /// What was read and not yet taken apart.
    read: Vec<u8>,
    out: Vec<u8>,
    /// All that it waited through the last time, for who wants to look.
    pub said: String,
    /// The code of the node's Close frame, once there was one.
    pub closed: Option<u16>,
}

const TEXT: u8 = 1;
const CLOSE: u8 = 8;

impl Socket {
    pub async fn connect(address: SocketAddr, user: &str, token: &str) -> Socket {
        Socket::try_connect(address, token).await.unwrap_or_else(|error| panic!("{user} can't connect: {error}"))
    }

    /// The same, to a node that may be gone.
    pub async fn try_connect(address: SocketAddr, token: &str) -> io::Result<Socket> {
        let mut socket = Socket::open(TcpStream::connect(address).await?).await?;
        let hello = format!(r#"{{"type":"hello","token":"{token}","device":"phone","max_in_flight":16}}"#);
        socket.send(&hello).await?;
        Ok(socket)
    }

    /// Makes a WebSocket of a stream, and says nothing yet.
    pub async fn open(stream: TcpStream) -> io::Result<Socket> {
        stream.set_nodelay(true)?;
        let address = stream.peer_addr()?;
        let mut socket = Socket { stream, read: Vec::new(), out: Vec::new(), said: String::new(), closed: None };
        let upgrade = format!(
            "GET /v1/connect HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: engage.v1.json\r\n\r\n"
        );
        socket.stream.write_all(upgrade.as_bytes()).await?;
        let end = loop {
            if let Some(at) = socket.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            socket.try_fill().await?;
        };
        if !socket.read.starts_with(b"HTTP/1.1 101") {
            return Err(io::Error::other(String::from_utf8_lossy(&socket.read).into_owned()));
        }
        socket.read.drain(..end);
        Ok(socket)
    }

    /// Sends one message to a node that may be gone.
    pub async fn send(&mut self, text: &str) -> io::Result<()> {
        self.push(text);
        let sent = self.stream.write_all(&self.out).await;
        self.out.clear();
        sent
    }

    /// The text of the next frame, of a node that may be gone. May be let go of at any time: nothing is lost by it.
    pub async fn next_text(&mut self) -> io::Result<String> {
        loop {
            if let Some(text) = self.take_frame() {
                return Ok(text);
            }
            self.try_fill().await?;
        }
    }

    /// Acks the steps of one engagement, `depth` of them in flight, and notes how long each waited for its confirm.
    pub async fn ack_all(&mut self, id: &str, window: &str, steps: u32, depth: usize, waits: &mut Vec<Duration>) {
        let mut sent = std::collections::VecDeque::with_capacity(depth);
        let mut step = 0;
        while step < steps || !sent.is_empty() {
            while step < steps && sent.len() < depth {
                step += 1;
                self.push(&format!(r#"{{"type":"ack","id":"{id}","window":"{window}","step":{step},"ref":{step}}}"#));
                sent.push_back(now());
            }
            self.flush().await;
            let confirmed = self.wait_for(r#""type":"confirm""#, 1).await;
            for _ in 0..confirmed {
                waits.push(sent.pop_front().expect("a confirm answers an ack").elapsed());
            }
        }
    }

    /// Reads frames until `pattern` was in them at least `count` times; how often it was.
    pub async fn wait_for(&mut self, pattern: &str, count: usize) -> usize {
        let mut found = 0;
        self.said.clear();
        loop {
            while let Some(text) = self.take_frame() {
                assert!(!text.contains(r#""type":"error""#) && !text.contains(r#""type":"bye""#), "{text}");
                found += text.matches(pattern).count();
                self.said.push_str(&text);
            }
            if found >= count {
                return found;
            }
            tokio::time::timeout(Duration::from_secs(30), self.fill()).await.expect("the node answers within 30 s");
        }
    }

    /// A masked text frame. The mask is 0, which leaves the text as it is.
    fn push(&mut self, text: &str) {
        self.out.push(0x81);
        match text.len() {
            short @ 0..=125 => self.out.push(0x80 | short as u8),
            long => {
                self.out.push(0x80 | 126);
                self.out.extend_from_slice(&u16::try_from(long).expect("a frame of the bench is short").to_be_bytes());
            }
        }
        self.out.extend_from_slice(&[0; 4]);
        self.out.extend_from_slice(text.as_bytes());
    }

    async fn flush(&mut self) {
        if !self.out.is_empty() {
            self.stream.write_all(&self.out).await.expect("the node reads");
            self.out.clear();
        }
    }

    async fn fill(&mut self) {
        self.try_fill().await.unwrap_or_else(|error| panic!("the node closed the connection: {error}"));
    }

    async fn try_fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next whole frame's text; other frames are passed over.
    fn take_frame(&mut self) -> Option<String> {
        loop {
            let (head, length) = match *self.read.get(1)? {
                126 => (4, usize::from(u16::from_be_bytes(self.read.get(2..4)?.try_into().expect("two bytes")))),
                127 => (10, u64::from_be_bytes(self.read.get(2..10)?.try_into().expect("eight bytes")) as usize),
                short => (2, usize::from(short)),
            };
            let payload = self.read.get(head..head + length)?.to_vec();
            let kind = self.read[0] & 0x0f;
            self.read.drain(..head + length);
            match kind {
                TEXT => return Some(String::from_utf8(payload).expect("the node writes UTF-8")),
                CLOSE => self.closed = payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]])),
                _ => {}
            }
        }
    }
}

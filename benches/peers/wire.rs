//! A connection that costs little, over TCP or a WebSocket. Knows nothing of what is said.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;

use engage::bench::frames::{self, Frame};
use tokio::net::TcpStream;

use crate::speech::{Framing, bad};

/// What one read takes at most.
const READ_BYTES: usize = 64 * 1024;
/// What the answer to the upgrade may be long.
const HEAD_MAX_BYTES: usize = 8 * 1024;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// One connection. Its reader and its writer may be two tasks.
pub struct Wire {
    stream: TcpStream,
    framing: Framing,
}

/// What was read and not yet understood.
#[derive(Default)]
pub struct Inbox {
    /// The beginning of a frame whose end hasn't come.
    raw: Vec<u8>,
    /// The beginning of a message whose end hasn't come.
    pub plain: Vec<u8>,
}

impl Inbox {
    /// Lets go of messages that were understood. An idle connection holds no memory.
    pub fn consume(&mut self, count: usize) {
        self.plain.drain(..count);
        if self.plain.is_empty() {
            self.plain = Vec::new();
        }
    }
}

impl Wire {
    pub async fn open(address: SocketAddr, framing: Framing) -> io::Result<(Wire, Inbox)> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let wire = Wire { stream, framing };
        let mut inbox = Inbox::default();
        match framing {
            Framing::Stream => {}
            Framing::Bytes { path, protocol } => wire.upgrade(&mut inbox, address, (path, protocol)).await?,
            Framing::Lines { path } => wire.upgrade(&mut inbox, address, (path, None)).await?,
        }
        Ok((wire, inbox))
    }

    async fn upgrade(&self, inbox: &mut Inbox, address: SocketAddr, (path, protocol): (&str, Option<&str>)) -> io::Result<()> {
        let protocol = protocol.map_or_else(String::new, |protocol| format!("Sec-WebSocket-Protocol: {protocol}\r\n"));
        let upgrade = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{protocol}\r\n"
        );
        self.write_all(upgrade.as_bytes()).await?;
        let end = loop {
            if let Some(at) = inbox.raw.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if inbox.raw.len() > HEAD_MAX_BYTES {
                return Err(bad("the answer to the upgrade has no end"));
            }
            self.fill(&mut inbox.raw).await?;
        };
        if !inbox.raw.starts_with(b"HTTP/1.1 101") {
            return Err(bad(&inbox.raw));
        }
        inbox.raw.drain(..end);
        // The server may have spoken in the same breath.
        self.unframe(inbox).await?;
        Ok(())
    }

    /// Sends what was said.
    pub async fn write(&self, said: &[u8]) -> io::Result<()> {
        if said.is_empty() {
            return Ok(());
        }
        match self.framing {
            Framing::Stream => self.write_all(said).await,
            Framing::Bytes { .. } => {
                let mut frame = Vec::with_capacity(said.len() + frames::HEAD_BYTES);
                frames::write_bytes(&mut frame, said);
                self.write_all(&frame).await
            }
            Framing::Lines { .. } => {
                let mut all = Vec::with_capacity(said.len() + frames::HEAD_BYTES);
                for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                    frames::write_text(&mut all, std::str::from_utf8(line).map_err(io::Error::other)?);
                }
                self.write_all(&all).await
            }
        }
    }

    /// Waits until the server said something more. May be let go of while it waits.
    pub async fn read(&self, inbox: &mut Inbox) -> io::Result<()> {
        if self.framing == Framing::Stream {
            return self.fill(&mut inbox.plain).await;
        }
        let before = inbox.plain.len();
        while inbox.plain.len() == before {
            self.fill(&mut inbox.raw).await?;
            self.unframe(inbox).await?;
        }
        Ok(())
    }

    async fn unframe(&self, inbox: &mut Inbox) -> io::Result<()> {
        let mut pongs = Vec::new();
        let mut at = 0;
        while let Some((frame, length)) = frames::first(&inbox.raw[at..])? {
            match frame {
                Frame::Text(text) => {
                    inbox.plain.extend_from_slice(text.as_bytes());
                    inbox.plain.push(b'\n');
                }
                Frame::Bytes(bytes) => inbox.plain.extend_from_slice(bytes),
                Frame::Ping(payload) => frames::write_pong(&mut pongs, payload),
                Frame::Close(code) => return Err(bad(format!("the server closed it with {code:?}"))),
                Frame::Other => {}
            }
            at += length;
        }
        inbox.raw.drain(..at);
        if inbox.raw.is_empty() {
            inbox.raw = Vec::new();
        }
        self.write_all(&pongs).await
    }

    async fn fill(&self, into: &mut Vec<u8>) -> io::Result<()> {
        loop {
            self.stream.readable().await?;
            let read: io::Result<usize> = READ.with_borrow_mut(|buffer| {
                let count = self.stream.try_read(buffer)?;
                into.extend_from_slice(&buffer[..count]);
                Ok(count)
            });
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.stream.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

//! A WebSocket that costs little: its frames are put together by hand, all sockets of a thread read through one buffer, and an idle one holds none.

use std::cell::RefCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};

use super::frames::{self, Frame};

/// What one read takes at most.
const READ_BYTES: usize = 64 * 1024;
/// What the answer to the upgrade may be long.
const HEAD_MAX_BYTES: usize = 8 * 1024;
/// A system has about 28,000 ports for connections from one address to another.
const PORTS_OF_A_SOURCE: usize = 20_000;

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// One socket, upgraded.
pub(super) struct Socket {
    stream: TcpStream,
    /// The beginning of a frame whose end hasn't come.
    rest: Vec<u8>,
}

impl Socket {
    /// Connects to a node and upgrades. `number` is how many there are already to this node: the source address changes before the ports run out.
    pub(super) async fn open(address: SocketAddr, number: usize) -> io::Result<Socket> {
        let stream = connect(address, number).await?;
        stream.set_nodelay(true)?;
        let mut socket = Socket { stream, rest: Vec::new() };
        let upgrade = format!(
            "GET /v1/connect HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: engage.v1.json\r\n\r\n"
        );
        socket.write(upgrade.as_bytes()).await?;
        let end = loop {
            if let Some(at) = socket.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if socket.rest.len() > HEAD_MAX_BYTES {
                return Err(io::Error::other("the answer to the upgrade has no end"));
            }
            socket.fill().await?;
        };
        if !socket.rest.starts_with(b"HTTP/1.1 101") {
            return Err(io::Error::other(String::from_utf8_lossy(&socket.rest).into_owned()));
        }
        socket.rest.drain(..end);
        Ok(socket)
    }

    /// Sends one message.
    pub(super) async fn send(&self, text: &str) -> io::Result<()> {
        let mut frame = Vec::with_capacity(text.len() + frames::HEAD_BYTES);
        frames::write_text(&mut frame, text);
        self.write(&frame).await
    }

    /// Waits for what the node sends, and hands over the text of each frame that is whole. Pings are answered. May be let go of while it waits: nothing is lost by it.
    pub(super) async fn read(&mut self, mut take: impl FnMut(&str)) -> io::Result<()> {
        loop {
            let mut pongs = Vec::new();
            let mut at = 0;
            let mut is_any = false;
            while let Some((frame, length)) = frames::first(&self.rest[at..])? {
                match frame {
                    Frame::Text(text) => {
                        is_any = true;
                        take(text);
                    }
                    Frame::Ping(payload) => frames::write_pong(&mut pongs, payload),
                    Frame::Close(code) => return Err(closed(code)),
                    Frame::Bytes(_) | Frame::Other => {}
                }
                at += length;
            }
            self.rest.drain(..at);
            if self.rest.is_empty() {
                // An idle socket holds no memory.
                self.rest = Vec::new();
            }
            if !pongs.is_empty() {
                self.write(&pongs).await?;
            }
            if is_any {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        loop {
            self.stream.readable().await?;
            let read: io::Result<usize> = READ.with_borrow_mut(|buffer| {
                let count = self.stream.try_read(buffer)?;
                self.rest.extend_from_slice(&buffer[..count]);
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

    async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
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

fn closed(code: Option<u16>) -> io::Error {
    let code = code.map_or_else(|| "no code".to_owned(), |code| code.to_string());
    io::Error::new(io::ErrorKind::ConnectionAborted, format!("the node closed it with {code}"))
}

/// Connects from a loopback address that has ports left.
pub(super) async fn connect(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let host = u8::try_from(number / PORTS_OF_A_SOURCE).ok().and_then(|host| host.checked_add(1));
    let host = host.ok_or_else(|| io::Error::other("more sockets than loopback has ports for"))?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_loopback() && host > 1 => {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(Ipv4Addr::new(127, 0, 1, host).into(), 0))?;
            socket.connect(address).await
        }
        _ => TcpStream::connect(address).await,
    }
}

//! Calls of the HTTP API over connections that are kept: as a publisher makes them, and cheap. One for each thread of the generator.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Calls of one thread that are under way at once; further ones wait for their turn.
const LINES_MAX: usize = 256;
const ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// A publisher, with its connections to all nodes.
pub(super) struct Publisher {
    /// The address of each node, and connections to it on which nothing is under way.
    places: Vec<(SocketAddr, RefCell<Vec<Line>>)>,
    key: String,
    turns: Semaphore,
}

impl Publisher {
    pub(super) fn new(addresses: &[SocketAddr], key: &str) -> Publisher {
        let places = addresses.iter().map(|address| (*address, RefCell::default())).collect();
        Publisher { places, key: key.to_owned(), turns: Semaphore::new(LINES_MAX) }
    }

    /// Posts JSON to a node. After an error it isn't known whether the node has taken it.
    pub(super) async fn post(&self, place: usize, path: &str, body: &str) -> io::Result<Answer> {
        let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
        let (address, free) = &self.places[place % self.places.len()];
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.key,
            body.len()
        );
        let request = head + body;
        let kept = free.borrow_mut().pop();
        let mut line = match kept {
            Some(line) => line,
            None => Line::open(*address).await?,
        };
        let answer = line.ask(request.as_bytes()).await?;
        free.borrow_mut().push(line);
        Ok(answer)
    }
}

/// One connection.
struct Line {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Line {
    async fn open(address: SocketAddr) -> io::Result<Line> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Line { stream, read: Vec::with_capacity(1_024) })
    }

    async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let (head, length) = loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break (at + 4, length_of(&self.read[..at])?);
            }
        };
        while self.read.len() < head + length {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let status = std::str::from_utf8(&self.read[9..12]).ok().and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("an answer without a status"))?;
        Ok(Answer { status, body: self.read[head..head + length].to_vec() })
    }
}

fn length_of(head: &[u8]) -> io::Result<usize> {
    let head = String::from_utf8_lossy(head);
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length.filter(|length| *length <= ANSWER_MAX_BYTES && head.len() > 12).ok_or_else(|| io::Error::other("an answer of no known length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_answer_is_in_its_head() {
        assert_eq!(length_of(b"HTTP/1.1 201 Created\r\nContent-Length: 17").unwrap(), 17);
        assert!(length_of(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked").is_err());
        assert!(length_of(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999").is_err());
    }
}

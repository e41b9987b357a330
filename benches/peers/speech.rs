//! What the protocols of the peers have in common, as far as the jobs need it. Bytes in, bytes out: no socket, no clock.

use std::io;

use crate::ground::Ground;

/// What a server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The greeting is over: from now on it delivers.
    Ready,
    /// A delivery was put before its user, who has acked it at once.
    Offer(u64),
    /// That ack is recorded.
    Confirmed(u64),
    /// A publish, or a write, is accepted.
    Taken(To),
    /// Something that should not be, and does not end the connection.
    Trouble(&'static str),
}

/// Whom a message is for, and which of theirs it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct To {
    pub user: usize,
    pub number: u64,
}

/// How bytes go over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// As they are, over TCP.
    Stream,
    /// In binary frames of a WebSocket, whose borders mean nothing.
    Bytes { path: &'static str, protocol: Option<&'static str> },
    /// In text frames of a WebSocket, one for each line; a line feed stands for the end of one on this side.
    Lines { path: &'static str },
}

/// Who speaks.
#[derive(Clone, Copy, Debug)]
pub enum Speaker {
    User(usize),
    /// A publisher's or writer's connection, by its number.
    Publisher(usize),
}

/// One side of a connection. A user's is kept when the connection is lost, and says in the next greeting what the protocol lets it say.
pub trait Speech: Sized + 'static {
    /// Connections of publishers that suit the server best.
    const LANES: usize;

    fn framing(speaker: Speaker) -> Framing;

    fn new(speaker: Speaker) -> Self;

    /// What begins a connection.
    fn greet(&mut self, out: &mut Vec<u8>);

    /// Takes the whole messages at the beginning of `bytes`; how many bytes they were. What is offered is acked by `out`.
    fn hear(&mut self, bytes: &[u8], heard: &mut Vec<Heard>, out: &mut Vec<u8>) -> io::Result<usize>;

    /// Publishes.
    fn publish(&mut self, to: To, body: &[u8], out: &mut Vec<u8>);

    /// Makes on the server what users need before they come.
    fn prepare(ground: &Ground, users: std::ops::Range<usize>) -> impl Future<Output = io::Result<()>> {
        let _ = (ground, users);
        std::future::ready(Ok(()))
    }
}

/// A payload that bears its number and is so long.
pub fn body(number: u64, length: usize) -> Vec<u8> {
    let mut body = format!("b{number};").into_bytes();
    body.resize(length.max(body.len()), b'x');
    body
}

/// The number in such a payload.
pub fn number_in(body: &[u8]) -> Option<u64> {
    let digits = body.strip_prefix(b"b")?;
    let end = digits.iter().position(|byte| *byte == b';')?;
    number(&digits[..end])
}

/// A number in digits.
pub fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What breaks the protocol, or what the server refused.
pub fn bad(what: impl AsRef<[u8]>) -> io::Error {
    io::Error::other(String::from_utf8_lossy(what.as_ref()).into_owned())
}

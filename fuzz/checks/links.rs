//! What comes in on the cluster port as bytes: the handshake, the frames of a link, the one frame of a guest. Whatever comes, it is read or refused, never a panic, and what
//! a stranger claims sets no memory aside.

use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::config::LinkSecret;
use super::frame::{FRAGMENT_MAX_BYTES, Header, Rest};
use super::guest_frame;
use super::handshake::{self, HandshakeError, Me, Wish};
use super::hello::{
    BODY_MAX_BYTES, CHALLENGE_BYTES, Hello, Identity, PREFIX_BYTES, Role, read_challenge, read_identity, read_prefix, write_identity,
};
use super::inbox::{Inbox, InboxError};
use super::proof::{PROOF_BYTES, Side, prove};
use super::refusal::Refusal;
use crate::ledger::ids::EdgeId;
use crate::ports::peers::NodeId;

/// Longest message of a link, as it is here.
const MESSAGE_MAX_BYTES: usize = 100_000;

/// Frames behind the proof: they give the same messages however they are cut, and what is read is read again as it was written.
pub fn link_frame(data: &[u8]) {
    let whole = messages(data, usize::MAX);
    let cut = usize::from(data.first().copied().unwrap_or(1)) % 29 + 1;
    assert_eq!(messages(data, cut), whole);
    let mut again = Vec::new();
    for (header, body) in &whole.0 {
        let pieces: Vec<&[u8]> = if body.is_empty() { vec![&[]] } else { body.chunks(FRAGMENT_MAX_BYTES).collect() };
        for (at, piece) in pieces.iter().enumerate() {
            let rest = if at + 1 < pieces.len() { Rest::Follows } else { Rest::None };
            Header { len_bytes: piece.len(), rest, ..*header }.write(piece, &mut again);
        }
    }
    assert_eq!(messages(&again, usize::MAX).0, whole.0);
    let mut guest = Script::of(data);
    if let Ok((header, body)) = at_once(guest_frame::read(&mut guest)) {
        assert_eq!(header.len_bytes, body.len());
    }
}

/// All messages, and how it ends.
fn messages(data: &[u8], chunk_bytes: usize) -> (Vec<(Header, Vec<u8>)>, String) {
    let mut inbox = Inbox::new(Script { chunk_bytes, ..Script::of(data) }, MESSAGE_MAX_BYTES);
    let heard_ms = AtomicU64::new(0);
    let mut taken = Vec::new();
    loop {
        match at_once(inbox.next(&heard_ms)) {
            Ok(message) => {
                assert!(message.body.len() <= MESSAGE_MAX_BYTES);
                let header = Header {
                    kind: message.kind,
                    lane: message.lane,
                    service: message.service,
                    id: message.id,
                    len_bytes: 0,
                    rest: Rest::None,
                };
                taken.push((header, message.body.to_vec()));
            }
            Err(end @ (InboxError::Closed | InboxError::Io(_) | InboxError::Frame(_))) => return (taken, end.to_string()),
        }
    }
}

/// Both sides of a handshake, with and without a proof in the right place.
pub fn handshake(data: &[u8]) {
    read_parts(data);
    let secret = LinkSecret::new("the secret of the cluster");
    let identity = Identity { cluster_id: "c1", node: NodeId(1), uuid: "u1", run: EdgeId(5), name: "n1" };
    let me = Me { identity, secret: &secret };
    for proves in [None, Some(Side::Dialer)] {
        let mut stream = Script { proves, ..Script::of(data) };
        match at_once(handshake::accept(&mut stream, &me, |_| Ok(()))) {
            Ok((role, peer)) => assert!(proves.is_some() && !peer.name.is_empty() && (role != Role::Guest || peer.node == NodeId(0))),
            Err(error) => check_error(&error),
        }
        assert!(stream.written.len() <= CHALLENGE_BYTES + 4 + PROOF_BYTES + BODY_MAX_BYTES);
    }
    for proves in [None, Some(Side::Acceptor)] {
        let mut stream = Script { proves, ..Script::of(data) };
        let wish = Wish { role: Role::Member, to: NodeId(2) };
        match at_once(handshake::dial(&mut stream, &me, wish, |_| Ok(()))) {
            Ok(peer) => assert!(proves.is_some() && !peer.name.is_empty()),
            Err(error) => check_error(&error),
        }
    }
}

fn check_error(error: &HandshakeError) {
    assert!(!error.to_string().is_empty());
}

fn read_parts(data: &[u8]) {
    if let Some(prefix) = data.first_chunk::<PREFIX_BYTES>() {
        if let Ok((_, len)) = read_prefix(prefix) {
            assert!(len <= BODY_MAX_BYTES);
        }
        if let Ok(hello) = Hello::read(&data[PREFIX_BYTES..]) {
            let mut buffer = [0; PREFIX_BYTES + BODY_MAX_BYTES];
            match hello.write(&mut buffer) {
                Ok(len) => assert_eq!(Hello::read(&buffer[PREFIX_BYTES..len]), Ok(hello)),
                Err(refusal) => assert_eq!(refusal, Refusal::TooLong),
            }
        }
    }
    if let Some(challenge) = data.first_chunk::<CHALLENGE_BYTES>() {
        read_challenge(challenge).ok();
    }
    if let Ok(identity) = read_identity(data) {
        let mut buffer = [0; BODY_MAX_BYTES];
        let len = write_identity(&identity, &mut buffer).expect("what was read fits");
        assert_eq!(read_identity(&buffer[..len]), Ok(identity));
    }
}

/// The other side: says what it was given, and ends. Where it proves, its proof stands where one belongs.
struct Script<'d> {
    data: &'d [u8],
    said: Vec<u8>,
    written: Vec<u8>,
    chunk_bytes: usize,
    proves: Option<Side>,
}

impl<'d> Script<'d> {
    fn of(data: &'d [u8]) -> Script<'d> {
        Script { data, said: Vec::new(), written: Vec::new(), chunk_bytes: usize::MAX, proves: None }
    }

    /// The proof, once everything that it is over was said.
    fn proof(&self) -> Option<Vec<u8>> {
        let secret = LinkSecret::new("the secret of the cluster");
        match self.proves? {
            Side::Dialer if self.written.len() == CHALLENGE_BYTES => {
                Some(prove(&secret, Side::Dialer, &[&self.said, &self.written]).to_vec())
            }
            Side::Dialer => None,
            Side::Acceptor => {
                let (challenge, head) = self.said.split_at_checked(CHALLENGE_BYTES).filter(|(_, head)| head.len() == 4)?;
                let hello = self.written.get(..self.written.len().checked_sub(PROOF_BYTES)?)?;
                let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
                let body = self.data.get(..len)?;
                Some(prove(&secret, Side::Acceptor, &[hello, challenge, head, body]).to_vec())
            }
        }
    }
}

impl AsyncRead for Script<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() == PROOF_BYTES
            && let Some(proof) = self.proof()
        {
            self.proves = None;
            buffer.put_slice(&proof);
            return Poll::Ready(Ok(()));
        }
        let count = buffer.remaining().min(self.chunk_bytes).min(self.data.len());
        let (now, later) = self.data.split_at(count);
        buffer.put_slice(now);
        self.said.extend_from_slice(now);
        self.data = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script<'_> {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What comes of a future that never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something that never comes"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::Kind;
    use super::super::hello::{NONCE_BYTES, write_challenge};
    use super::*;
    use crate::fuzz_corpus::walk;
    use crate::ports::peers::Lane;

    fn frame(header: Header, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Header { len_bytes: piece.len(), ..header }.write(piece, &mut out);
        out
    }

    fn hello_of(role: Role, node: u64, cluster_id: &str) -> Vec<u8> {
        let from = Identity { cluster_id, node: NodeId(node), uuid: "u2", run: EdgeId(9), name: "n2" };
        let mut buffer = [0; PREFIX_BYTES + BODY_MAX_BYTES];
        let len = Hello { role, to: NodeId(1), from, nonce: [3; NONCE_BYTES] }.write(&mut buffer).unwrap();
        buffer[..len].to_vec()
    }

    #[test]
    fn frames_of_the_corpus_are_read_or_refused() {
        let ask = Header { lane: Lane::Session, service: 4, ..Header::bare(Kind::Ask, 7) };
        let first = frame(Header { rest: Rest::Follows, ..ask }, b"one ");
        let other = frame(Header { lane: Lane::Raft, ..ask }, b"in between");
        let last = frame(ask, b"two");
        let mut claims = frame(Header::bare(Kind::Tell, 1), b"");
        claims[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        let samples = vec![
            ("fragments", [first.clone(), other, last].concat()),
            ("ping", frame(Header::bare(Kind::Ping, 3), b"")),
            ("a_fragment_of_another_message", [first, frame(Header { id: 8, ..ask }, b"x")].concat()),
            ("claims_four_gigabytes", claims),
            ("goodbye", frame(Header::bare(Kind::Goodbye, 5), b"")),
        ];
        walk("link_frame", samples, link_frame);
    }

    #[test]
    fn handshakes_of_the_corpus_are_read_or_refused() {
        let mut identity = [0; BODY_MAX_BYTES];
        let from = Identity { cluster_id: "c1", node: NodeId(2), uuid: "u2", run: EdgeId(9), name: "n2" };
        let len = write_identity(&from, &mut identity).unwrap();
        let head = [0, 0, u8::try_from(len).unwrap(), 0];
        let verdict = [&write_challenge(1, Ok(&[4; NONCE_BYTES]))[..], &head, &identity[..len]].concat();
        let samples = vec![
            ("member", [hello_of(Role::Member, 2, "c1"), vec![0]].concat()),
            ("knock", hello_of(Role::Knock, 2, "c1")),
            ("guest", hello_of(Role::Guest, 0, "")),
            ("of_another_cluster", hello_of(Role::Member, 2, "c2")),
            ("acceptor", verdict),
            ("refusal", write_challenge(1, Err(Refusal::Removed)).to_vec()),
            ("identity", identity[..len].to_vec()),
        ];
        for (name, bytes) in &samples[..2] {
            let secret = LinkSecret::new("the secret of the cluster");
            let me = Me { identity: Identity { node: NodeId(1), name: "n1", uuid: "u1", ..from }, secret: &secret };
            let mut stream = Script { proves: Some(Side::Dialer), ..Script::of(bytes) };
            assert!(at_once(handshake::accept(&mut stream, &me, |_| Ok(()))).is_ok(), "{name}: the script does not prove");
        }
        walk("handshake", samples, handshake);
    }
}

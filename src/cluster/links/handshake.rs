//! The handshake, over any stream: hello, challenge, the dialer's proof, verdict with the acceptor's proof and identity, ready. Bounded in bytes; whoever calls bounds it in
//! time. Whom to let in is the caller's to judge.
//!
//! The dialer proves first: whoever can reach the port must not get something from us by which secrets can be guessed at home. A refusal that stops a node for good
//! (`removed`) is believed only with a proof.

use rand::RngExt as _;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::config::LinkSecret;
use super::hello::{
    BODY_MAX_BYTES, CHALLENGE_BYTES, Hello, Identity, Nonce, PREFIX_BYTES, Role, read_challenge, read_identity, read_prefix,
    write_challenge, write_identity,
};
use super::proof::{PROOF_BYTES, Proof, Side, holds, prove};
use super::refusal::Refusal;
use crate::dice::dice;
use crate::ledger::ids::EdgeId;
use crate::ports::peers::NodeId;

const VERDICT_HEAD_BYTES: usize = 4;
const READY: u8 = 0;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// This node refuses.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// The other node refuses. Without its proof, anybody may have said so.
    #[error("the peer refuses this node: {refusal}")]
    RefusedBy { refusal: Refusal, proof: Proven },
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
}

/// Whether what the other side says is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proven {
    Yes,
    No,
}

/// The other side, proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub node: NodeId,
    pub uuid: String,
    pub run: EdgeId,
    pub name: String,
}

impl Peer {
    fn of(identity: &Identity<'_>) -> Peer {
        Peer { node: identity.node, uuid: identity.uuid.to_owned(), run: identity.run, name: identity.name.to_owned() }
    }
}

/// A stream that a handshake can go over.
pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

/// Who this node is in a handshake.
pub struct Me<'a> {
    pub identity: Identity<'a>,
    pub secret: &'a LinkSecret,
}

/// What a dialer wants of whom.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub role: Role,
    /// 0 for whoever lives at the address.
    pub to: NodeId,
}

/// The dialer's side.
///
/// # Errors
/// [`HandshakeError`].
pub async fn dial<S: Wire>(
    stream: &mut S,
    me: &Me<'_>,
    wish: Wish,
    judge: impl FnOnce(&Identity<'_>) -> Result<(), Refusal> + Send,
) -> Result<Peer, HandshakeError> {
    let mut buffer = [0; PREFIX_BYTES + BODY_MAX_BYTES];
    let hello = Hello { role: wish.role, to: wish.to, from: me.identity, nonce: dice().random::<Nonce>() };
    let len = hello.write(&mut buffer).map_err(HandshakeError::Refused)?;
    let hello = &buffer[..len];
    stream.write_all(hello).await?;
    stream.flush().await?;

    let mut challenge = [0; CHALLENGE_BYTES];
    stream.read_exact(&mut challenge).await?;
    read_challenge(&challenge)
        .map_err(HandshakeError::Refused)?
        .map_err(|refusal| HandshakeError::RefusedBy { refusal, proof: Proven::No })?;
    stream.write_all(&prove(me.secret, Side::Dialer, &[hello, &challenge])).await?;
    stream.flush().await?;

    let mut body = [0; BODY_MAX_BYTES];
    let identity = read_verdict(stream, me, &[hello, &challenge], &mut body).await?;
    if let Err(refusal) = judge(&identity) {
        // Said, so that it stands in the log there as well; if that fails, the end of the connection says enough.
        let _ = stream.write_all(&[refusal as u8]).await;
        let _ = stream.flush().await;
        return Err(HandshakeError::Refused(refusal));
    }
    if wish.role == Role::Member {
        stream.write_all(&[READY]).await?;
        stream.flush().await?;
    }
    Ok(Peer::of(&identity))
}

async fn read_verdict<'b, S: Wire>(
    stream: &mut S,
    me: &Me<'_>,
    said: &[&[u8]; 2],
    body: &'b mut [u8; BODY_MAX_BYTES],
) -> Result<Identity<'b>, HandshakeError> {
    let mut head = [0; VERDICT_HEAD_BYTES];
    let mut proof: Proof = [0; PROOF_BYTES];
    stream.read_exact(&mut head).await?;
    stream.read_exact(&mut proof).await?;
    let len = usize::from(u16::from_le_bytes([head[2], head[3]]));
    let body = body.get_mut(..len).ok_or(HandshakeError::Refused(Refusal::TooLong))?;
    stream.read_exact(body).await?;
    let is_proven = holds(me.secret, Side::Acceptor, &[said[0], said[1], &head, body], &proof);
    if head[0] != 0 {
        let proof = if is_proven { Proven::Yes } else { Proven::No };
        return Err(HandshakeError::RefusedBy { refusal: Refusal::of(head[0]), proof });
    }
    if !is_proven {
        return Err(HandshakeError::Refused(Refusal::WrongSecret));
    }
    read_identity(body).map_err(HandshakeError::Refused)
}

/// The acceptor's side. `judge` is asked about a dialer that has proven the secret, and belongs to this cluster or is a guest.
///
/// # Errors
/// [`HandshakeError`].
pub async fn accept<S: Wire>(
    stream: &mut S,
    me: &Me<'_>,
    judge: impl FnOnce(&Hello<'_>) -> Result<(), Refusal> + Send,
) -> Result<(Role, Peer), HandshakeError> {
    let mut buffer = [0; PREFIX_BYTES + BODY_MAX_BYTES];
    let (version, len) = match read_hello(stream, &mut buffer).await? {
        Ok(read) => read,
        Err(refusal) => return refuse_hello(stream, refusal).await,
    };
    let said = &buffer[..len];
    let hello = match Hello::read(&said[PREFIX_BYTES..]).and_then(|hello| is_of_this_cluster(&hello, me).map(|()| hello)) {
        Ok(hello) => hello,
        Err(refusal) => return refuse_hello(stream, refusal).await,
    };

    let challenge = write_challenge(version, Ok(&dice().random::<Nonce>()));
    stream.write_all(&challenge).await?;
    stream.flush().await?;
    let mut proof: Proof = [0; PROOF_BYTES];
    stream.read_exact(&mut proof).await?;
    if !holds(me.secret, Side::Dialer, &[said, &challenge], &proof) {
        // Without a proof of ours: one made for a stranger could be used to guess the secret.
        let mut verdict = [0; VERDICT_HEAD_BYTES + PROOF_BYTES];
        verdict[0] = Refusal::WrongSecret as u8;
        stream.write_all(&verdict).await?;
        stream.flush().await?;
        return Err(HandshakeError::Refused(Refusal::WrongSecret));
    }

    let judged = judge(&hello);
    write_verdict(stream, me, &[said, &challenge], judged).await?;
    judged.map_err(HandshakeError::Refused)?;
    if hello.role == Role::Member {
        // A link stands when both want it: a dialer that has given up meanwhile must not push out the link that it made instead.
        match stream.read_u8().await? {
            READY => {}
            number => return Err(HandshakeError::RefusedBy { refusal: Refusal::of(number), proof: Proven::Yes }),
        }
    }
    Ok((hello.role, Peer::of(&hello.from)))
}

async fn read_hello<S: Wire>(
    stream: &mut S,
    buffer: &mut [u8; PREFIX_BYTES + BODY_MAX_BYTES],
) -> Result<Result<(u16, usize), Refusal>, HandshakeError> {
    let (prefix, body) = buffer.split_first_chunk_mut::<PREFIX_BYTES>().expect("invariant: the buffer is longer than a prefix");
    stream.read_exact(prefix).await?;
    let (version, len) = match read_prefix(prefix) {
        Ok(read) => read,
        Err(refusal) => return Ok(Err(refusal)),
    };
    // Also where the version is refused: closing with bytes unread would take the answer along.
    stream.read_exact(&mut body[..len]).await?;
    Ok(version.map(|version| (version, PREFIX_BYTES + len)))
}

fn is_of_this_cluster(hello: &Hello<'_>, me: &Me<'_>) -> Result<(), Refusal> {
    match hello.role {
        Role::Guest if hello.from.node == NodeId(0) => Ok(()),
        Role::Guest => Err(Refusal::Broken),
        Role::Member | Role::Knock if hello.from.cluster_id == me.identity.cluster_id => Ok(()),
        Role::Member | Role::Knock => Err(Refusal::WrongCluster),
    }
}

async fn refuse_hello<S: Wire, T>(stream: &mut S, refusal: Refusal) -> Result<T, HandshakeError> {
    // What does not speak this protocol would not understand the answer.
    if refusal != Refusal::Broken {
        stream.write_all(&write_challenge(0, Err(refusal))).await?;
        stream.flush().await?;
    }
    Err(HandshakeError::Refused(refusal))
}

async fn write_verdict<S: Wire>(stream: &mut S, me: &Me<'_>, said: &[&[u8]; 2], judged: Result<(), Refusal>) -> Result<(), HandshakeError> {
    let mut buffer = [0; BODY_MAX_BYTES];
    let len = write_identity(&me.identity, &mut buffer).map_err(HandshakeError::Refused)?;
    let body = &buffer[..len];
    let [low, high] = u16::try_from(len).unwrap_or(u16::MAX).to_le_bytes();
    let head = [judged.err().map_or(0, |refusal| refusal as u8), 0, low, high];
    let proof = prove(me.secret, Side::Acceptor, &[said[0], said[1], &head, body]);
    let mut verdict = [0; VERDICT_HEAD_BYTES + PROOF_BYTES + BODY_MAX_BYTES];
    verdict[..VERDICT_HEAD_BYTES].copy_from_slice(&head);
    verdict[VERDICT_HEAD_BYTES..VERDICT_HEAD_BYTES + PROOF_BYTES].copy_from_slice(&proof);
    verdict[VERDICT_HEAD_BYTES + PROOF_BYTES..][..len].copy_from_slice(body);
    stream.write_all(&verdict[..VERDICT_HEAD_BYTES + PROOF_BYTES + len]).await?;
    stream.flush().await?;
    Ok(())
}

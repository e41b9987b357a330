//! What a node that is no member yet can do: prove the secret, and ask one question.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;

use super::config::{LinkSecret, LinkTuning};
use super::frame::{FrameError, Kind};
use super::guest_frame::{read, write};
use super::handshake::{self, HandshakeError, Me, Wish};
use super::hello::{Identity, Role};
use super::inbox::InboxError;
use super::refusal::Refusal;
use super::socket::{connect, secure_dialed, tune};
use super::tls::LinkTls;
use crate::ledger::ids::EdgeId;
use crate::ports::peers::{NodeId, Service};

/// Who asks.
#[derive(Clone, Debug)]
pub struct GuestConfig {
    pub secret: LinkSecret,
    pub tls: Option<LinkTls>,
    pub node_uuid: String,
    pub name: String,
    pub connect_timeout_ms: u64,
    pub handshake_timeout_ms: u64,
    pub answer_timeout_ms: u64,
}

impl GuestConfig {
    /// With the default timeouts.
    #[must_use]
    pub fn new(secret: LinkSecret, node_uuid: String, name: String) -> GuestConfig {
        let LinkTuning { connect_timeout_ms, handshake_timeout_ms, guest_answer_ms, .. } = LinkTuning::default();
        // A little longer than the other side waits, so that it can say that there is no answer.
        let answer_timeout_ms = guest_answer_ms + connect_timeout_ms;
        GuestConfig { secret, tls: None, node_uuid, name, connect_timeout_ms, handshake_timeout_ms, answer_timeout_ms }
    }
}

/// Why a guest got no answer.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// Not asked. Safe to try again.
    #[error("{address} can't be reached: {error}; hint: it is the cluster.advertise address of a member")]
    Unreachable { address: String, error: io::Error },
    /// Not asked.
    #[error("no TLS with {address}: {error}; hint: cluster.tls_cert, tls_key and tls_ca must be set on all nodes, and fit")]
    Tls { address: String, error: io::Error },
    /// Not asked: the other node does not let this one in.
    #[error("{address} refused this node: {refusal}")]
    Refused { address: String, refusal: Refusal },
    /// Not asked: this node does not trust the other one.
    #[error("{address} was refused: {refusal}")]
    Distrusted { address: String, refusal: Refusal },
    /// Not asked: what is at that address does not speak the protocol of links, or not now. Safe to try again.
    #[error("{address} did not finish the handshake; hint: it is the cluster.advertise address of a member")]
    NoHandshake { address: String },
    /// Not asked.
    #[error("the question is too long")]
    TooLong,
    /// It may have been done. Whether to ask again is the service's to say.
    #[error("{address} gave no answer")]
    NoAnswer { address: String },
}

/// Dials a member, proves the secret, asks [`Service::Join`], and reads the answer. Question and answer have up to 64 KiB.
///
/// # Errors
/// [`GuestError`].
pub async fn ask_as_guest(address: &str, config: &GuestConfig, body: Bytes) -> Result<Bytes, GuestError> {
    let to_owned = || address.to_owned();
    let stream =
        connect(address, config.connect_timeout_ms).await.map_err(|error| GuestError::Unreachable { address: to_owned(), error })?;
    tune(&stream, &LinkTuning::default());
    let shaken = tokio::time::timeout(Duration::from_millis(config.handshake_timeout_ms), shake_hands(stream, address, config));
    let mut stream = shaken.await.map_err(|_| GuestError::NoHandshake { address: to_owned() })??;
    let asked = tokio::time::timeout(Duration::from_millis(config.answer_timeout_ms), async {
        write(&mut stream, (Kind::Ask, Service::Join as u8), &body).await?;
        read(&mut stream).await
    });
    match asked.await {
        Ok(Ok((header, answer))) if header.kind == Kind::Answer => Ok(answer),
        Ok(Err(InboxError::Frame(FrameError::TooLong))) => Err(GuestError::TooLong),
        Ok(_) | Err(_) => Err(GuestError::NoAnswer { address: to_owned() }),
    }
}

async fn shake_hands(stream: TcpStream, address: &str, config: &GuestConfig) -> Result<Box<dyn super::socket::Duplex>, GuestError> {
    let to_owned = || address.to_owned();
    let mut stream =
        secure_dialed(stream, address, config.tls.as_ref()).await.map_err(|error| GuestError::Tls { address: to_owned(), error })?;
    let identity = Identity { cluster_id: "", node: NodeId(0), uuid: &config.node_uuid, run: EdgeId(0), name: &config.name };
    let me = Me { identity, secret: &config.secret };
    let wish = Wish { role: Role::Guest, to: NodeId(0) };
    match handshake::dial(&mut stream, &me, wish, |_| Ok(())).await {
        Ok(_) => Ok(stream),
        Err(HandshakeError::RefusedBy { refusal, .. }) => Err(GuestError::Refused { address: to_owned(), refusal }),
        Err(HandshakeError::Refused(refusal)) => Err(GuestError::Distrusted { address: to_owned(), refusal }),
        Err(HandshakeError::Io(_)) => Err(GuestError::NoHandshake { address: to_owned() }),
    }
}

//! Keeps one member linked: dials it if this node has the higher id, and knocks at it otherwise, again and again with a back-off.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tracing::{error, warn};

use super::backoff::Backoff;
use super::handshake::{self, HandshakeError, Peer, Proven, Wish};
use super::hello::Role;
use super::link::Link;
use super::refusal::Refusal;
use super::shared::Shared;
use super::socket::{Duplex, connect, secure_dialed, tune};
use crate::clock;
use crate::ports::peers::NodeId;

/// Why a dial came to nothing.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error("no TLS: {0}")]
    Tls(io::Error),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("the handshake took too long")]
    Timeout,
    #[error("no link is wanted any more")]
    NotWanted,
}

/// One member to be kept linked.
pub struct Dialer {
    pub shared: Arc<Shared>,
    pub node: NodeId,
    pub address: String,
    /// Cuts a wait short.
    pub wake: Arc<Notify>,
}

impl Dialer {
    /// Never ends; to be aborted. A link that it made goes on without it.
    pub async fn run(self) {
        let tuning = &self.shared.config.tuning;
        let mut backoff = Backoff::new(tuning);
        loop {
            let link = match self.shared.last_link_to(self.node) {
                Some(link) => Ok(Some(link)),
                None => self.attempt().await,
            };
            match link {
                Ok(Some(link)) => {
                    let since = clock::monotonic();
                    link.finished().await;
                    // A link that breaks as soon as it stands is no better than none.
                    if clock::monotonic().saturating_duration_since(since) >= Duration::from_millis(tuning.backoff_max_ms) {
                        backoff.reset();
                    }
                }
                Ok(None) => {}
                Err(error) => self.report(&error, &backoff),
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.next_wait()) => {}
                () = self.wake.notified() => {}
            }
        }
    }

    /// Of a pair, the node with the higher id dials.
    fn is_dialing(&self) -> bool {
        self.shared.config.me > self.node
    }

    /// The new link; none where this node may only knock.
    async fn attempt(&self) -> Result<Option<Arc<Link>>, DialError> {
        let tuning = &self.shared.config.tuning;
        let stream = connect(&self.address, tuning.connect_timeout_ms).await.map_err(DialError::Connect)?;
        tune(&stream, tuning);
        let in_time = tokio::time::timeout(Duration::from_millis(tuning.handshake_timeout_ms), self.shake_hands(stream));
        let (stream, peer) = in_time.await.map_err(|_| DialError::Timeout)??;
        if !self.is_dialing() {
            return Ok(None);
        }
        self.shared.install(peer, stream).await.map(Some).ok_or(DialError::NotWanted)
    }

    async fn shake_hands(&self, stream: TcpStream) -> Result<(Box<dyn Duplex>, Peer), DialError> {
        let peer_address = stream.peer_addr().map_err(DialError::Connect)?;
        let tls = self.shared.config.tls.as_ref();
        let mut stream = secure_dialed(stream, &self.address, tls).await.map_err(DialError::Tls).inspect_err(|_| {
            self.shared.refusals.refused(peer_address, Refusal::Tls);
        })?;
        let role = if self.is_dialing() { Role::Member } else { Role::Knock };
        let me = self.shared.me();
        let shaken = handshake::dial(&mut stream, &me, Wish { role, to: self.node }, |identity| {
            if identity.cluster_id != self.shared.config.cluster_id {
                return Err(Refusal::WrongCluster);
            }
            if identity.node != self.node {
                return Err(Refusal::WrongNode);
            }
            self.shared.members().recognise(identity.node, identity.uuid)
        });
        let peer = shaken.await.inspect_err(|error| match error {
            HandshakeError::Refused(refusal) => self.shared.refusals.refused(peer_address, *refusal),
            HandshakeError::RefusedBy { refusal: Refusal::Removed, proof: Proven::Yes } => self.shared.was_removed(),
            HandshakeError::RefusedBy { .. } | HandshakeError::Io(_) => {}
        })?;
        Ok((stream, peer))
    }

    fn report(&self, error: &DialError, backoff: &Backoff) {
        let (node, address) = (self.node, &self.address);
        let is_same_id = matches!(
            error,
            DialError::Handshake(
                HandshakeError::Refused(Refusal::WrongUuid) | HandshakeError::RefusedBy { refusal: Refusal::WrongUuid, proof: Proven::Yes }
            )
        );
        if !backoff.is_notable() {
            return;
        }
        if is_same_id {
            error!(%node, address, "two nodes claim one id");
        } else {
            warn!(%node, address, %error, "no link to the node");
        }
    }
}

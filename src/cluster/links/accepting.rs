//! Takes connections in: bounds how many are under way and how long each may take, and lets in whom the members know. A stranger costs a task and a buffer of fixed size.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{AbortHandle, JoinSet};
use tracing::{error, warn};

use super::guest_service::GuestCall;
use super::handshake::{self, HandshakeError, Peer};
use super::hello::{Hello, Role};
use super::refusal::Refusal;
use super::shared::Shared;
use super::socket::{Duplex, secure_accepted, tune};

const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// Accepts for ever; to be aborted, which ends the handshakes under way as well.
pub async fn accept_all(shared: Arc<Shared>, listener: TcpListener) {
    let mut tasks = JoinSet::new();
    let mut under_way: VecDeque<(SocketAddr, AbortHandle)> = VecDeque::new();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most likely there are too many open files; the one who waits stays in the kernel's queue.
                warn!(%error, "a connection to the cluster port could not be accepted");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                continue;
            }
        };
        while tasks.try_join_next().is_some() {}
        under_way.retain(|(_, handle)| !handle.is_finished());
        if under_way.len() >= shared.config.tuning.handshakes_max {
            // The oldest gives way, not the newest: a member is done in milliseconds, and who keeps a place for long is up to no good.
            if let Some((oldest, handle)) = under_way.pop_front() {
                handle.abort();
                shared.refusals.refused(oldest, Refusal::Busy);
            }
        }
        under_way.push_back((peer, tasks.spawn(admit(Arc::clone(&shared), stream, peer))));
    }
}

/// What a proven dialer gets.
struct Admitted {
    stream: Box<dyn Duplex>,
    role: Role,
    peer: Peer,
    guest_place: Option<OwnedSemaphorePermit>,
}

async fn admit(shared: Arc<Shared>, stream: TcpStream, address: SocketAddr) {
    tune(&stream, &shared.config.tuning);
    let timeout = Duration::from_millis(shared.config.tuning.handshake_timeout_ms);
    let refusal = match tokio::time::timeout(timeout, shake_hands(&shared, stream)).await {
        Ok(Ok(admitted)) => return welcome(&shared, admitted, address).await,
        Ok(Err(refusal)) => refusal,
        Err(_) => Some(Refusal::Timeout),
    };
    if let Some(refusal) = refusal {
        shared.refusals.refused(address, refusal);
    }
}

/// Errs with nothing where the other side has changed its mind.
async fn shake_hands(shared: &Shared, stream: TcpStream) -> Result<Admitted, Option<Refusal>> {
    let mut stream = secure_accepted(stream, shared.config.tls.as_ref()).await.map_err(|_| Some(Refusal::Tls))?;
    let mut guest_place = None;
    let shaken = handshake::accept(&mut stream, &shared.me(), |hello| judge(shared, hello, &mut guest_place)).await;
    match shaken {
        Ok((role, peer)) => Ok(Admitted { stream, role, peer, guest_place }),
        Err(HandshakeError::Refused(refusal)) => Err(Some(refusal)),
        Err(HandshakeError::RefusedBy { refusal, .. }) => {
            warn!(reason = refusal.word(), "a node that dialed does not want this one");
            Err(None)
        }
        Err(HandshakeError::Io(_)) => Err(Some(Refusal::Broken)),
    }
}

fn judge(shared: &Shared, hello: &Hello<'_>, guest_place: &mut Option<OwnedSemaphorePermit>) -> Result<(), Refusal> {
    if hello.role == Role::Guest {
        *guest_place = Some(Arc::clone(&shared.guests).try_acquire_owned().map_err(|_| Refusal::Busy)?);
    }
    let judged = shared.members().judge(hello);
    if judged == Err(Refusal::WrongUuid) {
        error!(node = %hello.from.node, name = hello.from.name, "two nodes claim one id");
    }
    judged
}

async fn welcome(shared: &Arc<Shared>, admitted: Admitted, address: SocketAddr) {
    let Admitted { stream, role, peer, guest_place } = admitted;
    match role {
        Role::Member => {
            shared.install(peer, stream).await;
        }
        Role::Knock => knocked(shared, &peer),
        Role::Guest => {
            // In a task of its own, since its place among the handshakes is free now.
            let call = GuestCall { shared: Arc::clone(shared), stream, address, _place: guest_place };
            shared.runtime.spawn(call.run());
        }
    }
}

/// A node with a lower id has no link, and wants to be dialed.
fn knocked(shared: &Shared, peer: &Peer) {
    // A link to an earlier run of it is dead, whether that was noticed or not. One to this run may have come up just now.
    if let Some(link) = shared.link_to(peer.node).filter(|link| link.up.run != peer.run) {
        link.close(None);
    }
    if let Some(member) = shared.members().member(peer.node) {
        member.wake.notify_one();
    }
}

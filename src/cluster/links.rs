//! The links of a node to all others: one proven TCP connection per pair, made by the node with the higher id, with a bounded lane each for Raft, sessions and snapshots. It
//! knows nothing of what goes over it.
//!
//! What is promised to those who use it: messages of one lane arrive in order, each once or not at all, and none is missing in between unless a call said so
//! ([`PeerError::NotSent`]: the lane was full) or the link went down, which is told. A link has a number; what arrives over a later one was sent after what arrived over an
//! earlier one. The handshake proves who is there; that nobody reads or changes what follows, TLS must see to.

mod accepting;
mod asks;
mod backoff;
mod config;
mod dialing;
mod ending;
mod frame;
mod guest;
mod guest_frame;
mod guest_service;
mod handshake;
mod hello;
mod inbox;
mod lanes;
mod link;
mod members;
mod meters;
mod proof;
mod refusal;
mod serving;
mod shared;
mod socket;
mod tls;

#[cfg(test)]
mod lanes_tests;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::error;

pub use config::{LaneBound, LinkConfig, LinkSecret, LinkTuning};
pub use guest::{GuestConfig, GuestError, ask_as_guest};
pub use refusal::Refusal;
pub use tls::{LinkTls, LinkTlsError, LinkTlsFiles};

use crate::ports::network::{LinkUp, LinkWatch, Network};
use crate::ports::peers::{Lane, NodeId, PeerError, Peers, Serve, Service};
use dialing::Dialer;
use shared::Shared;

/// All links of this node. To be stopped by [`Links::stop`]; dropped, they go on.
pub struct Links {
    shared: Arc<Shared>,
    accepting: Mutex<Vec<JoinHandle<()>>>,
}

impl Links {
    /// No link yet. Everything runs on the runtime given.
    #[must_use]
    pub fn new(config: LinkConfig, runtime: Handle) -> Arc<Links> {
        Arc::new(Links { shared: Arc::new(Shared::new(config, runtime)), accepting: Mutex::new(Vec::new()) })
    }

    /// Accepts from now on.
    pub fn listen(self: &Arc<Self>, listener: std::net::TcpListener) {
        let _runtime = self.shared.runtime.enter();
        let listener = match listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)) {
            Ok(listener) => listener,
            Err(error) => {
                error!(%error, "the cluster port can't be listened on");
                return;
            }
        };
        let task = self.shared.runtime.spawn(accepting::accept_all(Arc::clone(&self.shared), listener));
        self.accepting.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }

    /// The links that stand.
    #[must_use]
    pub fn up(&self) -> Vec<LinkUp> {
        self.shared.links().iter().filter(|link| !link.is_ended()).map(|link| link.up.clone()).collect()
    }

    /// Changes with each link that comes up or goes down; [`Links::up`] tells how it is then.
    #[must_use]
    pub fn events(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }

    /// How often this node refused a peer for a reason.
    #[must_use]
    pub fn refused_count(&self, refusal: Refusal) -> u64 {
        self.shared.refusals.count_of(refusal)
    }
}

/// A node has no link to itself: to its own id, nothing is ever sent.
#[async_trait]
impl Peers for Links {
    /// A lane that is full says so, also that of the sessions: nothing is dropped in silence. Who gets [`PeerError::NotSent`] while the link stands must see to it that the gap does
    /// no harm: by saying it again, or by giving up what the gap is in (for a session: its attempt).
    fn tell(&self, to: NodeId, lane: Lane, service: Service, body: Bytes) -> Result<(), PeerError> {
        self.shared.link_to(to).ok_or(PeerError::NotSent)?.tell(lane, service, body)
    }

    /// When the link goes down, all who wait learn it at once.
    async fn ask(&self, to: NodeId, lane: Lane, service: Service, body: Bytes, timeout: Duration) -> Result<Bytes, PeerError> {
        let ask = self.shared.link_to(to).ok_or(PeerError::NotSent)?.ask(lane, service, body)?;
        match tokio::time::timeout(timeout, ask).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) | Err(_) => Err(PeerError::NoAnswer),
        }
    }
}

#[async_trait]
impl Network for Links {
    fn serve(&self, service: Service, with: Arc<dyn Serve>) {
        self.shared.services.set(service, with);
    }

    fn on_change(&self, watcher: Arc<dyn LinkWatch>) {
        self.shared.watch(watcher);
    }

    fn know(&self, node: NodeId, address: String) {
        let shared = &self.shared;
        if node == shared.config.me || node == NodeId(0) {
            return;
        }
        let mut members = shared.members();
        if members.is_stopped {
            return;
        }
        let member = members.entry(node);
        if member.address.as_ref() == Some(&address) {
            return;
        }
        member.address = Some(address.clone());
        let dialer = Dialer { shared: Arc::clone(shared), node, address, wake: Arc::clone(&member.wake) };
        let handle = shared.runtime.spawn(dialer.run()).abort_handle();
        if let Some(before) = member.dialer.replace(handle) {
            before.abort();
        }
    }

    fn forget(&self, node: NodeId) {
        if node == self.shared.config.me || mutant!(RemovedNodeIsHeard) {
            return;
        }
        let dialer = {
            let mut members = self.shared.members();
            let member = members.entry(node);
            member.address = None;
            member.dialer.take()
        };
        if let Some(dialer) = dialer {
            dialer.abort();
        }
        if let Some(link) = self.shared.link_to(node) {
            link.close(Some(Refusal::Removed));
        }
    }

    fn refused_as_removed(&self) -> watch::Receiver<bool> {
        self.shared.removed()
    }

    async fn stop(&self) {
        let dialers = {
            let mut members = self.shared.members();
            members.is_stopped = true;
            members.take_dialers()
        };
        let accepting = std::mem::take(&mut *self.accepting.lock().unwrap_or_else(PoisonError::into_inner));
        for dialer in dialers {
            dialer.abort();
        }
        for task in accepting {
            task.abort();
            // The port is free when the task is gone. It was aborted, which is no news.
            let _ = task.await;
        }
        let links = self.shared.links();
        for link in &links {
            link.close(None);
        }
        // Longer than it can take, unless a service blocks.
        let patience = Duration::from_millis(2 * self.shared.config.tuning.flush_ms + 1_000);
        if tokio::time::timeout(patience, join_all(links.iter().map(|link| link.finished()))).await.is_err() {
            error!("a link did not end in time");
        }
    }
}

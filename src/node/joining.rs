//! How a node becomes a member: it asks a member of the cluster, as a guest, until it is taken in or turned down; keeps what it is told; and then waits until it holds what it
//! is to hold. Interrupted anywhere, it goes on under the same uuid.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::NodeError;
use super::clustered::Clustered;
use super::parts;
use super::roster::LinkRoster;
use crate::cluster::links::{GuestConfig, GuestError, LinkSecret, LinkTls, ask_as_guest};
use crate::cluster::membership_wire::{JoinError, JoinRequest, Welcome, read_answer};
use crate::cluster::meta_command::Introduction;
use crate::config::Config;
use crate::ledger::ids::EdgeId;
use crate::ports::joining::{Progress, Watcher};
use crate::ports::peers::NodeId;
use crate::shard::{Home, Identity};

/// The pause before the peer is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked at how far the replicas are.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The way to a member, for who is none yet.
#[async_trait]
pub trait Guest: Send + Sync {
    /// Asks to be taken in. `node_uuid` is who asks.
    ///
    /// # Errors
    /// [`GuestError`].
    async fn ask(&self, node_uuid: &str, body: Bytes) -> Result<Bytes, GuestError>;
}

/// A join: whom to ask, and whom to tell.
pub struct Joining {
    /// Who is asked, for people.
    pub peer: String,
    pub progress: Watcher,
    pub guest: Arc<dyn Guest>,
}

/// Asks over TCP.
pub(super) struct TcpGuest {
    /// The cluster address of a member, `host:port`.
    pub(super) peer: String,
    pub(super) secret: LinkSecret,
    pub(super) name: String,
    pub(super) tls: Option<LinkTls>,
}

#[async_trait]
impl Guest for TcpGuest {
    async fn ask(&self, node_uuid: &str, body: Bytes) -> Result<Bytes, GuestError> {
        let mut guest = GuestConfig::new(self.secret.clone(), node_uuid.to_owned(), self.name.clone());
        guest.tls.clone_from(&self.tls);
        ask_as_guest(&self.peer, &guest, body).await
    }
}

/// What this start says of itself.
pub(super) struct Applicant<'a> {
    pub(super) config: &'a Config,
    pub(super) run: EdgeId,
    pub(super) http: SocketAddr,
    pub(super) cluster: SocketAddr,
}

impl Applicant<'_> {
    /// How this node presents itself.
    pub(super) fn introduction(&self, uuid: &str) -> Introduction {
        Introduction {
            uuid: uuid.to_owned(),
            name: self.config.node.name.clone(),
            http: self.config.http_address(self.http.port()),
            cluster: self.config.cluster_address(self.cluster.port()),
            run: self.run,
        }
    }

    /// Has the node taken in. Asks until it is, or is turned down for good. Returns who it is, and where the other members are.
    ///
    /// # Errors
    /// [`NodeError::Join`], [`NodeError::Guest`], and those of the data directory.
    pub(super) async fn join(&self, home: &Home, joining: &Joining) -> Result<(Identity, Vec<(NodeId, String)>), NodeError> {
        let uuid = home.prepare_join()?;
        let request = JoinRequest { introduction: self.introduction(&uuid), settings: parts::meta_settings(self.config) };
        for attempt in 1.. {
            (joining.progress)(Progress::Connecting { peer: joining.peer.clone(), attempt });
            let why = match joining.guest.ask(&uuid, request.body()).await {
                Ok(answer) => match read_answer(&answer) {
                    Ok(Welcome { cluster_id, node, settings, members }) => {
                        LinkRoster::keep_for_later(self.config, &members);
                        let identity = home.joined(&cluster_id, node, settings.shards)?;
                        (joining.progress)(Progress::Accepted { node_id: node.0, cluster_id });
                        return Ok((identity, members));
                    }
                    Err(error @ JoinError::NotNow) => error.to_string(),
                    Err(error) => return Err(error.into()),
                },
                Err(error @ (GuestError::Refused { .. } | GuestError::Distrusted { .. } | GuestError::TooLong)) => return Err(error.into()),
                Err(error) => error.to_string(),
            };
            (joining.progress)(Progress::Retrying { peer: joining.peer.clone(), why });
            tokio::time::sleep(PAUSE).await;
        }
        unreachable!("attempts are without end")
    }
}

/// Waits until the node holds all that it is to hold, and serves.
///
/// # Errors
/// [`NodeError::Removed`], where the cluster has thought better of it.
pub(super) async fn until_caught_up(clustered: &Clustered, progress: &Watcher, data_dir: &Path) -> Result<(), NodeError> {
    let (mut told, removed) = (None, clustered.links.refused_as_removed());
    loop {
        if *removed.borrow() {
            return Err(NodeError::Removed { data_dir: data_dir.to_owned() });
        }
        let catching_up = clustered.directory.catching_up();
        let state = (catching_up.is_planned, catching_up.done, catching_up.all);
        if catching_up.is_planned && told.replace(state) != Some(state) {
            progress(Progress::CaughtUp { done: catching_up.done, all: catching_up.all });
        }
        if catching_up.is_complete() && clustered.directory.not_ready_reasons().is_empty() {
            progress(Progress::Ready);
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

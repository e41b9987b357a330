//! The node: builds all parts, plugs them into each other, and takes them down in an order in which nothing accepted is lost. The only file that knows everything.

pub mod backup;
mod bridges;
mod clustered;
mod figures;
pub(crate) mod files;
pub mod inner;
mod joining;
mod listening;
mod parts;
mod roster;
mod signals;
mod start;
mod threads;
mod users;
mod watch;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::{mpsc, watch as channel};
use tracing::{error, info};

use crate::clock;
use crate::cluster::links::{GuestError, LinkTlsError};
use crate::cluster::membership_wire::JoinError;
use crate::cluster::meta_command::Refusal;
use crate::config::{Config, secrets};
use crate::http::server::{Server, ServerError};
use crate::http::tls::TlsError;
pub use crate::ports::joining::Progress;
use crate::protocol::token::KeyError;
use crate::shard::{ShardError, Shards};
use crate::telemetry::MetricsError;

use inner::Inner;
use signals::Signals;
use start::Wish;
use threads::Threads;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Secrets(#[from] secrets::SecretsError),
    #[error("{key}: {error}")]
    TokenKey { key: &'static str, error: KeyError },
    #[error("{key}: {path} can't be read: {error}")]
    TokenKeyFile { key: &'static str, path: String, error: std::io::Error },
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Shards(#[from] ShardError),
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error("the threads of the shards can't be started: {0}")]
    Threads(std::io::Error),
    #[error("cluster.listen = {address} can't be used: {error}; hint: choose another port, or end what listens there")]
    ClusterListen { address: SocketAddr, error: std::io::Error },
    #[error(transparent)]
    LinkTls(#[from] LinkTlsError),
    #[error("the join failed: {0}")]
    Guest(#[from] GuestError),
    #[error("the cluster did not take this node in: {0}")]
    Join(#[from] JoinError),
    #[error("the cluster does not know this node as it is: {0}")]
    Member(#[from] Refusal),
    #[error("cluster.shards = {configured}, and the cluster has {shards}; hint: set cluster.shards = {shards}")]
    ShardCount { configured: u16, shards: u16 },
    #[error("this node was removed from its cluster; hint: wipe {}, then `engage join`", data_dir.display())]
    Removed { data_dir: PathBuf },
}

/// How a node's run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A signal asked for it, and all was taken down in order.
    Stopped,
    /// A second signal came before that was done.
    CutShort,
    /// Something failed that the process must not outlive; the log says what.
    Failed,
    /// The node was taken out of its cluster for good.
    Removed,
}

impl Ended {
    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Ended::Stopped | Ended::Removed => 0,
            Ended::CutShort | Ended::Failed => 1,
        }
    }
}

/// A node that runs. To be ended by [`Node::stop`] or [`Node::run_until_signal`]: a node that is merely dropped goes on serving until the process ends.
pub struct Node {
    config: Config,
    secrets: secrets::Origin,
    threads: Threads,
    inner: Inner,
    removed: channel::Receiver<bool>,
    server: Server,
    cluster_address: SocketAddr,
    /// Whether a group has failed for good.
    failed: channel::Receiver<bool>,
}

impl Node {
    /// Starts a node with a checked configuration: takes its addresses, makes or reads the secrets that it lacks, brings the shards up, and serves. A node that belongs to
    /// no cluster makes one of itself. Runs on threads of its own; may be awaited on any executor.
    ///
    /// # Errors
    /// [`NodeError`]; nothing runs on then.
    pub async fn start(config: Config) -> Result<Node, NodeError> {
        start::node(config, None).await
    }

    /// Starts a node that joins a cluster, and returns when it has caught up and serves. A member of that cluster just starts; a join that was interrupted goes on.
    /// `peer` is the cluster address of a member, `host:port`; `progress` is told how it goes on, on the node's threads, and must not block for long.
    ///
    /// # Errors
    /// [`NodeError`]; nothing runs on then.
    pub async fn join(config: Config, peer: &str, progress: impl Fn(Progress) + Send + Sync + 'static) -> Result<Node, NodeError> {
        start::node(config, Some(Wish { peer: peer.to_owned(), progress: Arc::new(progress) })).await
    }

    /// The address under which other nodes reach it.
    #[must_use]
    pub fn cluster_address(&self) -> SocketAddr {
        self.cluster_address
    }

    /// Its shards, for those who measure them without any socket.
    #[must_use]
    pub fn shards(&self) -> &Arc<Shards> {
        &self.inner.shards
    }

    /// The address of the HTTP port; the real port, where the configured one was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Where clients on this machine reach it.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.config.http.tls_cert.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// The configuration, with the secrets that it runs with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where its secrets came from. [`secrets::Origin::Made`]: it is the first start here.
    #[must_use]
    pub fn secrets(&self) -> &secrets::Origin {
        &self.secrets
    }

    /// The id of its cluster.
    #[must_use]
    pub fn cluster_id(&self) -> &str {
        self.inner.shards.cluster_id()
    }

    /// How many client connections it holds.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.inner.edge.connections.count()
    }

    /// Serves until SIGTERM or SIGINT, then stops; a second signal ends it at once. Ends by itself where a part has failed for good: what has failed must not
    /// answer any more, and a fresh start may mend it.
    pub async fn run_until_signal(self) -> Ended {
        let (sender, mut signals) = mpsc::channel(4);
        self.threads.spawn(forward_signals(sender));
        let (mut failed, mut has_ended, mut removed) = (self.failed.clone(), self.server.has_ended(), self.removed.clone());
        let mut ended = Ended::Stopped;
        tokio::select! {
            signal = signals.recv() => info!(signal, "stopping"),
            Ok(_) = removed.wait_for(|removed| *removed) => {
                info!("this node was taken out of its cluster; stopping");
                ended = Ended::Removed;
            }
            Ok(_) = failed.wait_for(|failed| *failed) => {
                error!("a group has failed for good; the process ends, so that a restart may mend it");
                return Ended::Failed;
            }
            _ = has_ended.wait_for(|has_ended| *has_ended) => {
                error!("the http server has ended by itself; the process ends");
                return Ended::Failed;
            }
        }
        tokio::select! {
            () = self.stop() => ended,
            Some(signal) = signals.recv() => {
                error!(signal, "stopping was cut short by a second signal");
                Ended::CutShort
            }
        }
    }

    /// Takes the node down: not ready; its shards are handed to other nodes; no new connections; every client gets `bye` and a Close; what is under way is answered; the
    /// shards sync and end.
    pub async fn stop(self) {
        let Node { config, threads, inner, server, .. } = self;
        let started = clock::monotonic();
        let took_ms = || u64::try_from(clock::monotonic().saturating_duration_since(started).as_millis()).unwrap_or(u64::MAX);
        let left_count = inner.give_away().await;
        info!(left_count, took_ms = took_ms(), "shards handed over");
        server.pause().await;
        let connection_count = inner.edge.connections.count();
        let cut_count = inner.send_away(&config.limits).await;
        info!(connection_count, cut_count, took_ms = took_ms(), "clients have been sent away");
        server.stop().await;
        info!(took_ms = took_ms(), "http server stopped");
        inner.end().await;
        threads.stop();
        info!(took_ms = took_ms(), "node stopped");
    }
}

async fn forward_signals(sender: mpsc::Sender<&'static str>) {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            error!(%error, "signals can't be caught; the node ends without a farewell");
            return std::future::pending().await;
        }
    };
    // An error means that nobody waits for signals any more.
    while sender.send(signals.next().await).await.is_ok() {}
}

#[cfg(test)]
mod tests;

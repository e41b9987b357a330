//! The node: builds all parts, plugs them into each other, and takes them down in an order in which nothing accepted is lost. The only file that knows everything.

mod alone;
pub mod backup;
mod files;
mod owners;
mod parts;
mod signals;
mod threads;
mod users;
mod watch;

use actix_rt::Arbiter;
use actix_web::web;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch as channel};
use tracing::{error, info};

use crate::actors::connections::Connections;
use crate::actors::edge::Edge;
use crate::actors::registry::Registry;
use crate::actors::routes::Routes;
use crate::actors::sessions::Sessions;
use crate::clock;
use crate::config::{Config, secrets};
use crate::http::client_edge::ClientEdge;
use crate::http::cluster::Cluster;
use crate::http::health::{self, Health};
use crate::http::server::{self, Server, ServerError, Site};
use crate::http::state::Api;
use crate::http::tls::TlsError;
use crate::http::{client_edge, routes, socket};
use crate::ledger::ids::ShardId;
use crate::protocol::token::KeyError;
use crate::shard::{Home, Seams, ShardError, Shards};
use crate::telemetry::MetricsError;

use alone::Alone;
use owners::{NoPeers, OwnShards};
use signals::Signals;
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
}

impl Ended {
    /// The exit code of the process.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Ended::Stopped => 0,
            Ended::CutShort | Ended::Failed => 1,
        }
    }
}

/// A node that runs. To be ended by [`Node::stop`] or [`Node::run_until_signal`]: a node that is merely dropped goes on serving until the process ends.
pub struct Node {
    config: Config,
    secrets: secrets::Origin,
    threads: Threads,
    shards: Arc<Shards>,
    members: Arc<Alone>,
    connections: Arc<Connections>,
    api: web::Data<Api>,
    health: web::Data<Health>,
    server: Server,
    /// The shard that has failed for good, once one has.
    failed: channel::Receiver<Option<ShardId>>,
}

impl Node {
    /// Starts a node with a checked configuration: takes the HTTP address, makes or reads the secrets that it lacks, brings the shards up, and serves. Runs on
    /// threads of its own; may be awaited on any executor.
    ///
    /// # Errors
    /// [`NodeError`]; nothing runs on then.
    pub async fn start(mut config: Config) -> Result<Node, NodeError> {
        // Before anything is written: a start that fails on its address leaves the next one a first start.
        let listener = server::bind(config.http.listen, config.http.backlog)?;
        let secrets = secrets::fill(&mut config)?;
        let room = files::make_room(u64::from(config.limits.connections));
        config.limits.connections = u32::try_from(room.connections_max).unwrap_or(u32::MAX);
        crate::telemetry::install_metrics()?;
        let verifier = parts::verifier(&config.auth)?;
        let server_settings = parts::server_settings(&config, room)?;
        let threads = Threads::start(usize::from(config.cluster.threads)).map_err(NodeError::Threads)?;

        let edge = parts::draw_edge();
        let effects = Arc::new(users::LateEffects::default());
        let shards_config = parts::shards_config(&config);
        let home = Home::open(shards_config.data_dir.as_deref())?;
        home.found(shards_config.shard_count)?;
        let start_timeout = Duration::from_millis(shards_config.tuning.start_timeout_ms);
        let shards = Shards::start(shards_config, home, Seams::alone(effects.clone()), threads.handle()).await?;
        shards.wait_until_led(start_timeout).await?;
        let limits = Arc::new(parts::actor_limits(&config));
        let this_node = (shards.node_id(), config.node.name.clone());
        let owners = Arc::new(OwnShards::new(this_node, edge, shards.clone()));
        let registry = Registry::new(parts::shared(shards.clone(), owners.clone(), limits.clone()));
        effects.lead_to(&registry, &owners);
        let ways = Routes::new(owners, Arc::new(NoPeers), registry.clone(), config.node.name.clone());
        let sessions = Sessions::new(ways, config.cluster.shards);
        threads.spawn(Sessions::tend(Arc::downgrade(&sessions)));
        let connections = Connections::new(edge, limits.clone());
        threads.spawn(Connections::sweep(Arc::downgrade(&connections)));
        let users = parts::users(&config, &registry);
        let failed = watch::over(&threads, &shards);

        let address = listener.local_addr().map_err(ServerError::Start)?;
        let members = Arc::new(parts::alone(&config, address, (shards.clone(), connections.clone())));
        let api = web::Data::new(Api::new(parts::api(&config, members.clone(), users.clone())));
        let health = web::Data::new(Health::new(shards.clone(), members.clone()));
        let edge = Arc::new(Edge { sessions, connections: connections.clone(), verifier, limits });
        let cluster = Cluster::new(members.clone(), shards.clone(), config.http.request_timeout.duration());
        let on_connect = socket::on_connect(&edge.limits);
        let clients = ClientEdge::new(edge, users, config.http.allowed_origins.clone());
        let site = Site::new(routes(registry, (api.clone(), web::Data::new(cluster), health.clone()), clients), on_connect);
        match Server::start(listener, server_settings, site).await {
            Ok(server) => {
                info!(address = %server.address(), node = config.node.name, "node ready");
                Ok(Node { config, secrets, threads, shards, members, connections, api, health, server, failed })
            }
            Err(error) => {
                shards.stop().await;
                Err(error.into())
            }
        }
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
        self.shards.cluster_id()
    }

    /// How many client connections it holds.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.connections.count()
    }

    /// Serves until SIGTERM or SIGINT, then stops; a second signal ends it at once. Ends by itself where a part has failed for good: what has failed must not
    /// answer any more, and a fresh start may mend it.
    pub async fn run_until_signal(self) -> Ended {
        let (sender, mut signals) = mpsc::channel(4);
        self.threads.spawn(forward_signals(sender));
        let (mut failed, mut has_ended) = (self.failed.clone(), self.server.has_ended());
        tokio::select! {
            signal = signals.recv() => info!(signal, "stopping"),
            Ok(shard) = failed.wait_for(Option::is_some) => {
                error!(shard = ?*shard, "a shard has failed for good; the process ends, so that a restart may mend it");
                return Ended::Failed;
            }
            _ = has_ended.wait_for(|has_ended| *has_ended) => {
                error!("the http server has ended by itself; the process ends");
                return Ended::Failed;
            }
        }
        tokio::select! {
            () = self.stop() => Ended::Stopped,
            Some(signal) = signals.recv() => {
                error!(signal, "stopping was cut short by a second signal");
                Ended::CutShort
            }
        }
    }

    /// Takes the node down: not ready; no new connections; every client gets `bye` and a Close; what is under way is answered; the shards sync and end.
    pub async fn stop(self) {
        let Node { config, threads, shards, members, connections, api, health, server, .. } = self;
        let started = clock::monotonic();
        let took_ms = || u64::try_from(clock::monotonic().saturating_duration_since(started).as_millis()).unwrap_or(u64::MAX);
        health.drain();
        members.stops();
        server.pause().await;
        api.close_feeds();
        let (spread, timeout) = (config.limits.drain_spread.duration(), config.limits.drain_timeout.duration());
        let connection_count = connections.count();
        match threads.spawn(async move { connections.drain(spread, timeout).await }).await {
            Ok(cut_count) => info!(connection_count, cut_count, took_ms = took_ms(), "clients have been sent away"),
            Err(error) => error!(%error, "draining failed"),
        }
        server.stop().await;
        info!(took_ms = took_ms(), "http server stopped");
        shards.stop().await;
        threads.stop();
        info!(took_ms = took_ms(), "node stopped");
    }
}

/// What each HTTP worker serves; each also takes its share of the user actors.
fn routes(
    registry: Arc<Registry>,
    (api, cluster, health): (web::Data<Api>, web::Data<Cluster>, web::Data<Health>),
    clients: ClientEdge,
) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    let clients = web::Data::new(clients);
    move |app| {
        registry.place(Arbiter::current());
        app.app_data(api.clone()).app_data(cluster.clone()).app_data(health.clone()).app_data(clients.clone());
        app.configure(routes::routes).configure(client_edge::routes).configure(health::routes);
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

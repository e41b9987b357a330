//! A node without its sockets: shards, actors, cluster and API, plugged into each other. What it is reached by comes from outside: TCP and HTTP where it serves,
//! something else in the simulation.

use actix_rt::Arbiter;
use actix_web::web;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tracing::error;

use super::bridges::ReplicatedMeta;
use super::clustered::{Clustered, Ground};
use super::joining::Applicant;
pub use super::joining::{Guest, Joining};
use super::{NodeError, parts, users};
use crate::actors::connections::Connections;
use crate::actors::edge::Edge;
use crate::actors::limits::Limits;
use crate::actors::place::Place;
use crate::actors::registry::Registry;
use crate::actors::routes::Routes;
use crate::actors::sessions::Sessions;
use crate::cluster::directory::Directory;
use crate::cluster::meta_group::Meta;
use crate::config::{self, Config};
use crate::http::client_edge::ClientEdge;
use crate::http::cluster::Cluster;
use crate::http::health::Health;
use crate::http::state::Api;
use crate::http::{client_edge, console, health, routes};
use crate::ledger::ids::EdgeId;
use crate::ports::network::Network;
use crate::ports::peers::NodeId;
use crate::protocol::token::Verifier;
use crate::shard::config::Tuning;
use crate::shard::{Home, Identity, Seams, Shards};

/// Makes the links of a node that knows who it is.
pub type MakeNetwork<'a> = &'a mut dyn FnMut(&Identity) -> Result<Arc<dyn Network>, NodeError>;
/// Changes numbers.
pub type Tune<'a> = &'a dyn Fn(&mut Tuning);

/// What a node is built on.
pub struct Foundation<'a> {
    /// Checked, and with all secrets.
    pub config: &'a Config,
    /// The number of this run, which no other has.
    pub run: EdgeId,
    /// Where publishers and clients reach it.
    pub http: SocketAddr,
    /// Where other nodes reach it.
    pub cluster: SocketAddr,
    pub home: Home,
    /// What shards and links run on.
    pub runtime: Handle,
    /// Makes the links of a node, once it is known who it is.
    pub network: MakeNetwork<'a>,
    /// Changes numbers of the shards that are in no configuration.
    pub tune: Tune<'a>,
}

/// A node without its sockets. To be ended by [`Inner::give_away`], [`Inner::send_away`], [`Inner::end`].
pub struct Inner {
    pub shards: Arc<Shards>,
    pub edge: Arc<Edge>,
    pub(super) clustered: Clustered,
    pub(super) api: web::Data<Api>,
    pub(super) health: web::Data<Health>,
    cluster: web::Data<Cluster>,
    clients: web::Data<ClientEdge>,
    registry: Arc<Registry>,
    pub(super) runtime: Handle,
}

impl Inner {
    /// Builds a node and brings it up: a member as before, a new member, or the founder of a cluster. The other nodes can reach it already while this runs.
    ///
    /// # Errors
    /// [`NodeError`]; nothing runs on then.
    pub async fn start(foundation: Foundation<'_>, joining: Option<&Joining>) -> Result<Inner, NodeError> {
        let Foundation { config, run, http, cluster, home, runtime, network, tune } = foundation;
        let verifier = parts::verifier(&config.auth)?;
        let applicant = Applicant { config, run, http, cluster };
        let (identity, others) = who_it_is(&applicant, &home, joining).await?;
        let links = network(&identity)?;
        let (ground, limits) = lay_ground(&applicant, (home, &identity, tune), (links, runtime)).await?;
        let clustered = Clustered::start(config, &ground);
        clustered.meet(others);
        let introduction = applicant.introduction(&identity.node_uuid);
        if let Err(error) = clustered.present_itself(introduction, parts::meta_settings(config), &ground).await {
            ground.shards.stop().await;
            clustered.stop().await;
            return Err(error);
        }
        Ok(Inner::assemble(config, (ground, limits, verifier), clustered))
    }

    fn assemble(config: &Config, (ground, limits, verifier): (Ground, Arc<Limits>, Verifier), clustered: Clustered) -> Inner {
        let Ground { shards, registry, sessions, connections, runtime, .. } = ground;
        let edge = Arc::new(Edge { sessions, connections, verifier, limits });
        let clients = ClientEdge::new(Arc::clone(&edge), clustered.router.clone(), config.http.allowed_origins.clone());
        let cluster =
            Cluster::new(clustered.status.clone(), clustered.figures.clone(), shards.clone(), config.http.request_timeout.duration());
        Inner {
            api: web::Data::new(Api::new(parts::api(config, &clustered))),
            health: web::Data::new(Health::new(shards.clone(), clustered.status.clone())),
            cluster: web::Data::new(cluster),
            clients: web::Data::new(clients),
            shards,
            edge,
            clustered,
            registry,
            runtime,
        }
    }

    /// What an HTTP worker serves. Each worker also takes its share of the user actors.
    pub fn served(&self) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static + use<> {
        let (api, cluster, health, clients) = (self.api.clone(), self.cluster.clone(), self.health.clone(), self.clients.clone());
        let registry = Arc::clone(&self.registry);
        move |app| {
            if let Some(arbiter) = Arbiter::try_current() {
                registry.place(arbiter);
            }
            app.app_data(api.clone()).app_data(cluster.clone()).app_data(health.clone()).app_data(clients.clone());
            app.configure(routes::routes).configure(client_edge::routes).configure(health::routes).configure(console::routes);
        }
    }

    /// Puts user actors there too.
    pub fn place(&self, place: impl Place + 'static) {
        self.registry.place(place);
    }

    /// Whether all that a new member is to hold has been copied to it, and it serves.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        self.clustered.directory.catching_up().is_complete() && self.clustered.directory.not_ready_reasons().is_empty()
    }

    /// Does from now on what the cluster decides about this node; see [`Clustered::obey`]. The receiver turns true when the node is to end, since it was removed.
    pub fn obey(&self, limits: &config::Limits) -> watch::Receiver<bool> {
        self.clustered.obey(&self.runtime, &self.edge.connections, limits)
    }

    /// The first part of a stop: it is not ready any more, and what it owns is handed to others. Tells how many shards it could not hand over.
    pub async fn give_away(&self) -> usize {
        self.health.drain();
        self.clustered.directory.stop();
        self.clustered.hand_over(&self.runtime, &self.shards).await
    }

    /// The second part: every client gets `bye` and a Close. Tells how many did not go by themselves.
    pub async fn send_away(&self, limits: &config::Limits) -> usize {
        self.api.close_feeds();
        let (spread, timeout) = (limits.drain_spread.duration(), limits.drain_timeout.duration());
        let connections = Arc::clone(&self.edge.connections);
        let drained = self.runtime.spawn(async move { connections.drain(spread, timeout).await }).await;
        drained.unwrap_or_else(|error| {
            error!(%error, "draining failed");
            self.edge.connections.count()
        })
    }

    /// The last part: the shards sync and end, and the links with them.
    pub async fn end(self) {
        self.shards.stop().await;
        self.clustered.stop().await;
    }
}

/// A member as before, a new member, or the founder of a cluster. With a new member come the addresses of the others.
async fn who_it_is(
    applicant: &Applicant<'_>,
    home: &Home,
    joining: Option<&Joining>,
) -> Result<(Identity, Vec<(NodeId, String)>), NodeError> {
    let configured = applicant.config.cluster.shards;
    let (identity, others) = match (joining, home.identity()) {
        (Some(joining), None) => applicant.join(home, joining).await?,
        (_, Some(identity)) => (identity, Vec::new()),
        (None, None) => (home.found(configured)?, Vec::new()),
    };
    if identity.shards != configured {
        return Err(NodeError::ShardCount { configured, shards: identity.shards });
    }
    Ok((identity, others))
}

/// Brings the shards up, and the actors around them.
async fn lay_ground(
    applicant: &Applicant<'_>,
    (home, identity, tune): (Home, &Identity, Tune<'_>),
    (links, runtime): (Arc<dyn Network>, Handle),
) -> Result<(Ground, Arc<Limits>), NodeError> {
    let config = applicant.config;
    let meta = Arc::new(Meta::default());
    let directory = Arc::new(Directory::new(parts::directory(applicant, identity, Arc::clone(&meta))));
    let effects = Arc::new(users::LateEffects::default());
    let seams = Seams { peers: links.clone(), effects: effects.clone(), meta: Arc::new(ReplicatedMeta(meta)) };
    let mut shards_config = parts::shards_config(config);
    tune(&mut shards_config.tuning);
    let shards = Shards::start(shards_config, home, seams, runtime.clone()).await?;
    let limits = Arc::new(parts::actor_limits(config));
    let registry = Registry::new(parts::shared(shards.clone(), directory.clone(), limits.clone()));
    effects.lead_to(&registry);
    let ways = Routes::new(directory.clone(), links.clone(), registry.clone(), config.node.name.clone());
    let sessions = Sessions::new(ways, identity.shards);
    runtime.spawn(Sessions::tend(Arc::downgrade(&sessions)));
    let connections = Connections::new(applicant.run, limits.clone());
    runtime.spawn(Connections::sweep(Arc::downgrade(&connections)));
    let users = parts::users(config, &registry);
    Ok((Ground { links, directory, shards, registry, sessions, connections, users, runtime }, limits))
}

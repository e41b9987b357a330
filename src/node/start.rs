//! Brings a node up: in stages, each of which needs the one before.

use actix_rt::Arbiter;
use actix_web::web;
use std::net::TcpListener;
use std::sync::Arc;
use tracing::info;

use super::bridges::ReplicatedMeta;
use super::clustered::{Clustered, Ground};
use super::joining::{self, Applicant, Joining};
use super::threads::Threads;
use super::{Node, NodeError, files, listening, parts, users, watch};
use crate::actors::connections::Connections;
use crate::actors::edge::Edge;
use crate::actors::registry::Registry;
use crate::actors::routes::Routes;
use crate::actors::sessions::Sessions;
use crate::cluster::directory::Directory;
use crate::cluster::links::Links;
use crate::cluster::meta_group::Meta;
use crate::config::{Config, secrets};
use crate::http::client_edge::ClientEdge;
use crate::http::cluster::Cluster;
use crate::http::health::Health;
use crate::http::server::{self, Server, ServerError, Site};
use crate::http::state::Api;
use crate::http::{client_edge, health, routes, socket};
use crate::ports::peers::NodeId;
use crate::protocol::token::Verifier;
use crate::shard::{Home, Identity, Seams, Shards};

/// What a node has before it knows who it is.
struct Base {
    listener: TcpListener,
    cluster_listener: TcpListener,
    secrets: secrets::Origin,
    verifier: Verifier,
    server: server::Settings,
    threads: Threads,
}

impl Base {
    fn lay(config: &mut Config) -> Result<Base, NodeError> {
        // Before anything is written: a start that fails on its address leaves the next one a first start.
        let listener = server::bind(config.http.listen, config.http.backlog)?;
        let cluster_listener = listening::bind(&config.cluster)?;
        let secrets = secrets::fill(config)?;
        let room = files::make_room(u64::from(config.limits.connections));
        config.limits.connections = u32::try_from(room.connections_max).unwrap_or(u32::MAX);
        crate::telemetry::install_metrics()?;
        let verifier = parts::verifier(&config.auth)?;
        let server = parts::server_settings(config, room)?;
        let threads = Threads::start(usize::from(config.cluster.threads)).map_err(NodeError::Threads)?;
        Ok(Base { listener, cluster_listener, secrets, verifier, server, threads })
    }
}

/// Starts a node; see [`Node::start`] and [`Node::join`].
pub(super) async fn node(mut config: Config, joining: Option<Joining>) -> Result<Node, NodeError> {
    let base = Base::lay(&mut config)?;
    let applicant = Applicant {
        config: &config,
        run: parts::draw_edge(),
        http: base.listener.local_addr().map_err(ServerError::Start)?,
        cluster: base.cluster_listener.local_addr().map_err(ServerError::Start)?,
        tls: parts::link_tls(&config.cluster)?,
    };
    let home = parts::home(&config)?;
    let (identity, others) = who_it_is(&applicant, &home, joining.as_ref()).await?;
    let (ground, limits) = lay_ground(&applicant, (home, &identity), &base.threads).await?;
    let clustered = Clustered::start(&config, base.cluster_listener, &ground);
    clustered.meet(others);
    let presented = clustered.present_itself(applicant.introduction(&identity.node_uuid), parts::meta_settings(&config), &ground).await;

    let Ground { shards, registry, sessions, connections, .. } = ground;
    let (api, health) = (parts::api(&config, &clustered), Health::new(shards.clone(), clustered.status.clone()));
    let (api, health) = (web::Data::new(Api::new(api)), web::Data::new(health));
    let edge = Arc::new(Edge { sessions, connections: connections.clone(), verifier: base.verifier, limits });
    let cluster = Cluster::new(clustered.status.clone(), shards.clone(), config.http.request_timeout.duration());
    let on_connect = socket::on_connect(&edge.limits);
    let clients = ClientEdge::new(edge, clustered.router.clone(), config.http.allowed_origins.clone());
    let site = Site::new(served(registry, (api.clone(), web::Data::new(cluster), health.clone()), clients), on_connect);
    let started = match presented {
        Ok(()) => Server::start(base.listener, base.server, site).await.map_err(NodeError::from),
        Err(error) => Err(error),
    };
    let server = match started {
        Ok(server) => server,
        Err(error) => {
            shards.stop().await;
            clustered.stop().await;
            return Err(error);
        }
    };
    info!(address = %server.address(), node = config.node.name, node_id = identity.node_id.0, "node serves");
    if let Some(Joining { progress, .. }) = &joining {
        joining::until_caught_up(&clustered, progress, &config.node.data_dir).await?;
    }
    let (threads, secrets) = (base.threads, base.secrets);
    let failed = watch::over(&threads, &shards);
    let removed = clustered.obey(&threads, &connections, &config.limits);
    Ok(Node { config, secrets, threads, shards, clustered, removed, connections, api, health, server, failed })
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
    (home, identity): (Home, &Identity),
    threads: &Threads,
) -> Result<(Ground, Arc<crate::actors::limits::Limits>), NodeError> {
    let config = applicant.config;
    let links = Links::new(parts::link_config(applicant, identity), threads.handle());
    let meta = Arc::new(Meta::default());
    let directory = Arc::new(Directory::new(parts::directory(applicant, identity, Arc::clone(&meta))));
    let effects = Arc::new(users::LateEffects::default());
    let seams = Seams { peers: links.clone(), effects: effects.clone(), meta: Arc::new(ReplicatedMeta(meta)) };
    let shards = Shards::start(parts::shards_config(config), home, seams, threads.handle()).await?;
    let limits = Arc::new(parts::actor_limits(config));
    let registry = Registry::new(parts::shared(shards.clone(), directory.clone(), limits.clone()));
    effects.lead_to(&registry);
    let ways = Routes::new(directory.clone(), links.clone(), registry.clone(), config.node.name.clone());
    let sessions = Sessions::new(ways, identity.shards);
    threads.spawn(Sessions::tend(Arc::downgrade(&sessions)));
    let connections = Connections::new(applicant.run, limits.clone());
    threads.spawn(Connections::sweep(Arc::downgrade(&connections)));
    let users = parts::users(config, &registry);
    let ground = Ground { links, directory, shards, registry, sessions, connections, users, runtime: threads.handle() };
    Ok((ground, limits))
}

/// What each HTTP worker serves; each also takes its share of the user actors.
fn served(
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

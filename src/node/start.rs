//! Brings a node up: takes its addresses, builds what is inside, and serves.

use std::net::TcpListener;
use std::sync::Arc;
use tracing::info;

use super::inner::{Foundation, Inner, Joining};
use super::joining::{self, TcpGuest};
use super::threads::Threads;
use super::{Node, NodeError, files, listening, parts, watch};
use crate::cluster::links::Links;
use crate::config::{Config, secrets};
use crate::http::server::{self, Server, ServerError, Site};
use crate::http::socket;
use crate::ports::joining::Watcher;

/// What a node has before it knows who it is.
struct Base {
    listener: TcpListener,
    cluster_listener: TcpListener,
    secrets: secrets::Origin,
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
        let server = parts::server_settings(config, room)?;
        let threads = Threads::start(usize::from(config.cluster.threads)).map_err(NodeError::Threads)?;
        Ok(Base { listener, cluster_listener, secrets, server, threads })
    }
}

/// Where a node is to join, and who is told how that goes on.
pub(super) struct Wish {
    /// The cluster address of a member, `host:port`.
    pub(super) peer: String,
    pub(super) progress: Watcher,
}

/// Starts a node; see [`Node::start`] and [`Node::join`].
pub(super) async fn node(mut config: Config, wish: Option<Wish>) -> Result<Node, NodeError> {
    let base = Base::lay(&mut config)?;
    let (run, tls) = (parts::draw_edge(), parts::link_tls(&config.cluster)?);
    let joining = wish.map(|Wish { peer, progress }| {
        let guest = TcpGuest { peer: peer.clone(), secret: parts::link_secret(&config), name: config.node.name.clone(), tls: tls.clone() };
        Joining { peer, progress, guest: Arc::new(guest) }
    });
    let cluster_address = base.cluster_listener.local_addr().map_err(ServerError::Start)?;
    let mut links = None;
    let inner = Inner::start(
        Foundation {
            config: &config,
            run,
            http: base.listener.local_addr().map_err(ServerError::Start)?,
            cluster: cluster_address,
            home: parts::home(&config)?,
            runtime: base.threads.handle(),
            network: &mut |identity| {
                let made = Links::new(parts::link_config(&config, (run, tls.clone()), identity), base.threads.handle());
                links = Some(Arc::clone(&made));
                Ok(made)
            },
            tune: &|_| {},
        },
        joining.as_ref(),
    )
    .await?;
    links.expect("a node that started has made its links").listen(base.cluster_listener);

    let site = Site::new(inner.served(), socket::on_connect(&inner.edge.limits));
    let server = match Server::start(base.listener, base.server, site).await {
        Ok(server) => server,
        Err(error) => {
            inner.end().await;
            return Err(error.into());
        }
    };
    info!(address = %server.address(), node = config.node.name, node_id = inner.shards.node_id().0, "node serves");
    if let Some(joining) = &joining {
        joining::until_caught_up(&inner.clustered, &joining.progress, &config.node.data_dir).await?;
    }
    let (threads, secrets) = (base.threads, base.secrets);
    let failed = watch::over(&threads, &inner.shards);
    let removed = inner.obey(&config.limits);
    Ok(Node { config, secrets, threads, inner, removed, server, cluster_address, failed })
}

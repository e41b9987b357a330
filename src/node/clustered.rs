//! The cluster room of a node, built and plugged in: links, directory, membership, balancer, pulses, and the ways to users whom other nodes own.

use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info};

use super::bridges::{GroupLog, LinkNews, LocalReplicas, Myself};
use super::figures::Gauges;
use super::roster::LinkRoster;
use super::{NodeError, parts};
use crate::actors::connections::Connections;
use crate::actors::registry::Registry;
use crate::actors::service::SessionService;
use crate::actors::sessions::Sessions;
use crate::cluster::balancer::Balancer;
use crate::cluster::balancer_ops::{Leaders, ServeSteps};
use crate::cluster::directory::Directory;
use crate::cluster::figures::{AllFigures, ServeFigures};
use crate::cluster::forward::{Router, RouterParts};
use crate::cluster::forward_serve::ServeCalls;
use crate::cluster::membership::{Membership, MembershipParts, Roster as _, ServeMembership};
use crate::cluster::membership_wipe::wipe_leftovers;
use crate::cluster::meta::{Settings, Standing};
use crate::cluster::meta_command::Introduction;
use crate::cluster::pulse::Pulses;
use crate::cluster::status::ClusterStatus;
use crate::config::{Config, Limits, Storage};
use crate::ports::calls::Users;
use crate::ports::network::Network;
use crate::ports::owners::Owners as _;
use crate::ports::peers::{NodeId, Service};
use crate::shard::Shards;

/// A node that is alone has its shards by then, or never.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// What is not handed over by then is left to an election.
const HAND_OVER_TIMEOUT: Duration = Duration::from_millis(1_500);

/// What the cluster room is built from.
pub(super) struct Ground {
    pub(super) links: Arc<dyn Network>,
    pub(super) directory: Arc<Directory>,
    pub(super) shards: Arc<Shards>,
    pub(super) registry: Arc<Registry>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) connections: Arc<Connections>,
    /// The users that this node owns.
    pub(super) users: Arc<dyn Users>,
    pub(super) runtime: Handle,
}

/// The cluster room. Its tasks run until [`Clustered::stop`].
pub(super) struct Clustered {
    pub(super) links: Arc<dyn Network>,
    pub(super) directory: Arc<Directory>,
    pub(super) membership: Arc<Membership>,
    pub(super) status: Arc<ClusterStatus>,
    /// What all nodes measure.
    pub(super) figures: Arc<AllFigures>,
    /// All users, whoever owns them.
    pub(super) router: Arc<Router>,
    pub(super) roster: Arc<LinkRoster>,
    tasks: Vec<JoinHandle<()>>,
}

impl Clustered {
    /// Builds it; it reaches the members that this node knows from before.
    pub(super) fn start(config: &Config, ground: &Ground) -> Clustered {
        let Ground { links, directory, shards, runtime, .. } = ground;
        let log = Arc::new(GroupLog(Arc::clone(shards.meta()), shards.node_id()));
        let membership = Membership::new(MembershipParts {
            cluster_id: shards.cluster_id().to_owned(),
            directory: Arc::clone(directory),
            log: log.clone(),
            peers: links.clone(),
            runtime: runtime.clone(),
        });
        let router = Arc::new(router(config, ground));
        let replicas = Arc::new(LocalReplicas(Arc::clone(shards)));
        let pulses = pulses(ground);
        links.serve(Service::Raft, shards.raft_service());
        links.serve(Service::Shard, Arc::new(ServeSteps::new(replicas.clone(), runtime.clone())));
        links.serve(Service::Session, Arc::new(sessions(ground)));
        links.serve(Service::Call, Arc::new(ServeCalls::new(Arc::clone(&ground.users), shards.clone(), runtime.clone())));
        links.serve(Service::Pulse, pulses.clone());
        links.serve(Service::Meta, Arc::new(ServeMembership::meta(Arc::clone(&membership))));
        links.serve(Service::Join, Arc::new(ServeMembership::join(Arc::clone(&membership))));
        let gauges = Arc::new(Gauges::new(config, Arc::clone(shards)));
        links.serve(Service::Figures, Arc::new(ServeFigures::new(gauges.clone(), runtime.clone())));
        links.on_change(Arc::new(LinkNews { directory: Arc::clone(directory), registry: Arc::clone(&ground.registry) }));
        let data_dir = (config.node.storage == Storage::Disk).then(|| config.node.data_dir.clone());
        let roster = LinkRoster::open(Arc::clone(links), data_dir);

        let leaders = Leaders { me: shards.node_id(), ops: replicas.clone(), peers: links.clone() };
        let balancer = Balancer::new(Arc::clone(directory), log, leaders);
        let tasks = vec![
            runtime.spawn(Arc::clone(&membership).follow(roster.clone())),
            runtime.spawn(Arc::clone(directory).watch_over()),
            runtime.spawn(pulses.run()),
            runtime.spawn(balancer.run()),
            runtime.spawn(wipe_leftovers(Arc::clone(directory), replicas)),
            runtime.spawn(Arc::clone(&router).watch_outcomes()),
        ];
        let status = Arc::new(ClusterStatus::new(Arc::clone(directory), Arc::clone(&membership), shards.clone()));
        let figures = Arc::new(AllFigures::new(Arc::clone(directory), links.clone(), gauges));
        Clustered { links: Arc::clone(links), directory: Arc::clone(directory), membership, status, figures, router, roster, tasks }
    }

    /// Other members, by what a join was told.
    pub(super) fn meet(&self, others: Vec<(NodeId, String)>) {
        others.into_iter().for_each(|(node, address)| self.roster.know(node, address));
    }

    /// Makes itself known to the cluster: a node without others founds it, unless that was done; any other says where it is now, as soon as it is heard.
    ///
    /// # Errors
    /// Of a node that is alone: its shards do not get ready. What other nodes must answer is not waited for.
    pub(super) async fn present_itself(&self, introduction: Introduction, settings: Settings, ground: &Ground) -> Result<(), NodeError> {
        if ground.shards.is_alone().await? {
            ground.shards.wait_until_led(START_TIMEOUT).await?;
            self.membership.found(introduction.clone(), settings.clone()).await?;
            self.membership.announce(introduction, settings).await?;
            self.until_owners_are_known().await;
            return Ok(());
        }
        let membership = Arc::clone(&self.membership);
        ground.runtime.spawn(async move {
            if let Err(refusal) = membership.announce(introduction, settings).await {
                error!(%refusal, "the cluster does not take what this node says of itself");
            }
        });
        Ok(())
    }

    /// What a node owns itself it knows within a moment.
    async fn until_owners_are_known(&self) {
        let mut changed = self.directory.changed();
        let known = async { while !self.directory.not_ready_reasons().is_empty() && changed.changed().await.is_ok() {} };
        // It serves either way; `/readyz` says what is missing.
        tokio::time::timeout(START_TIMEOUT, known).await.ok();
    }

    /// Hands the shards that this node leads to other voters. Tells how many it still leads that others could.
    pub(super) async fn hand_over(&self, runtime: &Handle, shards: &Arc<Shards>) -> usize {
        let (shards, directory) = (Arc::clone(shards), Arc::clone(&self.directory));
        let handing = runtime.spawn(async move {
            let load = |node: NodeId| directory.neighbour(node).map_or(usize::MAX, |neighbour| neighbour.about.owned.len());
            shards.hand_over_all(HAND_OVER_TIMEOUT, load).await
        });
        handing.await.unwrap_or_default()
    }

    /// Does what the cluster has decided about this node: drained, it sends its clients away; removed, it is to end, which the receiver tells.
    pub(super) fn obey(&self, runtime: &Handle, connections: &Arc<Connections>, limits: &Limits) -> watch::Receiver<bool> {
        let (removed, is_removed) = watch::channel(false);
        let (mut standing, mut refused) = (self.membership.standing(), self.links.refused_as_removed());
        let connections = Arc::clone(connections);
        let (spread, timeout) = (limits.drain_spread.duration(), limits.drain_timeout.duration());
        runtime.spawn(async move {
            let leaves = |standing: &Option<Standing>| matches!(standing, Some(Standing::Draining | Standing::Leaving | Standing::Removed));
            tokio::select! {
                Ok(_) = standing.wait_for(leaves) => {}
                Ok(_) = refused.wait_for(|refused| *refused) => {}
                else => return,
            }
            let connection_count = connections.count();
            let cut_count = connections.drain(spread, timeout).await;
            info!(connection_count, cut_count, "this node is drained: its clients have been sent away");
            tokio::select! {
                Ok(_) = standing.wait_for(|standing| *standing == Some(Standing::Removed)) => {}
                Ok(_) = refused.wait_for(|refused| *refused) => {}
                else => return,
            }
            removed.send_replace(true);
        });
        is_removed
    }

    /// Ends the tasks and the links.
    pub(super) async fn stop(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.links.stop().await;
    }
}

fn router(config: &Config, ground: &Ground) -> Router {
    let shards = Arc::clone(&ground.shards);
    Router::new(RouterParts {
        owners: ground.directory.clone(),
        peers: ground.links.clone(),
        users: Arc::clone(&ground.users),
        read: ground.shards.clone(),
        timeout: config.http.request_timeout.duration(),
        holds_all: Box::new(move || parts::holds_all(&shards)),
    })
}

fn pulses(ground: &Ground) -> Arc<Pulses> {
    let myself = Myself { shards: Arc::clone(&ground.shards), connections: Arc::clone(&ground.connections) };
    Arc::new(Pulses::new(Arc::clone(&ground.directory), Arc::new(myself), ground.links.clone()))
}

fn sessions(ground: &Ground) -> SessionService {
    let (registry, sessions) = (Arc::clone(&ground.registry), Arc::clone(&ground.sessions));
    SessionService { registry, sessions, peers: ground.links.clone() }
}

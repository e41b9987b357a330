//! The cluster routes of CONTRACT §9: what nodes and shards there are, and how a node is drained or taken out. They show and ask; what is done is `cluster`'s.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::ports::backup::Backup;
use crate::ports::figures::Figures;
use crate::ports::members::{ClusterView, Members, MembershipError, NodeState, NodeView, ShardView};
use crate::ports::peers::NodeId;
use crate::ports::replicas::Replicas;
use crate::protocol::code::Code;

use super::input;
use super::openapi::{schemas, words};
use super::problem::Problem;

/// Shards that are copied at once: each copy keeps the ledger's state of its moment alive until it is read.
const BACKUPS_MAX: usize = 2;
/// Callers who look at the figures at once: each makes all nodes measure.
const LOOKERS_MAX: usize = 16;

/// What the routes look at; handlers get it as `web::Data<Cluster>`.
pub struct Cluster {
    pub members: Arc<dyn Members>,
    pub figures: Arc<dyn Figures>,
    pub backup: Arc<dyn Backup>,
    pub replicas: Arc<dyn Replicas>,
    pub(super) backups: Arc<Semaphore>,
    pub(super) lookers: Arc<Semaphore>,
    /// The time in which a change must be agreed to.
    request_timeout: Duration,
}

impl Cluster {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        members: Arc<dyn Members>,
        figures: Arc<dyn Figures>,
        shards: Arc<impl Backup + Replicas + 'static>,
        request_timeout: Duration,
    ) -> Cluster {
        Cluster {
            members,
            figures,
            backup: shards.clone(),
            replicas: shards,
            backups: Arc::new(Semaphore::new(BACKUPS_MAX)),
            lookers: Arc::new(Semaphore::new(LOOKERS_MAX)),
            request_timeout,
        }
    }

    async fn change(&self, name: &str, change: impl Future<Output = Result<(), MembershipError>>) -> Result<(), Problem> {
        let changed = tokio::time::timeout(self.request_timeout, change).await;
        changed.unwrap_or(Err(MembershipError::Unavailable)).map_err(|error| refused(name, error))
    }
}

/// The nodes and shards of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClusterAnswer {
    pub cluster_id: String,
    pub nodes: Vec<NodeAnswer>,
    pub shards: Vec<ShardAnswer>,
}

/// A node of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeAnswer {
    pub name: String,
    pub id: u64,
    /// Where publishers and clients reach it.
    pub http: String,
    /// Where the other nodes reach it.
    pub cluster: String,
    #[schema(schema_with = words::node_state)]
    pub state: NodeState,
    /// Shards that it leads.
    pub leaders: u32,
    /// Shards that it holds.
    pub replicas: u32,
    /// Client connections that it holds; `null` while it says nothing.
    pub connections: Option<u64>,
}

/// A shard of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShardAnswer {
    pub shard: u16,
    /// The node that leads it; `null` while there is none.
    pub leader: Option<String>,
    pub term: u64,
    pub voters: Vec<String>,
    pub learners: Vec<String>,
    pub applied_index: u64,
    pub users: u64,
    /// Log entries that the slowest of its replicas is behind the leader; `null` while that isn't known.
    pub lag: Option<u64>,
}

/// A change of the members that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChangeAnswer {
    pub name: String,
    /// In which state the node is now. `GET /v1/cluster` shows how far it is.
    #[schema(schema_with = words::node_state)]
    pub state: NodeState,
}

/// Shows the nodes and shards of the cluster.
#[utoipa::path(
    get, path = "/v1/cluster", tag = "cluster", operation_id = "cluster",
    responses((status = 200, description = "As this node sees it.", body = ClusterAnswer)),
)]
pub async fn cluster(cluster: web::Data<Cluster>) -> HttpResponse {
    HttpResponse::Ok().json(answer(cluster.members.view()))
}

/// Drains a node: moves leaders and connections off it.
///
/// The cluster has agreed to it when this is answered; the moving goes on by itself. Sent again, it changes nothing.
#[utoipa::path(
    post, path = "/v1/cluster/nodes/{name}/drain", tag = "cluster", operation_id = "drainNode",
    params(schemas::NodePath),
    responses(
        (status = 202, description = "It is being drained.", body = ChangeAnswer),
        (status = 404, description = "`not_found`: the cluster has no such node."),
        (status = 409, description = "`last_node` or `loses_majority`: the others can't do without it."),
    ),
)]
pub async fn drain(cluster: web::Data<Cluster>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = input::node(&request)?;
    cluster.change(&name, cluster.members.drain(&name)).await?;
    Ok(HttpResponse::Accepted().json(ChangeAnswer { name, state: NodeState::Draining }))
}

/// Takes a node, dead or drained, out for good.
///
/// The cluster has agreed to it when this is answered; the moving goes on by itself. Sent again, it changes nothing, until the node is gone and not known any more.
#[utoipa::path(
    delete, path = "/v1/cluster/nodes/{name}", tag = "cluster", operation_id = "removeNode",
    params(schemas::NodePath),
    responses(
        (status = 202, description = "It is being taken out.", body = ChangeAnswer),
        (status = 404, description = "`not_found`: the cluster has no such node."),
        (status = 409, description = "`not_drained`: it lives, and is to be drained first. `last_node` or `loses_majority`: the others can't do without it."),
    ),
)]
pub async fn remove(cluster: web::Data<Cluster>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = input::node(&request)?;
    cluster.change(&name, cluster.members.remove(&name)).await?;
    Ok(HttpResponse::Accepted().json(ChangeAnswer { name, state: NodeState::Leaving }))
}

fn refused(name: &str, error: MembershipError) -> Problem {
    let code = match error {
        MembershipError::Unknown => Code::NotFound,
        MembershipError::NotDrained => Code::NotDrained,
        MembershipError::LastNode => Code::LastNode,
        MembershipError::WouldLoseMajority { .. } => Code::LosesMajority,
        MembershipError::Unavailable => Code::Unavailable,
    };
    Problem::new(code, format!("node {name}: {error}"))
}

fn answer(view: ClusterView) -> ClusterAnswer {
    let names: BTreeMap<NodeId, String> = view.nodes.iter().map(|node| (node.id, node.name.clone())).collect();
    // A node that was just taken out may still stand in a shard's membership.
    let name = |id: NodeId| names.get(&id).cloned().unwrap_or_else(|| format!("node-{id}"));
    let shards = view.shards.into_iter().map(|shard| shard_answer(shard, &name)).collect();
    ClusterAnswer { cluster_id: view.cluster_id, nodes: view.nodes.into_iter().map(NodeAnswer::from).collect(), shards }
}

impl From<NodeView> for NodeAnswer {
    fn from(node: NodeView) -> NodeAnswer {
        let NodeView { name, id, http, cluster, state, leaders, replicas, connections } = node;
        NodeAnswer { name, id: id.0, http, cluster, state, leaders, replicas, connections }
    }
}

fn shard_answer(shard: ShardView, name: &dyn Fn(NodeId) -> String) -> ShardAnswer {
    let names = |ids: Vec<NodeId>| ids.into_iter().map(name).collect();
    ShardAnswer {
        shard: shard.shard.0,
        leader: shard.leader.map(name),
        term: shard.term,
        voters: names(shard.voters),
        learners: names(shard.learners),
        applied_index: shard.applied_index,
        users: shard.users,
        lag: shard.lag,
    }
}

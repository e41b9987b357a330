//! `GET /v1/cluster`: nodes and shards, as this node sees them. A cluster of one so far: every shard has this node as its one voter.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::health::Health;
use crate::actors::connections::Connections;
use crate::ports::Read;

/// What this node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub id: u64,
    /// Addresses, as `host:port`.
    pub http: String,
    pub cluster: String,
}

/// What the route looks at; handlers get it as `web::Data<Cluster>`.
pub struct Cluster {
    pub cluster_id: String,
    pub member: Member,
    pub read: Arc<dyn Read>,
    pub health: web::Data<Health>,
    pub connections: Arc<Connections>,
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
    /// `ready`, `not_ready` or `draining`.
    pub state: &'static str,
    /// Shards that it leads.
    pub leaders: usize,
    /// Shards that it holds.
    pub replicas: usize,
    /// Client connections that it holds.
    pub connections: usize,
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
}

/// Shows the nodes and shards of the cluster.
#[utoipa::path(
    get, path = "/v1/cluster", tag = "cluster", operation_id = "cluster",
    responses((status = 200, description = "As this node sees it.", body = ClusterAnswer)),
)]
pub async fn cluster(cluster: web::Data<Cluster>) -> HttpResponse {
    HttpResponse::Ok().json(cluster.answer())
}

impl Cluster {
    fn answer(&self) -> ClusterAnswer {
        let Member { name, id, http, cluster } = &self.member;
        let status = self.read.status();
        let node = NodeAnswer {
            name: name.clone(),
            id: *id,
            http: http.clone(),
            cluster: cluster.clone(),
            state: self.state(),
            leaders: status.iter().filter(|shard| shard.leader == Some(*id)).count(),
            replicas: status.len(),
            connections: self.connections.count(),
        };
        let shards = status.into_iter().map(|shard| ShardAnswer {
            shard: shard.shard.0,
            leader: shard.leader.filter(|leader| leader == id).map(|_| name.clone()),
            term: shard.term,
            voters: vec![name.clone()],
            learners: Vec::new(),
            applied_index: shard.applied_index,
            users: shard.counts.users,
        });
        ClusterAnswer { cluster_id: self.cluster_id.clone(), nodes: vec![node], shards: shards.collect() }
    }

    fn state(&self) -> &'static str {
        match self.health.not_ready_reasons().is_empty() {
            _ if self.health.is_draining() => "draining",
            true => "ready",
            false => "not_ready",
        }
    }
}

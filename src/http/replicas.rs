//! `GET /v1/cluster/replicas`: what this node's own replicas hold, as a hash each, for whoever compares nodes. It speaks of no other node.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ports::replicas::{ReplicaState, ReplicaStates};
use crate::protocol::code::Code;

use super::cluster::Cluster;
use super::problem::Problem;

/// The replicas of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReplicasAnswer {
    /// The node that answers; it speaks of itself alone.
    pub node: String,
    pub replicas: Vec<ReplicaAnswer>,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReplicaAnswer {
    pub shard: u16,
    /// The last log entry that it has applied.
    pub applied_index: u64,
    /// Of all that the replica holds at that entry, in hexadecimal digits: replicas of one shard with the same `applied_index` have the same.
    pub state_hash: String,
}

/// Shows what this node's replicas hold.
///
/// Asked of each node in turn, it shows whether replicas have come apart. It reads all that the node holds: not a call for every second.
#[utoipa::path(
    get, path = "/v1/cluster/replicas", tag = "cluster", operation_id = "replicas",
    responses((status = 200, description = "The replicas of the node that was asked.", body = ReplicasAnswer)),
)]
pub async fn replicas(cluster: web::Data<Cluster>) -> Result<HttpResponse, Problem> {
    let busy = |_| Problem::new(Code::RateLimited, "other shards are being read; hint: one after the other");
    // Shared with the backups, whose price is the same.
    let _place = Arc::clone(&cluster.backups).try_acquire_owned().map_err(busy)?;
    let states = cluster.replicas.states().await.map_err(|error| Problem::new(Code::Unavailable, error.to_string()))?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(answer(states)))
}

fn answer(states: ReplicaStates) -> ReplicasAnswer {
    let one = |ReplicaState { shard, applied_index, state_hash }| ReplicaAnswer {
        shard: shard.0,
        applied_index,
        state_hash: format!("{state_hash:016x}"),
    };
    ReplicasAnswer { node: states.node, replicas: states.replicas.into_iter().map(one).collect() }
}

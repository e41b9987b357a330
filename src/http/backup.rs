//! `GET /v1/cluster/backup`: one shard's snapshot, as its owner has it. Any other node says where the owner is; whoever wants all shards asks for one after the other,
//! so that it works with any number of nodes, and no node copies for another.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError};

use crate::ledger::ids::ShardId;
use crate::ports::backup::BackupError;
use crate::protocol::code::Code;

use super::cluster::Cluster;
use super::input::Query;
use super::openapi::schemas;
use super::problem::Problem;
use super::state::Api;

/// Copies a shard, for a backup.
///
/// The answer is a snapshot in the format of the nodes, with an end of its own: one that was cut is told from a whole one. `engage backup` makes one file of all shards.
#[utoipa::path(
    get, path = "/v1/cluster/backup", tag = "cluster", operation_id = "backupShard",
    params(("shard" = u16, Query, description = "Which shard; they are numbered from 0.", minimum = 0, maximum = 1023)),
    responses(
        (status = 200, description = "All that was confirmed before the call.", body = schemas::Octets, content_type = "application/octet-stream"),
        (status = 307, description = "Another node owns the shard: `Location` says which."),
    ),
)]
pub async fn shard(api: web::Data<Api>, cluster: web::Data<Cluster>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let last = u64::from(api.read.shard_count().saturating_sub(1));
    let shard = Query::read(&request, &["shard"])?.number("shard", 0..=last)?;
    let missing =
        || Problem::new(Code::BadRequest, "the parameter `shard` is missing; hint: ask for one shard after the other").field("shard");
    let shard = ShardId(u16::try_from(shard.ok_or_else(missing)?).expect("it is below the number of shards"));
    let place = Arc::clone(&cluster.backups).try_acquire_owned().map_err(too_many)?;
    match cluster.backup.shard(shard).await {
        Ok(pieces) => Ok(HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/octet-stream"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .streaming(stream::unfold((pieces, place), next_piece))),
        Err(BackupError::NotOwner) => to_owner(&cluster, &request, shard),
        Err(error @ BackupError::Unavailable) => Err(Problem::new(Code::Unavailable, error.to_string())),
    }
}

type Copying = (Receiver<Bytes>, OwnedSemaphorePermit);

async fn next_piece((mut pieces, place): Copying) -> Option<(Result<Bytes, actix_web::Error>, Copying)> {
    pieces.recv().await.map(|piece| (Ok(piece), (pieces, place)))
}

/// Says where the owner is. A problem, where nobody owns the shard, or its owner is this node, which has not taken it over yet.
fn to_owner(cluster: &Cluster, request: &HttpRequest, shard: ShardId) -> Result<HttpResponse, Problem> {
    let view = cluster.members.view();
    let leader = view.shards.iter().find(|view| view.shard == shard).and_then(|view| view.leader);
    let Some(owner) = view.nodes.into_iter().find(|node| Some(node.id) == leader) else {
        return Err(Problem::new(Code::Unavailable, format!("shard {shard} has no owner now; hint: try again in a second")));
    };
    // All nodes of a cluster speak TLS, or none does.
    let scheme = if request.app_config().secure() { "https" } else { "http" };
    let location = format!("{scheme}://{}/v1/cluster/backup?shard={shard}", owner.http);
    Ok(HttpResponse::TemporaryRedirect().insert_header((LOCATION, location)).insert_header((CACHE_CONTROL, "no-store")).finish())
}

fn too_many(_: TryAcquireError) -> Problem {
    Problem::new(Code::RateLimited, "other shards are being copied; hint: one after the other")
}

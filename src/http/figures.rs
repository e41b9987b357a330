//! `GET /v1/cluster/figures`: what every node measures, from any of them, for the console and for scripts that want no Prometheus. It words what it is given, and measures nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ledger::ids::ShardId;
use crate::ports::figures::{LinkFigures, MemberFigures, NodeFigures, OwnedFigures};
use crate::ports::peers::NodeId;
use crate::protocol::api::cursor::Cursor;
use crate::protocol::code::Code;
use crate::telemetry::SECONDS_BUCKETS;

use super::cluster::Cluster;
use super::problem::Problem;
use super::state::Api;

/// What all nodes measure.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FiguresAnswer {
    /// The node that answers.
    pub node: String,
    /// Upper bounds of the buckets of all histograms, in seconds.
    pub bounds_seconds: [f64; 17],
    /// Where the outcome feed ends now: `after` for whoever wants only what comes. `null` while not every shard has an owner that answers.
    pub outcomes_cursor: Option<String>,
    /// All members, in the order of their ids.
    pub nodes: Vec<MemberAnswer>,
}

/// A member, and what it measures.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MemberAnswer {
    pub name: String,
    pub id: u64,
    /// By how many ms its clock is ahead of that of the node that answers, about.
    pub clock_ahead_ms: Option<i64>,
    /// `null`, when it gave no answer within 700 ms.
    pub figures: Option<NodeFiguresAnswer>,
}

/// What one node measures. Counts begin with its process.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct NodeFiguresAnswer {
    /// Its own wall clock, in ms since the epoch.
    pub at: u64,
    /// Ms since its process began, by its monotonic clock: rates are differences of counts by differences of this. When it falls, the process is another one.
    pub up_ms: u64,
    pub version: String,
    pub counts: CountsAnswer,
    pub times: TimesAnswer,
    /// Open client connections, by kind.
    pub connections: BTreeMap<String, u64>,
    pub links: Vec<LinkAnswer>,
    /// Those that it owns.
    pub shards: Vec<OwnedAnswer>,
    /// Shards whose group has failed for good on it; its process is about to end.
    pub failed_shards: Vec<u16>,
    pub memory_bytes: Option<u64>,
    pub open_files: Option<u64>,
    /// Where its data lies; `null` in memory mode.
    pub disk: Option<DiskAnswer>,
    pub bounds: BoundsAnswer,
}

/// How often something happened.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CountsAnswer {
    /// Publishes answered, by status.
    pub publishes: BTreeMap<String, u64>,
    /// Acks and dismisses answered, by result: `confirm`, or an error's code.
    pub acks: BTreeMap<String, u64>,
    pub offers: u64,
    /// Refused by a rate or a cap, by its name.
    pub limited: BTreeMap<String, u64>,
    /// Refused credentials, by kind.
    pub refused: BTreeMap<String, u64>,
    /// Refused peers, by reason.
    pub refused_peers: BTreeMap<String, u64>,
    /// Connections that ended, by code.
    pub closed: BTreeMap<String, u64>,
    /// Connections from which all was withdrawn, because no owner spoke for them in time.
    pub leases_run_out: u64,
    /// Offers of what was confirmed before. Stays 0.
    pub redelivered: u64,
}

/// How often something took how long: a number for each of `bounds_seconds`, and one for what took longer. Empty where nothing was timed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TimesAnswer {
    /// From taking a publish to its commit.
    pub publish: Vec<u64>,
    /// From taking an ack to its confirm.
    pub confirm: Vec<u64>,
    /// From proposing an entry to its result.
    pub commit: Vec<u64>,
    /// One sync of the log, for all shards together.
    pub log_sync: Vec<u64>,
}

/// The link to one other node.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LinkAnswer {
    pub node: String,
    pub up: bool,
    /// Links that came up; all but the first are reconnects.
    pub opened: u64,
    /// From a ping to its pong, in the buckets of `bounds_seconds`.
    pub round_trip: Vec<u64>,
    pub queued_bytes: u64,
    pub in_bytes: u64,
    pub out_bytes: u64,
    /// Messages that found their lane full.
    pub not_sent: u64,
}

/// A shard, as its owner measures it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OwnedAnswer {
    pub shard: u16,
    /// Ms since a majority stood behind it.
    pub quorum_age_ms: u64,
    /// Commands that wait to be proposed.
    pub queued: u64,
    /// Entries that each other replica is behind, by the node's name.
    pub lags: BTreeMap<String, u64>,
    pub buffered_deliveries: u64,
    pub buffered_bytes: u64,
    pub ledger_bytes: u64,
}

/// Where the data lies.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DiskAnswer {
    pub free_bytes: u64,
    pub all_bytes: u64,
}

/// What some of the figures are to be held against.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BoundsAnswer {
    /// `cluster.replication`.
    pub replication: u16,
    /// `limits.connections`, or as many as the limit of open files lets in.
    pub connections: u64,
    pub open_files: Option<u64>,
    /// `limits.ledger_bytes_per_shard`.
    pub ledger_bytes_per_shard: u64,
    /// `limits.shard_queue_commands`.
    pub shard_queue_commands: u64,
}

/// Shows what all nodes measure.
///
/// Each node is asked and has 700 ms to answer. Good for a look every second; `/metrics` on each node is what Prometheus wants.
#[utoipa::path(
    get, path = "/v1/cluster/figures", tag = "cluster", operation_id = "figures",
    responses((status = 200, description = "All members; those that gave no answer without figures.", body = FiguresAnswer)),
)]
pub async fn figures(api: web::Data<Api>, cluster: web::Data<Cluster>) -> Result<HttpResponse, Problem> {
    let busy = |_| Problem::new(Code::RateLimited, "figures are asked for too often at once; hint: try again in a second");
    let _place = Arc::clone(&cluster.lookers).try_acquire_owned().map_err(busy)?;
    let answer = answer(cluster.figures.me(), cluster.figures.of_all().await, api.read.shard_count());
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(answer))
}

fn answer(node: String, members: Vec<MemberFigures>, shard_count: u16) -> FiguresAnswer {
    let names: BTreeMap<NodeId, String> = members.iter().map(|member| (member.id, member.name.clone())).collect();
    let outcomes_cursor = end_of_outcomes(&members, shard_count).map(|cursor| cursor.to_string());
    let member = |MemberFigures { name, id, figures, clock_ahead_ms }| MemberAnswer {
        name,
        id: id.0,
        clock_ahead_ms,
        figures: figures.map(|figures| node_answer(figures, &names)),
    };
    let nodes = members.into_iter().map(member).collect();
    FiguresAnswer { node, bounds_seconds: SECONDS_BUCKETS, outcomes_cursor, nodes }
}

/// Behind the newest outcome of every shard. Of two that both say that they own a shard, the one that knows less: nothing is left out.
fn end_of_outcomes(members: &[MemberFigures], shard_count: u16) -> Option<Cursor> {
    let owned = members.iter().filter_map(|member| member.figures.as_ref()).flat_map(|figures| &figures.shards);
    let mut newest: BTreeMap<ShardId, u64> = BTreeMap::new();
    for shard in owned.filter(|shard| shard.shard.0 < shard_count) {
        newest.entry(shard.shard).and_modify(|known| *known = shard.outcomes.min(*known)).or_insert(shard.outcomes);
    }
    (shard_count > 0 && newest.len() == usize::from(shard_count)).then(|| Cursor::new(ShardId(0), newest.into_values().collect()))
}

fn node_answer(figures: NodeFigures, names: &BTreeMap<NodeId, String>) -> NodeFiguresAnswer {
    let NodeFigures { at, up_ms, version, counts, times, connections, links, shards, failed, memory_bytes, open_files, disk, bounds } =
        figures;
    NodeFiguresAnswer {
        at,
        up_ms,
        version,
        counts: CountsAnswer {
            publishes: counts.publishes,
            acks: counts.acks,
            offers: counts.offers,
            limited: counts.limited,
            refused: counts.refused,
            refused_peers: counts.refused_peers,
            closed: counts.closed,
            leases_run_out: counts.leases_run_out,
            redelivered: counts.redelivered,
        },
        times: TimesAnswer { publish: times.publish, confirm: times.confirm, commit: times.commit, log_sync: times.log_sync },
        connections,
        links: links.into_iter().map(LinkAnswer::from).collect(),
        shards: shards.into_iter().map(|shard| owned_answer(shard, names)).collect(),
        failed_shards: failed.into_iter().map(|shard| shard.0).collect(),
        memory_bytes,
        open_files,
        disk: disk.map(|disk| DiskAnswer { free_bytes: disk.free_bytes, all_bytes: disk.all_bytes }),
        bounds: BoundsAnswer {
            replication: bounds.replication,
            connections: bounds.connections,
            open_files: bounds.open_files,
            ledger_bytes_per_shard: bounds.ledger_bytes_per_shard,
            shard_queue_commands: bounds.shard_queue_commands,
        },
    }
}

impl From<LinkFigures> for LinkAnswer {
    fn from(link: LinkFigures) -> LinkAnswer {
        let LinkFigures { node, is_up: up, opened, round_trip, queued_bytes, in_bytes, out_bytes, not_sent } = link;
        LinkAnswer { node, up, opened, round_trip, queued_bytes, in_bytes, out_bytes, not_sent }
    }
}

fn owned_answer(shard: OwnedFigures, names: &BTreeMap<NodeId, String>) -> OwnedAnswer {
    let name = |id: NodeId| names.get(&id).cloned().unwrap_or_else(|| format!("node-{id}"));
    OwnedAnswer {
        shard: shard.shard.0,
        quorum_age_ms: shard.quorum_age_ms,
        queued: shard.queued,
        lags: shard.lags.into_iter().map(|(id, lag)| (name(id), lag)).collect(),
        buffered_deliveries: shard.buffered_deliveries,
        buffered_bytes: shard.buffered_bytes,
        ledger_bytes: shard.ledger_bytes,
    }
}

//! Measures this node: words what telemetry has recorded, what the shards say of themselves and what the system says of the process as the figures of one node. Decides nothing.

use async_trait::async_trait;
use rustix::process::{Resource, getrlimit};
use std::path::PathBuf;
use std::sync::Arc;

use crate::blocking;
use crate::clock;
use crate::config::{Config, Storage};
use crate::ports::figures::{Bounds, Counts, DiskFigures, LinkFigures, Measure, NodeFigures, OwnedFigures, Times};
use crate::ports::{Read as _, ShardStatus};
use crate::shard::Shards;
use crate::telemetry::{self, Readings, names};

/// Implements [`Measure`].
pub(super) struct Gauges(Arc<Ground>);

/// What is measured.
struct Ground {
    shards: Arc<Shards>,
    /// None in memory mode.
    data_dir: Option<PathBuf>,
    bounds: Bounds,
}

impl Gauges {
    pub(super) fn new(config: &Config, shards: Arc<Shards>) -> Gauges {
        let data_dir = (config.node.storage == Storage::Disk).then(|| config.node.data_dir.clone());
        let bounds = Bounds {
            replication: config.cluster.replication,
            connections: u64::from(config.limits.connections),
            open_files: getrlimit(Resource::Nofile).current,
            ledger_bytes_per_shard: config.limits.ledger_bytes_per_shard.bytes(),
            shard_queue_commands: u64::from(config.limits.shard_queue_commands),
        };
        Gauges(Arc::new(Ground { shards, data_dir, bounds }))
    }
}

#[async_trait]
impl Measure for Gauges {
    async fn measure(&self) -> NodeFigures {
        let ground = Arc::clone(&self.0);
        // It reads files and a long text: nothing for a thread that others wait for. Only a runtime that ends leaves it undone.
        blocking::run(move || ground.measure()).await.unwrap_or_default()
    }
}

impl Ground {
    fn measure(&self) -> NodeFigures {
        let readings = Readings::now();
        let shards = self.shards.status();
        NodeFigures {
            at: clock::wall_ms(),
            up_ms: clock::monotonic_ms(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            counts: counts(&readings),
            times: times(&readings),
            connections: readings.by(names::CONNECTIONS, "kind"),
            links: links(&readings),
            shards: shards.iter().filter_map(owned).collect(),
            failed: shards.iter().filter(|shard| shard.is_fatal).map(|shard| shard.shard).collect(),
            memory_bytes: telemetry::resident_bytes(),
            open_files: telemetry::open_files(),
            disk: self.disk(),
            bounds: self.bounds,
        }
    }

    fn disk(&self) -> Option<DiskFigures> {
        let space = rustix::fs::statvfs(self.data_dir.as_ref()?).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
        Some(DiskFigures { free_bytes: bytes(space.f_bavail), all_bytes: bytes(space.f_blocks) })
    }
}

fn counts(readings: &Readings) -> Counts {
    Counts {
        publishes: readings.by(names::PUBLISHES_TOTAL, "status"),
        acks: readings.by(names::ACKS_TOTAL, "result"),
        offers: readings.sum(names::OFFERS_TOTAL, &[]),
        limited: readings.by(names::LIMITED_TOTAL, "limit"),
        refused: readings.by(names::REFUSED_CREDENTIALS_TOTAL, "kind"),
        refused_peers: readings.by(names::LINK_REFUSED_TOTAL, "reason"),
        closed: readings.by(names::CONNECTIONS_CLOSED_TOTAL, "code"),
        leases_run_out: readings.sum(names::LEASES_RUN_OUT_TOTAL, &[]),
        redelivered: readings.sum(names::REDELIVERY_AFTER_ACK_TOTAL, &[]),
    }
}

fn times(readings: &Readings) -> Times {
    Times {
        publish: readings.histogram(names::PUBLISH_SECONDS, &[]),
        confirm: readings.histogram(names::ACK_SECONDS, &[]),
        commit: readings.histogram(names::COMMIT_SECONDS, &[]),
        log_sync: readings.histogram(names::LOG_SYNC_SECONDS, &[]),
    }
}

/// Of every node that there ever was a link to.
fn links(readings: &Readings) -> Vec<LinkFigures> {
    let link = |(node, up): (String, u64)| {
        let labels: &[(&str, &str)] = &[("node", &node)];
        let bytes = |direction: &str| readings.sum(names::LINK_BYTES_TOTAL, &[("node", &node), ("direction", direction)]);
        LinkFigures {
            is_up: up > 0,
            opened: readings.sum(names::LINK_OPENED_TOTAL, labels),
            round_trip: readings.histogram(names::LINK_ROUND_TRIP_SECONDS, labels),
            queued_bytes: readings.sum(names::LINK_QUEUE_BYTES, labels),
            in_bytes: bytes("in"),
            out_bytes: bytes("out"),
            not_sent: readings.sum(names::LINK_NOT_SENT_TOTAL, labels),
            node: node.clone(),
        }
    };
    readings.by(names::LINK_UP, "node").into_iter().map(link).collect()
}

fn owned(status: &ShardStatus) -> Option<OwnedFigures> {
    status.is_owner.then(|| OwnedFigures {
        shard: status.shard,
        quorum_age_ms: status.quorum_age_ms.unwrap_or_default(),
        queued: status.queued_count,
        lags: status.lag.clone(),
        buffered_deliveries: status.counts.buffered_deliveries,
        buffered_bytes: status.counts.buffered_bytes,
        ledger_bytes: status.counts.ledger_bytes,
        outcomes: status.outcome_totals.iter().sum(),
    })
}

//! How large the cluster of a run is, and how fast its parts are.

use engage::ledger::limits::Overflow;
use rand::RngExt;
use rand::rngs::StdRng;
use serde::Serialize;

/// Where a node keeps its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    Disk,
    Memory,
}

/// One node at the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodePlan {
    pub storage: Storage,
    /// How far its wall clock is off. Its monotonic clock begins anywhere, which is the world's to draw.
    pub wall_skew_ms: i64,
    /// How long a sync of its disk takes at the least, and by how much longer at times.
    pub sync_us: u64,
    pub sync_jitter_us: u64,
}

/// The links, between nodes and to clients, one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkPlan {
    pub delay_us: u64,
    pub jitter_us: u64,
    pub client_delay_us: u64,
    pub client_jitter_us: u64,
}

/// The cluster, and what its configuration says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterPlan {
    pub nodes: Vec<NodePlan>,
    pub shards: u16,
    pub replication: u16,
    pub heartbeat_ms: u64,
    pub election_min_ms: u64,
    pub election_max_ms: u64,
    pub lease_ms: u64,
    pub request_timeout_ms: u64,
    pub snapshot_log_bytes: u64,
    /// Short ones make snapshots in a run.
    pub snapshot_interval_ms: u64,
    /// How much of the log stays behind a snapshot. A replica that lags by more than that is sent a snapshot.
    pub keep_log_bytes: u64,
    pub window_ms: u64,
    pub carry_ms: u64,
    pub buffer_deliveries: u32,
    pub buffer_bytes: u64,
    pub overflow: Overflow,
    pub link: LinkPlan,
}

impl ClusterPlan {
    /// So few deliveries fit into a user's replay buffer that it fills up.
    #[must_use]
    pub fn has_tight_buffer(&self) -> bool {
        self.buffer_deliveries < 20
    }
}

/// Windows that end while the run goes on are at most this long.
pub const SHORT_WINDOW_MS: u64 = 60_000;

/// Draws a cluster.
pub fn draw(rng: &mut StdRng) -> ClusterPlan {
    let count = [1, 3, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5][rng.random_range(0..12)];
    let memory = (count >= 3 && rng.random_ratio(1, 6)).then(|| rng.random_range(0..count));
    let nodes = (0..count).map(|place| draw_node(rng, memory == Some(place))).collect();
    // Leases below three elections would make every failover look like a lost edge.
    let (heartbeat_ms, election_min_ms, election_max_ms) =
        [(50, 150, 250), (100, 300, 500), (100, 300, 500), (150, 500, 800)][rng.random_range(0..4)];
    let is_short = rng.random_ratio(3, 4);
    let window_ms = if is_short { rng.random_range(20_000..=SHORT_WINDOW_MS) } else { 24 * 3_600_000 };
    let carry_ms = if is_short { rng.random_range(5_000..=15_000) } else { 6 * 3_600_000 };
    let is_tight = rng.random_ratio(1, 3);
    ClusterPlan {
        nodes,
        shards: rng.random_range(1..=3),
        replication: 3,
        heartbeat_ms,
        election_min_ms,
        election_max_ms,
        lease_ms: rng.random_range(2_000..=10_000),
        request_timeout_ms: rng.random_range(3_000..=6_000),
        snapshot_log_bytes: [1 << 20, 64 << 20][rng.random_range(0..2)],
        snapshot_interval_ms: [1_000, 3_000, 10_000, 600_000][rng.random_range(0..4)],
        keep_log_bytes: [4 << 10, 32 << 10, 512 << 10][rng.random_range(0..3)],
        window_ms,
        carry_ms,
        buffer_deliveries: if is_tight { rng.random_range(4..=10) } else { 256 },
        buffer_bytes: 256 << 10,
        overflow: if rng.random_ratio(1, 2) { Overflow::Reject } else { Overflow::DropOldest },
        link: draw_link(rng),
    }
}

/// How long the faults go on.
pub fn draw_safety_ms(rng: &mut StdRng) -> u64 {
    rng.random_range(20_000..=60_000)
}

fn draw_node(rng: &mut StdRng, is_memory: bool) -> NodePlan {
    let skew = if rng.random_ratio(1, 4) { 60_000 } else { 50 };
    NodePlan {
        storage: if is_memory { Storage::Memory } else { Storage::Disk },
        wall_skew_ms: rng.random_range(-skew..=skew),
        sync_us: rng.random_range(100..=3_000),
        sync_jitter_us: rng.random_range(0..=5_000),
    }
}

fn draw_link(rng: &mut StdRng) -> LinkPlan {
    LinkPlan {
        delay_us: rng.random_range(50..=8_000),
        jitter_us: rng.random_range(0..=8_000),
        client_delay_us: rng.random_range(500..=40_000),
        client_jitter_us: rng.random_range(0..=30_000),
    }
}

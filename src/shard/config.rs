//! What the shards of a node need to know, with defaults for everything that has a sensible one.

use std::path::PathBuf;

use super::error::ShardError;
use crate::ledger::limits::Settings;

/// How the shards of a node run.
#[derive(Clone, Debug)]
pub struct ShardsConfig {
    /// Where logs, snapshots and the node's identity are kept; `None`: in memory (`storage = "memory"`), gone with the process.
    pub data_dir: Option<PathBuf>,
    /// How many shards there are, fixed for the life of a cluster.
    pub shard_count: u16,
    /// What every leader puts in force when it takes over.
    pub settings: Settings,
    /// What the node is called in membership entries.
    pub node_name: String,
    pub tuning: Tuning,
}

/// Numbers that can be left alone.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Most commands that wait for one shard.
    pub queue_commands_max: usize,
    /// Most bytes of commands that wait for one shard.
    pub queue_bytes_max: u64,
    /// Most commands in one log entry.
    pub entry_commands_max: usize,
    /// Bytes of commands after which an entry takes no more; one command may be larger.
    pub entry_bytes_max: u64,
    /// Entries of a shard that are proposed and not yet applied.
    pub entries_in_flight_max: usize,
    /// Leaders beat that often.
    pub heartbeat_ms: u64,
    /// A group without a leader elects one after that long, at least and at most.
    pub election_min_ms: u64,
    pub election_max_ms: u64,
    /// Most bytes of synced entries that a group keeps in memory (with a disk).
    pub tail_bytes_max: u64,
    /// A shard is snapshot when its log has grown by that much,
    pub snapshot_log_bytes: u64,
    /// or when it has grown at all and the last snapshot is that old.
    pub snapshot_interval_ms: u64,
    /// Log that is kept behind a snapshot, for replicas that lag: no more than either.
    pub keep_log_entries: u64,
    pub keep_log_bytes: u64,
    /// How often a group is looked at for the above, and for whether it has failed.
    pub keeper_interval_ms: u64,
    /// A start that takes longer is given up.
    pub start_timeout_ms: u64,
    /// A stop that takes longer is cut short.
    pub stop_timeout_ms: u64,
    /// A read that takes longer fails.
    pub read_timeout_ms: u64,
    /// A change of a group's members that takes longer is given up; it may still happen.
    pub change_timeout_ms: u64,
    /// A snapshot that the receiver has not installed by then is sent again.
    pub install_timeout_ms: u64,
}

impl ShardsConfig {
    /// 16 shards with the default numbers for their storage.
    #[must_use]
    pub fn new(data_dir: Option<PathBuf>, node_name: &str, settings: Settings) -> ShardsConfig {
        let tuning = if data_dir.is_some() { Tuning::default() } else { Tuning::in_memory() };
        ShardsConfig { data_dir, shard_count: 16, settings, node_name: node_name.to_owned(), tuning }
    }

    /// Refuses numbers that can't work.
    pub(super) fn validate(&self) -> Result<(), ShardError> {
        let wrong = |what: &str| Err(ShardError::Config(what.to_owned()));
        let tuning = &self.tuning;
        if self.shard_count == 0 || self.shard_count == u16::MAX {
            return wrong("cluster.shards must be at least 1, and at most 65534");
        }
        if tuning.queue_commands_max == 0 || tuning.entry_commands_max == 0 || tuning.entries_in_flight_max == 0 {
            return wrong("queue_commands_max, entry_commands_max and entries_in_flight_max must be at least 1");
        }
        if tuning.election_min_ms <= 2 * tuning.heartbeat_ms || tuning.election_max_ms <= tuning.election_min_ms {
            return wrong("election_max_ms must be above election_min_ms, and that above twice heartbeat_ms");
        }
        Ok(())
    }
}

impl Tuning {
    /// Where the log itself takes memory, less of it is kept.
    #[must_use]
    pub fn in_memory() -> Tuning {
        Tuning { snapshot_log_bytes: 4 * 1024 * 1024, keep_log_bytes: 512 * 1024, ..Tuning::default() }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            queue_commands_max: 16_384,
            queue_bytes_max: 16 * 1024 * 1024,
            entry_commands_max: 256,
            entry_bytes_max: 64 * 1024,
            entries_in_flight_max: 4,
            heartbeat_ms: 100,
            election_min_ms: 300,
            election_max_ms: 500,
            tail_bytes_max: 4 * 1024 * 1024,
            snapshot_log_bytes: 64 * 1024 * 1024,
            snapshot_interval_ms: 600_000,
            keep_log_entries: 10_000,
            keep_log_bytes: 16 * 1024 * 1024,
            keeper_interval_ms: 500,
            start_timeout_ms: 120_000,
            stop_timeout_ms: 10_000,
            read_timeout_ms: 5_000,
            change_timeout_ms: 10_000,
            install_timeout_ms: 120_000,
        }
    }
}

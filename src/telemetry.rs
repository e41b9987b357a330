//! Logs and metrics: how they are set up, and the one list of metric names. Knows nothing of what is logged or measured.

mod describe;
mod logs;
mod metrics;
mod process;
mod readings;

pub use logs::{LOG_VARIABLE, LogError, LogFormat, install_logs, judge_filter};
pub use metrics::{MetricsError, SECONDS_BUCKETS, install_metrics, render, upkeep, write_gauge};
pub use process::{open_files, resident_bytes};
pub use readings::Readings;

/// Every metric of the node. Labels stand in braces; `_total` counts, `_seconds` is a histogram, the rest are gauges.
pub mod names {
    /// Requests answered. {route, method, status}
    pub const HTTP_REQUESTS_TOTAL: &str = "engage_http_requests_total";
    /// Time to answer a request. {route}
    pub const HTTP_REQUEST_SECONDS: &str = "engage_http_request_seconds";
    /// Publishes answered. {status}: queued, duplicate, sent, or an error's code.
    pub const PUBLISHES_TOTAL: &str = "engage_publishes_total";
    /// From taking a publish to its commit.
    pub const PUBLISH_SECONDS: &str = "engage_publish_seconds";
    /// Acks and dismisses answered. {result}: confirm, or an error's code.
    pub const ACKS_TOTAL: &str = "engage_acks_total";
    /// From taking an ack to its confirm.
    pub const ACK_SECONDS: &str = "engage_ack_seconds";
    /// Offers handed to connections.
    pub const OFFERS_TOTAL: &str = "engage_offers_total";
    /// Words of owners that were not passed on to a connection, and farewells that no owner heard. {reason}: attempt, lease, offered, gone.
    pub const SESSION_DROPPED_TOTAL: &str = "engage_session_dropped_total";
    /// Attaches asked of owners. {greeting}: hello, again.
    pub const SESSION_ATTACHES_TOTAL: &str = "engage_session_attaches_total";
    /// Connections from which all was withdrawn, because no owner spoke for them in time.
    pub const LEASES_RUN_OUT_TOTAL: &str = "engage_leases_run_out_total";
    /// Offers of a key that this node had confirmed as settled before: a broken promise. Stays 0.
    pub const REDELIVERY_AFTER_ACK_TOTAL: &str = "engage_redelivery_after_ack_total";
    /// Open connections. {kind}: websocket, stream.
    pub const CONNECTIONS: &str = "engage_connections";
    /// Connections that said hello. {kind}
    pub const CONNECTIONS_OPENED_TOTAL: &str = "engage_connections_opened_total";
    /// Connections that ended. {code}: the close code's word, `client` or `lost`.
    pub const CONNECTIONS_CLOSED_TOTAL: &str = "engage_connections_closed_total";
    /// Client messages taken. {type}
    pub const MESSAGES_RECEIVED_TOTAL: &str = "engage_messages_received_total";
    /// Server messages sent. {type}
    pub const MESSAGES_SENT_TOTAL: &str = "engage_messages_sent_total";
    /// User actors alive.
    pub const ACTORS: &str = "engage_actors";
    /// Notices sent to devices.
    pub const NOTICES_SENT_TOTAL: &str = "engage_notices_sent_total";
    /// Notices that a device has seen.
    pub const NOTICES_SEEN_TOTAL: &str = "engage_notices_seen_total";
    /// Refused credentials. {kind}: token, key, origin, role.
    pub const REFUSED_CREDENTIALS_TOTAL: &str = "engage_refused_credentials_total";
    /// Requests and messages refused by a rate or a cap. {limit}
    pub const LIMITED_TOTAL: &str = "engage_limited_total";
    /// Outcomes there ever were on the shards owned here. {outcome}
    pub const OUTCOMES_TOTAL: &str = "engage_outcomes_total";
    /// Users in the ledger. {shard}
    pub const USERS: &str = "engage_users";
    /// Unsettled deliveries. {shard}
    pub const BUFFERED_DELIVERIES: &str = "engage_buffered_deliveries";
    /// Bytes of unsettled deliveries. {shard}
    pub const BUFFERED_BYTES: &str = "engage_buffered_bytes";
    /// About the memory of the ledger. {shard}
    pub const LEDGER_BYTES: &str = "engage_ledger_bytes";
    /// 1 where this node owns the shard. {shard}
    pub const SHARD_OWNER: &str = "engage_shard_owner";
    /// The shard's Raft term. {shard}
    pub const SHARD_TERM: &str = "engage_shard_term";
    /// The last applied entry. {shard}
    pub const SHARD_APPLIED_INDEX: &str = "engage_shard_applied_index";
    /// Commands waiting to be proposed. {shard}
    pub const SHARD_QUEUED: &str = "engage_shard_queued";
    /// Elections that this node won. {shard}
    pub const SHARD_ELECTIONS_TOTAL: &str = "engage_shard_elections_total";
    /// The node id of the leader. {shard}
    pub const SHARD_LEADER: &str = "engage_shard_leader";
    /// Entries that a member is behind the leader. {shard, node}
    pub const SHARD_LAG: &str = "engage_shard_lag_entries";
    /// Ms since a majority stood behind the owner. {shard}
    pub const SHARD_QUORUM_AGE_MS: &str = "engage_shard_quorum_age_ms";
    /// The last entry in a snapshot. {shard}
    pub const SHARD_SNAPSHOT_INDEX: &str = "engage_shard_snapshot_index";
    /// Bytes of log behind no snapshot. {shard}
    pub const SHARD_LOG_BYTES: &str = "engage_shard_log_bytes";
    /// Commands proposed. {result}: applied, unavailable, unknown.
    pub const PROPOSALS_TOTAL: &str = "engage_proposals_total";
    /// Commands in an entry.
    pub const ENTRY_COMMANDS: &str = "engage_entry_commands";
    /// From proposing an entry to its result. {shard}
    pub const COMMIT_SECONDS: &str = "engage_commit_seconds";
    /// One apply of a batch of entries. {shard}
    pub const APPLY_SECONDS: &str = "engage_apply_seconds";
    /// One sync of the log, for all shards together.
    pub const LOG_SYNC_SECONDS: &str = "engage_log_sync_seconds";
    /// Snapshots built.
    pub const SNAPSHOTS_TOTAL: &str = "engage_snapshots_total";
    /// Snapshots sent to other nodes.
    pub const SNAPSHOTS_SENT_TOTAL: &str = "engage_snapshots_sent_total";
    /// Snapshots from other nodes.
    pub const SNAPSHOTS_INSTALLED_TOTAL: &str = "engage_snapshots_installed_total";
    /// Building one.
    pub const SNAPSHOT_SECONDS: &str = "engage_snapshot_seconds";
    /// 1 while there is a link to the node. {node}
    pub const LINK_UP: &str = "engage_link_up";
    /// Links that came up; all but the first are reconnects. {node}
    pub const LINK_OPENED_TOTAL: &str = "engage_link_opened_total";
    /// Bytes over a link. {node, lane, direction}: in, out.
    pub const LINK_BYTES_TOTAL: &str = "engage_link_bytes_total";
    /// Messages over a link. {node, lane, direction}
    pub const LINK_MESSAGES_TOTAL: &str = "engage_link_messages_total";
    /// Bytes that wait to be sent. {node, lane}
    pub const LINK_QUEUE_BYTES: &str = "engage_link_queue_bytes";
    /// Messages that found their lane full. {node, lane}
    pub const LINK_NOT_SENT_TOTAL: &str = "engage_link_not_sent_total";
    /// From a ping to its pong. {node}
    pub const LINK_ROUND_TRIP_SECONDS: &str = "engage_link_round_trip_seconds";
    /// Peers that this node refused. {reason}
    pub const LINK_REFUSED_TOTAL: &str = "engage_link_refused_total";
    /// Memory of the process that is resident, in bytes; the name that every exporter uses.
    pub const PROCESS_RESIDENT_BYTES: &str = "process_resident_memory_bytes";
    /// File descriptors open; the name that every exporter uses.
    pub const PROCESS_OPEN_FDS: &str = "process_open_fds";
}

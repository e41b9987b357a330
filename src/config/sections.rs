//! The sections of the configuration and their defaults. What a key means to an operator stands in `config/engage.toml`; the ranges stand in `check.rs`.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

use super::secret::{ApiKey, Secret};
use super::units::{Size, Span};
use crate::ledger::limits::Overflow;
use crate::telemetry::LogFormat;

/// `[node]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Node {
    pub name: String,
    pub data_dir: PathBuf,
    pub storage: Storage,
}

/// Where the ledger is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// In a log under `data_dir`: a restarted node goes on.
    Disk,
    /// Nowhere: a restarted node starts empty. `data_dir` then holds the secrets only.
    Memory,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    pub listen: SocketAddr,
    pub request_timeout: Span,
    pub allowed_origins: Vec<String>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub workers: u16,
    pub backlog: u32,
    pub header_timeout: Span,
    pub body_timeout: Span,
    pub keep_alive: Span,
}

/// `[cluster]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    pub listen: SocketAddr,
    pub advertise: Option<String>,
    pub secret: Option<Secret>,
    pub shards: u16,
    pub replication: u16,
    pub lease: Span,
    pub heartbeat: Span,
    pub election_timeout_min: Span,
    pub election_timeout_max: Span,
    pub snapshot_log_bytes: Size,
    pub snapshot_interval: Span,
    pub threads: u16,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub tls_ca: Option<PathBuf>,
}

/// `[auth]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    pub jwt_secret: Option<Secret>,
    pub jwt_public_key_file: Option<PathBuf>,
    pub jwks_file: Option<PathBuf>,
    pub api_keys: Vec<ApiKey>,
}

impl Auth {
    /// Whether one of the ways to check client tokens is configured.
    #[must_use]
    pub fn has_token_key(&self) -> bool {
        self.jwt_secret.is_some() || self.jwt_public_key_file.is_some() || self.jwks_file.is_some()
    }
}

/// `[window]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Window {
    pub length: Span,
    pub carry: Span,
}

/// `[buffer]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Buffer {
    pub max_deliveries: u32,
    pub max_bytes: Size,
    pub overflow: Overflow,
}

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub max_frame: Size,
    pub max_body: Size,
    pub max_bulk_body: Size,
    pub requests: u32,
    pub bulk_requests: u32,
    pub feeds: u32,
    pub connections: u32,
    pub connections_per_user: u32,
    pub messages_per_second: u32,
    pub publishes_per_second: u32,
    pub heartbeat: Span,
    pub hello_timeout: Span,
    pub close_timeout: Span,
    pub write_timeout: Span,
    pub send_buffer: Size,
    pub outbox_messages: u32,
    pub outbox_bytes: Size,
    pub users: u32,
    pub user_idle: Span,
    pub user_queue: u32,
    pub user_in_flight: u32,
    pub records_per_user: u32,
    pub outcomes_per_shard: u32,
    pub ledger_bytes_per_shard: Size,
    pub shard_queue_commands: u32,
    pub shard_queue_bytes: Size,
    pub drain_timeout: Span,
    pub drain_spread: Span,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: LogFormat,
}

impl Default for Node {
    fn default() -> Self {
        Node { name: "n1".to_owned(), data_dir: PathBuf::from("data"), storage: Storage::Disk }
    }
}

impl Default for Http {
    fn default() -> Self {
        Http {
            listen: SocketAddr::from(([127, 0, 0, 1], 7400)),
            request_timeout: Span::from_secs(5),
            allowed_origins: Vec::new(),
            tls_cert: None,
            tls_key: None,
            workers: 0,
            backlog: 4096,
            header_timeout: Span::from_secs(5),
            body_timeout: Span::from_secs(30),
            keep_alive: Span::from_secs(75),
        }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Cluster {
            listen: SocketAddr::from(([127, 0, 0, 1], 7401)),
            advertise: None,
            secret: None,
            shards: 16,
            replication: 3,
            lease: Span::from_secs(10),
            heartbeat: Span::from_ms(100),
            election_timeout_min: Span::from_ms(300),
            election_timeout_max: Span::from_ms(500),
            snapshot_log_bytes: Size::from_mib(64),
            snapshot_interval: Span::from_secs(600),
            threads: 0,
            tls_cert: None,
            tls_key: None,
            tls_ca: None,
        }
    }
}

impl Default for Window {
    fn default() -> Self {
        Window { length: Span::from_secs(24 * 3_600), carry: Span::from_secs(6 * 3_600) }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Buffer { max_deliveries: 256, max_bytes: Size::from_kib(256), overflow: Overflow::Reject }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_frame: Size::from_kib(64),
            max_body: Size::from_kib(64),
            max_bulk_body: Size::from_mib(64),
            requests: 10_000,
            bulk_requests: 8,
            feeds: 64,
            connections: 100_000,
            connections_per_user: 16,
            messages_per_second: 50,
            publishes_per_second: 50_000,
            heartbeat: Span::from_secs(25),
            hello_timeout: Span::from_secs(5),
            close_timeout: Span::from_secs(2),
            write_timeout: Span::from_secs(10),
            send_buffer: Size::from_kib(64),
            outbox_messages: 1_024,
            outbox_bytes: Size::from_mib(2),
            users: 500_000,
            user_idle: Span::from_secs(10),
            user_queue: 1_024,
            user_in_flight: 64,
            records_per_user: 4_096,
            outcomes_per_shard: 50_000,
            ledger_bytes_per_shard: Size::from_mib(512),
            shard_queue_commands: 16_384,
            shard_queue_bytes: Size::from_mib(16),
            drain_timeout: Span::from_ms(2_500),
            drain_spread: Span::from_secs(5),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { level: "info".to_owned(), format: LogFormat::Text }
    }
}

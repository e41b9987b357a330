//! Words the configuration as each room wants it. No logic beyond that; a setting that is in no configuration does not exist here.

use std::path::Path;
use std::sync::Arc;

use rand::RngExt as _;

use super::NodeError;
use super::clustered::Clustered;
use super::files::Room;
use super::joining::Applicant;
use super::users::ActorUsers;
use crate::actors;
use crate::actors::registry::{Registry, Shared};
use crate::actors::terms::Terms;
use crate::cluster::directory::DirectoryParts;
use crate::cluster::links::{LinkConfig, LinkSecret, LinkTls, LinkTlsFiles, LinkTuning};
use crate::cluster::meta;
use crate::cluster::meta_group::Meta;
use crate::config::{self, Auth, Config, Storage};
use crate::dice::dice;
use crate::http::auth::ApiKeys;
use crate::http::limits::Bounds;
use crate::http::server;
use crate::http::state::Parts;
use crate::http::tls;
use crate::ledger::ids::{EdgeId, ShardId};
use crate::ledger::limits::Settings;
use crate::ledger::time::Millis;
use crate::ports::Read as _;
use crate::ports::calls::Users;
use crate::ports::owners::Owners;
use crate::protocol::token::Verifier;
use crate::shard::config::{ShardsConfig, Tuning};
use crate::shard::{Home, Identity, Shards, hash};

/// A number for this run of the node that no other run has.
pub(super) fn draw_edge() -> EdgeId {
    EdgeId(dice().random())
}

pub(super) fn verifier(auth: &Auth) -> Result<Verifier, NodeError> {
    if let Some(path) = &auth.jwt_public_key_file {
        let key = "auth.jwt_public_key_file";
        return Verifier::from_public_pem(&read(key, path)?).map_err(|error| NodeError::TokenKey { key, error });
    }
    if let Some(path) = &auth.jwks_file {
        let key = "auth.jwks_file";
        return Verifier::from_jwks(&read(key, path)?).map_err(|error| NodeError::TokenKey { key, error });
    }
    let secret = auth.jwt_secret.as_ref().map(|secret| secret.expose().as_bytes()).unwrap_or_default();
    Verifier::from_secret(secret).map_err(|error| NodeError::TokenKey { key: "auth.jwt_secret", error })
}

fn read(key: &'static str, path: &Path) -> Result<String, NodeError> {
    std::fs::read_to_string(path).map_err(|error| NodeError::TokenKeyFile { key, path: path.display().to_string(), error })
}

pub(super) fn server_settings(config: &Config, room: Room) -> Result<server::Settings, NodeError> {
    let http = &config.http;
    let tls = match (&http.tls_cert, &http.tls_key) {
        (Some(cert), Some(key)) => Some(tls::server_config(cert, key)?),
        _ => None,
    };
    Ok(server::Settings {
        tls,
        workers: usize::from(http.workers),
        sockets_max: usize::try_from(room.sockets_max).unwrap_or(usize::MAX),
        header_timeout: http.header_timeout.duration(),
        body_timeout: http.body_timeout.duration(),
        keep_alive: http.keep_alive.duration(),
    })
}

fn ledger_settings(config: &Config) -> Settings {
    let Config { window, buffer, limits, cluster, .. } = config;
    Settings {
        window_length: Millis(window.length.ms()),
        window_carry: Millis(window.carry.ms()),
        lease: Millis(cluster.lease.ms()),
        buffer_deliveries_max: buffer.max_deliveries,
        buffer_bytes_max: buffer.max_bytes.bytes(),
        overflow: buffer.overflow,
        records_max: limits.records_per_user,
        devices_max: limits.connections_per_user,
        outcomes_max: limits.outcomes_per_shard,
        ledger_bytes_max: limits.ledger_bytes_per_shard.bytes(),
    }
}

pub(super) fn shards_config(config: &Config) -> ShardsConfig {
    let Config { node, cluster, limits, http, .. } = config;
    let (data_dir, base) = match node.storage {
        Storage::Disk => (Some(node.data_dir.clone()), Tuning::default()),
        Storage::Memory => (None, Tuning::in_memory()),
    };
    let snapshot_log_bytes = match node.storage {
        Storage::Disk => cluster.snapshot_log_bytes.bytes(),
        // There the log itself takes memory.
        Storage::Memory => cluster.snapshot_log_bytes.bytes().min(base.snapshot_log_bytes),
    };
    let tuning = Tuning {
        queue_commands_max: as_usize(limits.shard_queue_commands),
        queue_bytes_max: limits.shard_queue_bytes.bytes(),
        heartbeat_ms: cluster.heartbeat.ms(),
        election_min_ms: cluster.election_timeout_min.ms(),
        election_max_ms: cluster.election_timeout_max.ms(),
        snapshot_log_bytes,
        snapshot_interval_ms: cluster.snapshot_interval.ms(),
        read_timeout_ms: http.request_timeout.ms(),
        stop_timeout_ms: SHARDS_STOP_TIMEOUT_MS,
        ..base
    };
    ShardsConfig { data_dir, shard_count: cluster.shards, settings: ledger_settings(config), node_name: node.name.clone(), tuning }
}

/// With the farewell to the clients and the end of the server, a stop takes less than 5 s.
const SHARDS_STOP_TIMEOUT_MS: u64 = 1_000;

pub(super) fn actor_limits(config: &Config) -> actors::limits::Limits {
    let limits = &config.limits;
    actors::limits::Limits {
        frame_max_bytes: limits.max_frame.as_usize(),
        connections_max: as_usize(limits.connections),
        messages_per_second: limits.messages_per_second,
        heartbeat_ms: limits.heartbeat.ms(),
        hello_timeout_ms: limits.hello_timeout.ms(),
        outbox_messages_max: as_usize(limits.outbox_messages),
        outbox_bytes_max: limits.outbox_bytes.as_usize(),
        user_queue_max: as_usize(limits.user_queue),
        user_in_flight_max: as_usize(limits.user_in_flight),
        actors_max: as_usize(limits.users),
        actor_idle_ms: limits.user_idle.ms(),
        close_timeout_ms: limits.close_timeout.ms(),
        write_timeout_ms: limits.write_timeout.ms(),
        request_timeout_ms: config.http.request_timeout.ms(),
        lease_ms: config.cluster.lease.ms(),
        send_buffer_bytes: limits.send_buffer.as_usize(),
    }
}

pub(super) fn shared(shards: Arc<Shards>, owners: Arc<dyn Owners>, limits: Arc<actors::limits::Limits>) -> Shared {
    let terms = Terms::new(shards.shard_count());
    Shared { propose: shards, owners, limits, terms }
}

/// How posted acks and calls get to the users.
pub(super) fn users(config: &Config, registry: &Arc<Registry>) -> Arc<dyn Users> {
    Arc::new(ActorUsers { registry: Arc::clone(registry), timeout: config.http.request_timeout.duration() })
}

pub(super) fn api(config: &Config, clustered: &Clustered) -> Parts {
    let Config { http, limits, auth, .. } = config;
    let request_timeout = http.request_timeout.duration();
    Parts {
        users: clustered.router.clone(),
        read: clustered.router.clone(),
        owners: clustered.directory.clone(),
        keys: ApiKeys::new(auth.api_keys.clone()),
        bounds: Bounds {
            publishes_per_second: limits.publishes_per_second,
            requests_max: as_usize(limits.requests),
            batches_max: as_usize(limits.bulk_requests),
            feeds_max: as_usize(limits.feeds),
            body_max_bytes: limits.max_body.as_usize(),
            batch_max_bytes: limits.max_bulk_body.as_usize(),
            body_timeout: http.body_timeout.duration(),
        },
        request_timeout,
    }
}

/// This node's place for its data, opened.
pub(super) fn home(config: &Config) -> Result<Home, NodeError> {
    let data_dir = (config.node.storage == Storage::Disk).then_some(config.node.data_dir.as_path());
    Ok(Home::open(data_dir)?)
}

pub(super) fn link_tls(cluster: &config::Cluster) -> Result<Option<LinkTls>, NodeError> {
    let (Some(cert), Some(key), Some(ca)) = (&cluster.tls_cert, &cluster.tls_key, &cluster.tls_ca) else { return Ok(None) };
    let files = LinkTlsFiles { cert: cert.clone(), key: key.clone(), ca: ca.clone() };
    Ok(Some(LinkTls::read(&files)?))
}

/// The secret that proves a member.
pub(super) fn link_secret(config: &Config) -> LinkSecret {
    let secret = config.cluster.secret.as_ref().expect("secrets were filled in");
    LinkSecret::new(secret.expose().as_bytes())
}

pub(super) fn link_config(config: &Config, (run, tls): (EdgeId, Option<LinkTls>), identity: &Identity) -> LinkConfig {
    LinkConfig {
        cluster_id: identity.cluster_id.clone(),
        me: identity.node_id,
        node_uuid: identity.node_uuid.clone(),
        run,
        name: config.node.name.clone(),
        secret: link_secret(config),
        tls,
        tuning: LinkTuning::default(),
    }
}

pub(super) fn directory(applicant: &Applicant<'_>, identity: &Identity, meta: Arc<Meta>) -> DirectoryParts {
    let about = applicant.introduction(&identity.node_uuid);
    DirectoryParts {
        me: identity.node_id,
        run: applicant.run,
        http: about.http,
        cluster: about.cluster,
        shard_count: identity.shards,
        lease_ms: applicant.config.cluster.lease.ms(),
        shard_of: hash::shard_of,
        meta,
    }
}

/// What must be the same on all nodes, by the names of the configuration.
pub(super) fn meta_settings(config: &Config) -> meta::Settings {
    let Config { window, buffer, limits, cluster, .. } = config;
    let ledger = [
        ("window.length", format!("{}ms", window.length.ms())),
        ("window.carry", format!("{}ms", window.carry.ms())),
        ("buffer.max_deliveries", buffer.max_deliveries.to_string()),
        ("buffer.max_bytes", buffer.max_bytes.bytes().to_string()),
        ("buffer.overflow", format!("{:?}", buffer.overflow)),
        ("limits.records_per_user", limits.records_per_user.to_string()),
        ("limits.connections_per_user", limits.connections_per_user.to_string()),
        ("limits.outcomes_per_shard", limits.outcomes_per_shard.to_string()),
        ("limits.ledger_bytes_per_shard", limits.ledger_bytes_per_shard.bytes().to_string()),
    ];
    meta::Settings {
        shards: cluster.shards,
        replication: cluster.replication,
        lease_ms: cluster.lease.ms(),
        ledger: ledger.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    }
}

/// Whether this node has a replica of every shard.
pub(super) fn holds_all(shards: &Shards) -> bool {
    let me = shards.node_id();
    (0..shards.shard_count()).all(|shard| shards.members(ShardId(shard)).is_some_and(|members| members.has(me)))
}

fn as_usize(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

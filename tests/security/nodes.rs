//! The nodes that cases share, each started by the first case that asks for it. They keep their users in memory, in one shard, to start fast.

use std::sync::OnceLock;

use crate::support::node::{Node, Settings};

/// What every node here has in common.
pub fn settings() -> Settings {
    Settings::new().with("cluster.shards", "1").with("node.storage", "memory").with("http.workers", "1").with("cluster.threads", "1")
}

macro_rules! shared {
    ($(#[$doc:meta])* $name:ident, $settings:expr) => {
        $(#[$doc])*
        pub fn $name() -> &'static Node {
            static NODE: OnceLock<Node> = OnceLock::new();
            NODE.get_or_init(|| Node::start($settings))
        }
    };
}

/// The pages that may connect to the common node.
pub const ORIGIN: &str = "https://app.example";
pub const ORIGIN_WITH_PORT: &str = "https://shop.example:8443";

shared!(
    /// The bounds of the contract, and two origins.
    common, settings().with("http.allowed_origins", &format!("{ORIGIN},{ORIGIN_WITH_PORT}")));
shared!(
    /// Bounds that a case can meet.
    narrow, settings()
        .with("limits.connections_per_user", "2")
        .with("limits.messages_per_second", "20")
        .with("limits.publishes_per_second", "20")
        .with("limits.bulk_requests", "1")
        .with("limits.feeds", "1")
        .with("limits.max_bulk_body", "64KiB")
        .with("limits.hello_timeout", "3s")
        .with("http.body_timeout", "2s"));
shared!(
    /// One call at a time, and two connections.
    tiny, settings().with("limits.requests", "1").with("limits.connections", "2"));

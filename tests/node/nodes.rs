//! The nodes that tests share, one for each configuration, each started by the first test that asks for it.

use std::sync::OnceLock;

use crate::support::node::{Node, Settings};

macro_rules! shared {
    ($(#[$doc:meta])* $name:ident, $settings:expr) => {
        $(#[$doc])*
        pub fn $name() -> &'static Node {
            static NODE: OnceLock<Node> = OnceLock::new();
            NODE.get_or_init(|| Node::start($settings))
        }
    };
}

shared!(
    /// The defaults of the contract.
    common, Settings::new());
shared!(
    /// Session windows that last 3 s, of which what settles in the last second is carried over.
    brief, Settings::new().with("window.length", "3s").with("window.carry", "1s"));
shared!(
    /// A lease short enough to wait for, and few connections and messages for each user.
    strict, Settings::new()
        .with("cluster.lease", "2s")
        .with("limits.connections_per_user", "3")
        .with("limits.messages_per_second", "20")
        .with("limits.publishes_per_second", "20")
        .with("limits.hello_timeout", "1s")
        .with("http.allowed_origins", "https://app.example,https://shop.example:8443"));
shared!(
    /// A replay buffer of three deliveries or 32 KiB, that refuses what exceeds it.
    small, Settings::new().with("buffer.max_deliveries", "3").with("buffer.max_bytes", "32KiB"));
shared!(
    /// The same, but the oldest gives way.
    small_dropping, Settings::new()
        .with("buffer.max_deliveries", "3")
        .with("buffer.max_bytes", "32KiB")
        .with("buffer.overflow", "drop_oldest"));
shared!(
    /// One shard that keeps about a thousand outcomes.
    forgetful, Settings::new().with("cluster.shards", "1").with("limits.outcomes_per_shard", "1024"));
shared!(
    /// A heart that beats every 400 ms.
    lively, Settings::new().with("limits.heartbeat", "400ms"));

//! The settings that every replica of a shard must apply alike. They come into the ledger by a command (`Takeover`), never from a configuration,
//! so that a log replayed under another configuration gives the same state.

use serde::{Deserialize, Serialize};

use super::time::Millis;

/// What bounds one shard's ledger. In force from the `Takeover` that brought it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How long a session window is open.
    pub window_length: Millis,
    /// How long a settled delivery counts as delivered beyond its session window.
    pub window_carry: Millis,
    /// How long a holder whose connection was lost keeps what it holds.
    pub lease: Millis,
    /// Most unsettled deliveries of a user.
    pub buffer_deliveries_max: u32,
    /// Most bytes (payloads and ids) of a user's unsettled deliveries.
    pub buffer_bytes_max: u64,
    /// What happens to a publish that passes the two bounds above.
    pub overflow: Overflow,
    /// Most deliveries remembered of a user, settled ones included.
    pub records_max: u32,
    /// Most devices of a user that are attached or on a lease.
    pub devices_max: u32,
    /// Most outcomes that this shard keeps.
    pub outcomes_max: u32,
    /// About the most memory that this shard's users may take, in bytes.
    pub ledger_bytes_max: u64,
}

/// What a full replay buffer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// Refuses the publish.
    Reject,
    /// Drops the oldest delivery that nobody holds.
    DropOldest,
}

impl Default for Settings {
    /// The defaults of CONTRACT §10.
    fn default() -> Self {
        Settings {
            window_length: Millis(24 * 3_600_000),
            window_carry: Millis(6 * 3_600_000),
            lease: Millis(10_000),
            buffer_deliveries_max: 256,
            buffer_bytes_max: 256 * 1024,
            overflow: Overflow::Reject,
            records_max: 4096,
            devices_max: 16,
            outcomes_max: 50_000,
            ledger_bytes_max: 512 * 1024 * 1024,
        }
    }
}

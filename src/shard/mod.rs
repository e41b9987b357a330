//! One Raft group for each shard: it takes commands, has them committed by a majority, applies them to the shard's ledger, and hands on what came of them.
//!
//! openraft's types stay in this room, so that a change of its version touches nothing else. What others see is [`Shards`] and the traits of
//! [`crate::ports`] that it implements.
//!
//! The way of a command: [`shards`] finds the shard, [`queue`] holds it, [`proposer`] makes entries of what waits, openraft replicates, [`log`] keeps the
//! entries and [`committer`] syncs them, [`machine`] applies them, [`proposer`] hands the results on, in order.
//!
//! Rules: nothing blocks the Raft runtime; all writes of all groups go through the one committer, in order; nothing is answered before it is synced; what is
//! read from disk is checked, and what is damaged is never guessed at.

pub mod config;
pub mod error;
pub mod hash;
pub mod shards;
pub mod backup_file;
pub mod restore;

mod types;
mod files;
mod identity;
mod record;
mod sizes;
mod tail;
mod store;
mod witness;
mod disk;
mod committer;
mod log;
mod snapshot;
mod snapshot_store;
mod machine;
mod network;
mod queue;
mod in_flight;
mod proposer;
mod group;
mod keeper;
mod read;
mod backup;
#[cfg(test)]
mod tests;

pub use config::ShardsConfig;
pub use error::ShardError;
pub use shards::Shards;

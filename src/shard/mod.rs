//! One Raft group for each shard: it takes commands, has them committed by a majority, applies them to the shard's ledger, and hands on what came of them.
//!
//! openraft's types stay in this room, so that a change of its version touches nothing else. What others see is [`Shards`] and the traits of
//! [`crate::ports`] that it implements.
//!
//! A node keeps what it is in [`home`], and starts a group for every shard, and the meta group, in [`shards`]. Their replicas on other nodes are reached through
//! [`crate::ports::peers`]: [`network`] asks, [`service`] answers.
//!
//! The way of a command: [`shards`] finds the shard, [`queue`] holds it, [`proposer`] makes entries of what waits, openraft replicates, [`log`] keeps the
//! entries and [`committer`] syncs them, [`machine`] applies them, [`proposer`] hands the results on, in order.
//!
//! Rules: nothing blocks the Raft runtime; all writes of all groups go through the one committer, in order; nothing is answered before it is synced; what is
//! read from disk is checked, and what is damaged is never guessed at.

pub mod config;
pub mod error;
pub mod hash;
pub mod identity;
pub mod home;
pub mod replicated;
pub mod members;
pub mod change_error;
pub mod shards;
pub mod meta_group;
pub mod alone;
pub mod backup_file;
pub mod restore;

mod types;
mod tempo;
mod files;
mod record;
mod sizes;
mod tail;
mod store;
mod recovery;
mod witness;
mod disk;
mod ram_disk;
mod committer;
mod log;
mod content;
mod ledger_cell;
mod snapshot;
mod snapshot_data;
mod snapshot_store;
mod machine;
mod seldom;
mod wire;
mod sending;
mod postpone;
mod network;
mod snapshot_sender;
mod seat;
mod snapshot_receiver;
mod service;
mod queue;
mod in_flight;
mod hold;
mod proposer;
mod raft_group;
mod group;
mod groups;
mod keeper;
mod read;
mod changes;
mod transfer;
mod ownership;
mod hand_over;
mod left;
mod wipe;
mod backup;
mod state_hash;
#[cfg(test)]
mod tests;
#[cfg(test)]
#[path = "../../fuzz/checks/shard.rs"]
mod fuzz_checks;

pub use change_error::ChangeError;
pub use config::ShardsConfig;
pub use error::ShardError;
pub use group::Owned;
pub use home::Home;
pub use identity::Identity;
pub use members::{Follower, Members};
pub use meta_group::MetaGroup;
pub use ram_disk::RamDisk;
pub use replicated::{Replicated, RestoreError};
pub use shards::{Seams, Shards};
pub use wipe::Leave;

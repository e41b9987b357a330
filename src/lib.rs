//! `engage`: an in-memory delivery node for live engagements. The first confirmed showing wins, on every device, through every failover.

#[macro_use]
pub mod mutant;
pub mod ledger;
pub mod clock;
pub mod dice;
pub mod blocking;
pub mod ports;
pub mod protocol;
pub mod shard;
pub mod cluster;
pub mod actors;
pub mod http;
pub mod config;
pub mod telemetry;
pub mod node;
pub mod client;
pub mod history;
pub mod fleet;
pub mod demo;
pub mod bench;
pub mod cli;
#[cfg(test)]
#[path = "../fuzz/checks/corpus.rs"]
mod fuzz_corpus;

//! The contract's chapters on several nodes (§2, §5, §9), tested from outside: real processes on loopback, real HTTP, real WebSockets, faults by signals and by a network that
//! can be cut. Every scenario under load ends with everything settled, and its history judged by [`engage::history`]. Clusters run one after another.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part of the harness")]
mod support;

#[allow(dead_code, reason = "each test binary uses its part of the load")]
mod load;
mod probe;

mod harness;
mod one;
mod kills;
mod pauses;
mod rolling;
mod growth;
mod drains;
mod handover;
mod majority;
mod amnesia;
mod healthy;
mod failover;
mod interrupted;
mod partitions;
mod figures;

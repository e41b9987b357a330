//! Real faults: real processes on a network of their own, clients and publishers on real sockets, and a storm of kills, cuts, pauses, loss, wrong clocks, slow and lost disks
//! over them. Every scenario ends with all faults healed and everything accepted settled, and its history judged by [`engage::history`]. `tests/chaos/run` runs all of
//! it for long; `cargo test` a smoke of it. What the machine can't do is skipped, and says so on stderr, past what hides the output of tests.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part of the harness")]
mod support;

#[path = "../cluster/load/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part of the load")]
mod load;

mod said;
mod ground;
mod clocks;
mod disks;
mod blow;
mod wounds;
mod storm;
mod report;
mod scenario;
mod lines;
mod changes;

mod damage;
mod smoke;
mod guests;
mod leases;
mod full;

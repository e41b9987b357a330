//! The rooms under test, taken from the node's source file by file and nothing else of it, so that a build of the targets is quick: what reads bytes from outside needs
//! neither sockets nor a database. What is checked of them stands in `checks`, which the node's own tests walk the corpus with.
#![allow(dead_code, unused_imports, unexpected_cfgs)]

#[macro_use]
#[path = "../../src/mutant.rs"]
pub mod mutant;
#[path = "../../src/dice.rs"]
pub mod dice;
#[path = "../../src/blocking.rs"]
pub mod blocking;
#[path = "../../src/ledger/mod.rs"]
pub mod ledger;
#[path = "../../src/clock.rs"]
pub mod clock;
#[path = "../../src/protocol/mod.rs"]
pub mod protocol_room;

pub mod ports;

/// The names of metrics that are counted here.
pub mod telemetry {
    pub mod names {
        pub const LINK_REFUSED_TOTAL: &str = "engage_link_refused_total";
    }
}

pub mod protocol;

pub mod actors;

pub mod cluster;

pub mod shard;

//! The actix shell around the ledger: an actor for each active user and one for each connection. It hands commands on and carries effects out, and decides nothing.
//!
//! A [`connection`] reads a socket and writes what its [`line`] holds; the [`user`] is the only one who proposes commands for that user and the only one who speaks
//! to that user's lines; the [`registry`] finds users, starts them, and lets the idle ones go; [`connections`] watches all lines from outside, because a connection
//! whose client doesn't read stands still, timers included.

pub mod limits;
pub mod outbox;
pub mod handle;
pub mod line;
pub mod connections;
pub mod rate;
pub mod admission;
pub mod edge;
pub mod wire;
pub mod frames;
pub mod attached;
pub mod connection;
pub mod stream;
pub mod door;
pub mod registry;
pub mod work;
pub mod live;
pub mod step;
pub mod settled;
pub mod notices;
pub mod user;
#[cfg(test)]
#[path = "fakes_for_tests.rs"]
pub mod fakes;

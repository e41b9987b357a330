//! The shell around the ledger, on both sides of a connection. It hands commands on and carries effects out, and decides nothing.
//!
//! The edge holds the sockets. A [`connection`] reads one and writes to it; its [`conversation`] takes what the client says, and gives what its [`line`] holds; its
//! [`session`] knows what was told to it and what waits for an answer, makes messages of what the owner says, and attaches anew where the owner changes; it sits in a
//! [`seat`], and all of them are the [`sessions`]. [`connections`] watches all lines from outside, because a connection whose client doesn't read stands still, timers
//! included.
//!
//! The owner speaks for the ledger. The [`user`] actor is the only one who proposes commands for that user and the only one who speaks to that user's connections,
//! each through a [`desk`], here or over a link; the [`registry`] finds users, starts them, and lets the idle ones go.

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
pub mod socket;
pub mod says;
pub mod session;
pub mod letter;
pub mod desk;
pub mod routes;
pub mod seat;
pub mod sessions;
pub mod attached;
pub mod conversation;
pub mod connection;
pub mod stream;
pub mod service;
pub mod terms;
pub mod door;
pub mod place;
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
#[cfg(test)]
#[path = "house_for_tests.rs"]
pub mod house;

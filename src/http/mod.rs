//! The edge over HTTP (CONTRACT §7): takes a request, hands it to the user's actor or reads the ledger, and words the answer. It decides nothing about deliveries.
//!
//! [`routes`] is the table of who may call what; [`state`] holds what the handlers share. Every error is a [`problem`].

pub mod routes;
pub mod state;
pub mod problem;
pub mod auth;
pub mod limits;
pub mod body;
pub mod input;
pub mod answers;
pub mod publish;
pub mod many;
pub mod users;
pub mod feed;
pub mod outcomes;
pub mod openapi;
#[cfg(test)]
mod fakes;
#[cfg(test)]
mod tests;

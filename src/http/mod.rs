//! The edge over HTTP (CONTRACT §7, §8): takes a request or a client's connection, hands it to the user's actor or reads the ledger, and words the answer. It decides
//! nothing about deliveries.
//!
//! [`routes`] is the table of who may call what; [`state`] holds what the publishers' routes share, [`client_edge`] what the clients' routes share. Every error is a [`problem`].

pub mod server;
pub mod tls;
mod measure;
mod deadline;
pub mod health;
pub mod cluster;
pub mod backup;
pub mod replicas;
pub mod figures;
pub mod console;
pub mod routes;
pub mod state;
pub mod again;
pub mod problem;
pub mod auth;
pub mod limits;
pub mod body;
pub mod input;
pub mod answers;
pub mod delivery_answers;
pub mod publish;
pub mod many;
pub mod users;
pub mod feed;
pub mod outcomes;
pub mod openapi;
pub mod asyncapi;
pub mod client_edge;
pub mod origin;
pub mod socket;
mod succession;
mod takeover;
mod upgrade;
pub mod connect;
pub mod stream;
pub mod messages;
#[cfg(test)]
mod callers_for_tests;
#[cfg(test)]
mod tests;

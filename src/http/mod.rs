//! http

pub mod problem;
pub mod client_edge;
pub mod origin;
pub mod socket;
pub mod connect;
pub mod stream;
pub mod messages;

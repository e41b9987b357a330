//! The wire, apart from the ledger's types: what clients and publishers send and get. No IO; parsing never panics on input from outside.

pub mod code;
pub mod json;
pub mod refusal;
pub mod client_message;
pub mod hello;
pub mod frame;
pub mod post;
pub mod server_message;
mod object;
pub mod batch;
pub mod token;
pub mod duration;
pub mod percent;
pub mod api;
#[cfg(test)]
#[path = "../../fuzz/checks/protocol.rs"]
mod fuzz_checks;

//! The wire, and what is checked of it.

pub use super::protocol_room::*;
#[path = "../checks/protocol.rs"]
pub mod checks;

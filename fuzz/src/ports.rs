//! The seams, as far as words of theirs are read from bytes.

#[path = "../../src/ports/calls.rs"]
pub mod calls;
#[path = "../../src/ports/members.rs"]
pub mod members;
#[path = "../../src/ports/owners.rs"]
pub mod owners;
#[path = "../../src/ports/peers.rs"]
pub mod peers;
#[path = "../../src/ports/session.rs"]
pub mod session;

/// As the node's: nothing is proposed here.
pub enum ProposeError {
    Unavailable,
    Unknown,
}

//! The rooms under test, taken from the node's source and nothing else of it, so that a build of the targets is quick.

#[path = "../../src/ledger/mod.rs"]
pub mod ledger;
#[path = "../../src/protocol/mod.rs"]
pub mod protocol;

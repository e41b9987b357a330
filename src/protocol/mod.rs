//! The wire, apart from the ledger's types: what clients and publishers send and get. No IO; parsing never panics on input from outside.

pub mod code;
pub mod duration;
pub mod api;

//! The contract, tested from outside: one node as a real process, real HTTP, real WebSockets. Each module is a chapter of the contract.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "each test binary uses its part of the harness")]
mod support;

mod nodes;
mod publish;
mod deliver;
mod devices;
mod once;
mod api;
mod protocol;
mod cli;

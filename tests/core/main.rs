//! The ledger by itself: the rules of the contract, one test each, and properties over random commands.

mod person;
mod windows;
mod states;
mod devices;
mod again;
mod takeover;
mod bounds;
mod spread;
mod snapshots;
mod properties;
mod edges;
mod owner;
mod failover;
mod travel;

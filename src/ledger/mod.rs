//! The core: every decision that the contract speaks of is taken here, in [`ledger::Ledger::apply`].
//!
//! Commands go in; a reply and effects come out. The room imports nothing from the rest of the crate, reads no clock, draws no random number, does no IO and
//! writes no log: the same commands at the same times give the same state, byte for byte, on every replica.

pub mod command;
pub mod effect;
pub mod engagement;
pub mod ids;
pub mod ledger;
pub mod limits;
pub mod outcome;
pub mod reply;
pub mod snapshot;
pub mod time;
pub mod view;
pub mod window;

pub use command::Command;
pub use ledger::Ledger;
pub use reply::{Applied, Reply};

//! The core: every decision that the contract speaks of is taken here, in [`ledger::Ledger::apply`].
//!
//! Commands go in; a reply and effects come out. The room imports nothing from the rest of the crate, reads no clock, draws no random number, does no IO and
//! writes no log: the same commands at the same times give the same state, byte for byte, on every replica.
//!
//! A delivery's states (CONTRACT §4), always to the right:
//!
//! ```text
//! queued ─ offered ─ shown ─ in_progress ─┬─ completed   the last step, or the showing, was acked
//!                                         ├─ dismissed   the person did not want it
//!                                         ├─ expired     window_closed, ttl, max_offers
//!                                         ├─ withdrawn   publisher
//!                                         └─ dropped     buffer_full, user_forgotten
//! ```
//!
//! What always holds stands in [`invariants`], as code. Beside the contract's words the room has two of its own: a **spread** is an engagement of scope device, of
//! which every device gets a delivery; a **place** is the room that an attached device has for offers.

pub mod ids;
pub mod time;
pub mod engagement;
pub mod limits;
pub mod window;
pub mod outcome;
pub mod command;
pub mod effect;
pub mod reply;
pub mod view;
mod text;
mod context;
mod content;
mod device;
mod delivery;
mod settled;
mod packed;
mod names;
mod remembered;
mod replay;
mod spread;
mod user;
mod attach;
mod screen;
mod detach;
mod ack;
mod offer;
mod due;
mod user_view;
mod store;
mod expiry;
#[expect(clippy::module_inception, reason = "the ledger is the main type of the room")]
pub mod ledger;
pub mod snapshot;
pub mod invariants;

pub use command::Command;
pub use ledger::Ledger;
pub use reply::{Applied, Reply};

//! `engage bench`: load on a cluster, by the same sockets that publishers and clients use, and the figures that matter.
//!
//! The rules of the room: the generator costs little, since it shares the machine with what it measures (raw sockets, many on a thread; answers are read no further than
//! needed); a wait is counted from the moment at which it *should* have begun, so that a generator that was held up hides nothing (coordinated omission); what is offered
//! again after its confirm is counted in every job, and no figure is told without it. All that is opened has a bound.
//!
//! Words: a **person** is a user with one device on one socket; a **round** of one is publish → offer → ack → confirm; a **crowd** is all persons of one thread of the
//! generator.
//!
//! What is public and hidden is so for `benches/peers`, whose generator measures others by the same means.

pub mod options;
mod error;
mod ground;
#[doc(hidden)]
pub mod resources;
mod socket;
#[doc(hidden)]
pub mod frames;
mod said;
mod publisher;
mod letterbox;
mod body;
#[doc(hidden)]
pub mod waits;
#[doc(hidden)]
pub mod tally;
mod person;
mod crowd;
mod crew;
mod dispatch;
mod recover;
mod failover;
mod idle;
mod absent;
mod growth;
mod deliver;
mod commit;
mod inside;
mod report;
mod plot;
mod run;

pub use error::BenchError;
pub use report::Report;
pub use run::{Show, Stage, draw, run};

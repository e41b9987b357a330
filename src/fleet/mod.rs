//! Nodes on this machine: several processes of this binary as one cluster, for the demo and the benches.
//!
//! The rules of the room: nothing of it outlives the process that runs it, however that one ends; everything listens on loopback. It speaks to its nodes as anybody does, over
//! HTTP, and knows nothing of their inside.

mod error;
mod folder;
mod ports;
mod settings;
mod process;
mod health;
#[allow(clippy::module_inception, reason = "the room is named for its main type")]
mod fleet;

pub use error::FleetError;
pub use fleet::{Fleet, Plan, Progress};
pub(crate) use health::{ANSWER_TIMEOUT, is_ready};
pub(crate) use process::Process;
pub(crate) use settings::Settings;

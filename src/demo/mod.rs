//! `engage demo`: three real nodes on loopback, each a process of this binary, and a page with a phone and a laptop to try them with.
//!
//! The rules of the room: nothing of it outlives the process that runs it, however that one ends; no API key and no secret reaches the page; everything listens on loopback,
//! and answers to the demo's own page alone. It speaks to its nodes as anybody does, over HTTP, and knows nothing of their inside.
//!
//! Words: a **line** is the wire between one device and one node. Devices reach the nodes through lines, so that a network can really be cut: without a Close frame, without a
//! word to anybody. Names of the contract mean what they mean there.

mod error;
mod ports;
mod wire;
mod lines;
mod person;
mod assets;
mod guard;
mod answer;
mod view;
mod control;
mod publisher;
mod site;
mod start;

pub use error::DemoError;
pub use start::{Demo, Wish};

//! Links over real sockets, in one process.

mod breaks;
mod guests;
mod lanes;
mod members;
mod refusals;
mod support;
mod talk;
mod tls;

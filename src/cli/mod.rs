//! The command line (CONTRACT §10): a file for each verb.
//!
//! The rules of the room: data goes to stdout, everything else to stderr; whatever prints data has `--json`; every command says what it will do and ends with
//! what is now true; it exits with 0 when it's done, 1 when it failed, 2 when it was called wrongly (or, of `check-history`, with what is no history). No command decides anything that the contract speaks of:
//! they call [`crate::client`], `serve` starts [`crate::node`], `demo` starts [`crate::demo`], and `bench` runs [`crate::bench`].

mod arguments;
mod output;
mod target;
mod leash;
mod greeting;
mod serve;
mod join;
mod status;
mod waiting;
mod progress;
mod drain;
mod remove;
mod backup;
mod restore;
mod token;
mod publish;
mod connect;
mod device;
mod check;
mod check_history;
mod demo;
mod bench;

pub use arguments::run;

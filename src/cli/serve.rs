//! `engage serve`: runs a node until it is told to stop. Reads the configuration and greets; the rest is the node's.

use std::path::PathBuf;

use clap::Args;

use super::greeting::{Greeting, program};
use super::output;
use crate::config::Config;
use crate::node::Node;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The configuration file [default: what `ENGAGE_CONFIG` names; without it, none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

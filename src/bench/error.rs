//! Why a bench has no figures.

use std::io;
use std::path::PathBuf;

use crate::client::ApiError;
use crate::fleet::FleetError;

/// Why a bench has no figures.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("the node at {address} can't be connected to: {error}")]
    Connect { address: String, error: io::Error },
    #[error("{url} is no address of a node on this machine; hint: loads go to loopback only, like http://127.0.0.1:7400")]
    NotLoopback { url: String },
    #[error("{count} sockets need {needed} open files, and this machine allows {allowed}; hint: ulimit -n {needed}, or fewer --users")]
    OpenFiles { count: usize, needed: u64, allowed: u64 },
    #[error("a publish was answered {status}: {body}")]
    Refused { status: u16, body: String },
    #[error("{what} took longer than {seconds} s")]
    TooSlow { what: &'static str, seconds: u64 },
    #[error("{job} needs nodes of its own: it kills them, or looks behind their sockets; hint: leave --url out")]
    NeedsOwnNodes { job: &'static str },
    #[error("no temporary folder can be made: {0}; hint: TMPDIR names another place")]
    Folder(io::Error),
    #[error("a thread of the generator can't be started: {0}")]
    Thread(io::Error),
    #[error("a thread of the generator ended before its work was done; what it printed says why")]
    ThreadEnded,
    #[error("{} can't be written: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("this system does not tell what a process takes; hint: it is read from /proc, as Linux has it")]
    NoMemoryFigures,
    #[error("a node in this process: {0}")]
    Node(#[from] crate::node::NodeError),
    #[error("a node in this process: {0}")]
    Config(#[from] crate::config::ConfigError),
}

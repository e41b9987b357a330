//! Why there are no nodes.

use std::io;
use std::path::PathBuf;

use crate::client::ApiError;
use crate::config::secrets::SecretsError;

/// Why there are no nodes.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    #[error("no temporary folder can be made in {}: {error}; hint: TMPDIR names another place", place.display())]
    Folder { place: PathBuf, error: io::Error },
    #[error("{} can't be written: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("no ports are free on 127.0.0.1: {0}")]
    NoPorts(io::Error),
    #[error("node {name} can't be started: {error}")]
    Spawn { name: String, error: io::Error },
    #[error("node {name} ended by itself ({how}); its log ends:\n{log}")]
    NodeEnded { name: String, how: String, log: String },
    #[error("{what} took longer than {seconds} s; hint: this machine may be too busy")]
    TooSlow { what: &'static str, seconds: u64 },
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Api(#[from] ApiError),
}

//! Why there is no demo, or why it can't do what its page asks.

use std::io;
use std::path::PathBuf;

use crate::client::ApiError;
use crate::config::secrets::SecretsError;

/// See the file's comment.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("no temporary folder can be made in {}: {error}; hint: TMPDIR names another place", place.display())]
    Folder { place: PathBuf, error: io::Error },
    #[error("{} can't be written: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("port {port} of 127.0.0.1 is taken: {error}; hint: choose another with --port, or leave it out to get a free one")]
    Port { port: u16, error: io::Error },
    #[error("no ports are free on 127.0.0.1: {0}")]
    NoPorts(io::Error),
    #[error("node {name} can't be started: {error}")]
    Spawn { name: String, error: io::Error },
    #[error("node {name} ended by itself ({how}); its log ends:\n{log}")]
    NodeEnded { name: String, how: String, log: String },
    #[error("{what} took longer than {seconds} s; hint: this machine may be too busy for a demo")]
    TooSlow { what: &'static str, seconds: u64 },
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("no token can be made: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    #[error("the page's server failed: {0}")]
    Site(io::Error),
}

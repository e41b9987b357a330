//! Why there is no demo, or why it can't do what its page asks.

use std::io;

use crate::client::ApiError;
use crate::fleet::FleetError;

/// See the file's comment.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("port {port} of 127.0.0.1 is taken: {error}; hint: choose another with --port, or leave it out to get a free one")]
    Port { port: u16, error: io::Error },
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("no port is free on 127.0.0.1 for the page: {0}")]
    NoPort(io::Error),
    #[error("no token can be made: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    #[error("the page's server failed: {0}")]
    Site(io::Error),
}

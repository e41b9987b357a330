//! What can go wrong for a client, as types that a caller can act on.

use serde::{Deserialize, Serialize};

/// An RFC 9457 problem document. `code` is the stable word to act on; the rest is for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{status} {code}: {detail}")]
pub struct Problem {
    pub status: u16,
    pub code: String,
    #[serde(default)]
    pub title: String,
    #[serde(default)]
    pub detail: String,
    /// Of a `Retry-After` header, in seconds.
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
}

/// A call of the API failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The node said no, and why.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// No answer came. It isn't known whether the call took effect; all calls of the API may be sent again (G3).
    #[error("no answer from {url}: {cause}; hint: is a node running there? `engage serve` starts one")]
    NoAnswer { url: String, cause: String },
    /// An answer came that is not in the contract.
    #[error("{status} with an answer that can't be read: {cause}")]
    Unreadable { status: u16, cause: String },
    /// The address is not one.
    #[error(transparent)]
    Address(#[from] super::AddressError),
    /// No HTTP client can be made on this machine.
    #[error("no http client can be made: {0}")]
    Client(String),
}

impl ApiError {
    /// The code of the problem document, if the node sent one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            ApiError::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// The HTTP status, if an answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            ApiError::Problem(problem) => Some(problem.status),
            ApiError::Unreadable { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// No WebSocket could be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The node refused the upgrade. `problem` is its reason, where the answer held one.
    #[error("the upgrade was refused with {status}{}", .problem.as_ref().map(|problem| format!(" {}: {}", problem.code, problem.detail)).unwrap_or_default())]
    Refused { status: u16, problem: Option<Problem> },
    /// Nothing was there, or it did not speak WebSocket.
    #[error("can't connect to {url}: {cause}")]
    Failed { url: String, cause: String },
    /// The address is not one.
    #[error(transparent)]
    Address(#[from] super::AddressError),
}

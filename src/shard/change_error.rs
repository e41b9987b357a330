//! Why a change of a group's members, or of its leader, was not made.

use serde::{Deserialize, Serialize};

use crate::ports::peers::NodeId;

/// Every change can be asked for again: what is so already is no error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ChangeError {
    /// Only the leader changes anything.
    #[error("this node does not lead the group")]
    NotLeader { leader: Option<NodeId> },
    #[error("the group is busy with another change")]
    Busy,
    #[error("node {node} is too far behind, or has not answered lately")]
    Lagging { node: NodeId },
    #[error("node {node} does not belong to the group")]
    NotMember { node: NodeId },
    #[error("node {node} is a voter of the group")]
    Voter { node: NodeId },
    #[error("the group needs at least one voter")]
    NoVoters,
    /// Its leadership is to be transferred before.
    #[error("this node leads the group")]
    Leads,
    #[error("node {to} did not take the lead in time")]
    NotTaken { to: NodeId, leader: Option<NodeId> },
    /// It may still happen.
    #[error("the change took too long")]
    TimedOut,
    #[error("there is no such group on this node")]
    NoGroup,
    #[error("the group has failed: {0}")]
    Failed(String),
}

impl ChangeError {
    /// Whether to ask the same node for the same again, a little later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            ChangeError::Busy | ChangeError::Lagging { .. } | ChangeError::NotTaken { .. } | ChangeError::TimedOut => true,
            ChangeError::NotLeader { .. }
            | ChangeError::NotMember { .. }
            | ChangeError::Voter { .. }
            | ChangeError::NoVoters
            | ChangeError::Leads
            | ChangeError::NoGroup
            | ChangeError::Failed(_) => false,
        }
    }
}

//! What a guest asks a member, and what members ask the leader of the meta group. Nothing is decided here.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::format;
use super::meta::Settings;
use super::meta_command::{Introduction, Refusal, Reply};
use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;

/// Longest text that a node may say of itself, in bytes.
const TEXT_MAX_BYTES: usize = 256;
/// Most settings that it may name.
const SETTINGS_MAX: usize = 256;

/// A node asks to become a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    pub introduction: Introduction,
    pub settings: Settings,
}

/// What a member answers to a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum JoinAnswer {
    Welcome(Welcome),
    Refused(Refusal),
    /// The cluster can't take anybody in now.
    NotNow,
}

/// The guest is a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub cluster_id: String,
    /// Its id, for as long as it keeps its data directory.
    pub node: NodeId,
    /// The cluster's.
    pub settings: Settings,
    /// All members but the guest, and where they are reached.
    pub members: Vec<(NodeId, String)>,
}

/// Why a join did not come to an end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Trying again does not help before something else is changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Safe to try again.
    #[error("the cluster has no majority to take a node in; hint: try again in a second")]
    NotNow,
    #[error(transparent)]
    Unreadable(#[from] format::Unreadable),
}

impl JoinRequest {
    /// The body of the question that a guest asks.
    #[must_use]
    pub fn body(&self) -> Bytes {
        format::encode(self)
    }

    /// Whether it is of a size that a cluster can keep.
    pub(super) fn is_sound(&self) -> bool {
        let Introduction { uuid, name, http, cluster, run: _ } = &self.introduction;
        let texts = [uuid, name, http, cluster].into_iter().chain(self.settings.ledger.keys()).chain(self.settings.ledger.values());
        !uuid.is_empty()
            && !name.is_empty()
            && self.settings.ledger.len() <= SETTINGS_MAX
            && texts.into_iter().all(|text| text.len() <= TEXT_MAX_BYTES)
    }
}

/// Reads what a member has answered to a guest.
///
/// # Errors
/// [`JoinError`].
pub fn read_answer(body: &[u8]) -> Result<Welcome, JoinError> {
    match format::decode(body)? {
        JoinAnswer::Welcome(welcome) => Ok(welcome),
        JoinAnswer::Refused(refusal) => Err(refusal.into()),
        JoinAnswer::NotNow => Err(JoinError::NotNow),
    }
}

/// What is asked of the leader of the meta group, which decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    Found { node: NodeId, introduction: Introduction, settings: Settings },
    Join(JoinRequest),
    Announce { node: NodeId, introduction: Introduction, settings: Settings },
    Drain { name: String },
    Remove { name: String },
}

/// What it answers.
pub(super) type Decision = Result<Reply, NotDecided>;

/// Why nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(super) enum NotDecided {
    #[error("the node does not lead the meta group")]
    NotLeader { leader: Option<NodeId> },
    /// No majority, or not known whether there was one.
    #[error("the meta group can't be changed now")]
    Unavailable,
    #[error("the cluster has no node of this name")]
    UnknownName,
    #[error("shard {shard} would lose its majority")]
    WouldLoseMajority { shard: ShardId },
}

//! A group's place on this node, as the service for other nodes sees it.

use std::sync::Arc;

use super::left::Left;
use super::snapshot_store::SnapshotStore;
use super::types::Raft;

/// What takes the messages for one group.
#[derive(Clone)]
pub struct Seat {
    pub raft: Raft,
    pub snapshots: Arc<SnapshotStore>,
    pub left: Arc<Left>,
}

//! What every connection of this node shares.

use std::sync::Arc;

use super::connections::Connections;
use super::limits::Limits;
use super::sessions::Sessions;
use crate::protocol::token::Verifier;

/// The node, as a connection sees it.
pub struct Edge {
    pub sessions: Arc<Sessions>,
    pub connections: Arc<Connections>,
    pub verifier: Verifier,
    pub limits: Arc<Limits>,
}

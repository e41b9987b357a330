//! What every connection of this node shares.

use std::sync::Arc;

use super::connections::Connections;
use super::limits::Limits;
use super::registry::Registry;
use crate::protocol::token::Verifier;

/// The node, as a connection sees it.
pub struct Edge {
    pub registry: Arc<Registry>,
    pub connections: Arc<Connections>,
    pub verifier: Verifier,
    pub limits: Arc<Limits>,
}

//! What other nodes say to this one about sessions: brought to the user actors here, or to the connections here. Runs on the link's task: neither waits.

use bytes::Bytes;
use std::sync::Arc;
use tracing::warn;

use super::desk::{Desk, RemoteDesk};
use super::letter::Letter;
use super::registry::Registry;
use super::sessions::Sessions;
use crate::ports::peers::{Answer, NodeId, Peers, Serve};
use crate::ports::session::{Attempt, ToEdge, ToOwner};

/// Serves [`crate::ports::peers::Service::Session`].
pub struct SessionService {
    pub registry: Arc<Registry>,
    pub sessions: Arc<Sessions>,
    pub peers: Arc<dyn Peers>,
}

impl SessionService {
    fn take(&self, from: NodeId, message: ToOwner) {
        let attempt = attempt_of(&message);
        let (shard, term) = self.registry.reign_over(message.user());
        let desk = || Arc::new(RemoteDesk::new(Arc::clone(&self.peers), from)) as Arc<dyn Desk>;
        if let (Err(items), Some(attempt)) = (self.registry.take(from, &desk, message), attempt) {
            // Unheard, it is a link that is down or full. The edge asks anew when it is up, or when its attach was not answered for long.
            let _ = desk().deliver(ToEdge { attempt, shard, term: term.unwrap_or_default(), items });
        }
    }
}

impl Serve for SessionService {
    fn told(&self, from: NodeId, body: Bytes) {
        match Letter::decode(&body) {
            Ok(Letter::ToOwner(message)) => self.take(from, message),
            Ok(Letter::ToEdge(words)) => self.sessions.take(words),
            Err(error) => warn!(node = from.0, %error, "a session message was dropped"),
        }
    }

    fn asked(&self, from: NodeId, body: Bytes, _: Answer) {
        // Nothing here is asked: without an answer, the asker gives up in time.
        warn!(node = from.0, bytes = body.len(), "a session was asked something");
    }
}

fn attempt_of(message: &ToOwner) -> Option<Attempt> {
    match message {
        ToOwner::Attach { attempt, .. } | ToOwner::Said { attempt, .. } => Some(*attempt),
        ToOwner::Gone { .. } | ToOwner::Posted { .. } | ToOwner::Renew { .. } => None,
    }
}

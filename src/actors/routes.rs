//! What all sessions of this node share: who owns whom, and the ways to owners, here and on other nodes. Keeps the farewells that could not be said yet, because a
//! connection that is over and not told of would stay in the ledger.

use bytes::Bytes;
use metrics::counter;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

use super::desk::Desk;
use super::letter::Letter;
use super::limits::Limits;
use super::registry::Registry;
use crate::clock;
use crate::ledger::ids::ShardId;
use crate::ports::owners::{Owner, Owners};
use crate::ports::peers::{Lane, NodeId, Peers, Service};
use crate::ports::session::{Item, ToOwner};
use crate::telemetry::names;

/// See the head of the file.
pub struct Routes {
    pub owners: Arc<dyn Owners>,
    pub peers: Arc<dyn Peers>,
    pub registry: Arc<Registry>,
    pub limits: Arc<Limits>,
    /// The name of this node.
    pub node: String,
    me: NodeId,
    started_at: Instant,
    woken: Notify,
    farewells: Mutex<VecDeque<Farewell>>,
}

struct Farewell {
    shard: ShardId,
    owner: Owner,
    gone: ToOwner,
}

impl Routes {
    /// The ways out of this node.
    #[must_use]
    pub fn new(owners: Arc<dyn Owners>, peers: Arc<dyn Peers>, registry: Arc<Registry>, node: String) -> Routes {
        let (me, limits) = (owners.me(), registry.limits());
        let (started_at, woken, farewells) = (clock::monotonic(), Notify::new(), Mutex::default());
        Routes { owners, peers, registry, limits, node, me, started_at, woken, farewells }
    }

    /// Says something to an owner. What is said to this node itself is said at once, on this thread.
    ///
    /// # Errors
    /// What an owner that takes it not would say.
    pub fn send(&self, to: NodeId, desk: &dyn Fn() -> Arc<dyn Desk>, message: ToOwner) -> Result<(), Vec<Item>> {
        if to == self.me {
            return self.registry.take(self.me, desk, message);
        }
        let body = Bytes::from(Letter::ToOwner(message).encode());
        self.peers.tell(to, Lane::Session, Service::Session, body).map_err(|_| vec![Item::NotNow])
    }

    /// Tells the owner that was asked last that a connection is over, now or as soon as it can be told. Another owner has no need to know: it has put the connection on
    /// a lease.
    pub fn say_goodbye(&self, shard: ShardId, owner: Owner, gone: ToOwner) {
        let farewell = Farewell { shard, owner, gone };
        if let Some(farewell) = self.try_goodbye(farewell) {
            self.keep(farewell);
        }
    }

    /// Says the farewells that wait.
    pub fn say_goodbyes(&self) {
        let waiting = std::mem::take(&mut *self.farewells.lock().unwrap_or_else(PoisonError::into_inner));
        for farewell in waiting {
            if let Some(farewell) = self.try_goodbye(farewell) {
                self.keep(farewell);
            }
        }
    }

    /// Gives it back, when it is to be tried again.
    fn try_goodbye(&self, farewell: Farewell) -> Option<Farewell> {
        let Farewell { shard, owner, gone } = farewell;
        match self.owners.owner_of(shard) {
            Some(now) if now != owner => None,
            Some(_) => {
                let sent = self.send(owner.node, &|| unreachable!("who goes leaves no desk"), gone.clone());
                sent.err().map(|_| Farewell { shard, owner, gone })
            }
            None => Some(Farewell { shard, owner, gone }),
        }
    }

    fn keep(&self, farewell: Farewell) {
        let mut waiting = self.farewells.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= self.limits.connections_max {
            // The ledger keeps that device as attached until it connects again, or its shard has another owner.
            waiting.pop_front();
            counter!(names::SESSION_DROPPED_TOTAL, "reason" => "gone").increment(1);
        }
        waiting.push_back(farewell);
    }

    /// Ms from the start of the routes to a moment.
    #[must_use]
    pub fn ms(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.started_at).as_millis()).unwrap_or(u64::MAX)
    }

    /// Wakes who tends the sessions: one is adrift.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Done when [`Routes::wake`] was called.
    pub async fn woken(&self) {
        self.woken.notified().await;
    }
}

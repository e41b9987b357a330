//! The users and ledgers of the whole cluster, for callers on any node: what this node owns is done here, all else by the owner, one hop away. While a shard has no owner,
//! a call waits for one as long as it may take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::format;
use super::forward_wire::{Call, DELIVERIES_MAX, Found, OUTCOMES_MAX, OutcomesOrOldest, Question};
use crate::clock;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{EngagementId, ShardId, UserId};
use crate::ledger::outcome::{CursorExpired, Outcome};
use crate::ledger::view::{DeliveryView, EngagementView, UserView};
use crate::ledger::{Applied, Command};
use crate::ports::calls::{CallError, Users};
use crate::ports::owners::{Owner, Owners};
use crate::ports::peers::{Lane, PeerError, Peers, Service};
use crate::ports::{Read, ReadError, ShardStatus};

/// The first wait before an owner that was not able to is asked again; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How often outcomes of shards that have no replica here may be new.
const OUTCOMES_TICK: Duration = Duration::from_millis(250);

/// What a router is made of.
pub struct RouterParts {
    pub owners: Arc<dyn Owners>,
    pub peers: Arc<dyn Peers>,
    /// The users that this node owns.
    pub users: Arc<dyn Users>,
    /// The ledgers that this node owns.
    pub read: Arc<dyn Read>,
    /// How long one call may take, the wait for an owner included.
    pub timeout: Duration,
    /// Whether this node has a replica of every shard, so that it sees all outcomes by itself.
    pub holds_all: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Implements [`Users`] and [`Read`] for the whole cluster.
pub struct Router {
    parts: RouterParts,
    outcomes_changed: watch::Sender<u64>,
}

/// Whether a call that may have been done may be done again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// A read.
    Safe,
    /// Its caller decides.
    AskCaller,
}

impl Router {
    /// Puts the parts together. [`Router::watch_outcomes`] must run for the outcomes of other nodes' shards to be noticed.
    #[must_use]
    pub fn new(parts: RouterParts) -> Router {
        Router { parts, outcomes_changed: watch::Sender::new(0) }
    }

    /// Notices new outcomes, for as long as it is polled.
    pub async fn watch_outcomes(self: Arc<Self>) {
        let mut local = self.parts.read.outcomes_changed();
        loop {
            let is_news = tokio::select! {
                Ok(()) = local.changed() => true,
                () = tokio::time::sleep(OUTCOMES_TICK) => self.outcomes_changed.receiver_count() > 0 && !(self.parts.holds_all)(),
            };
            if is_news {
                local.mark_unchanged();
                self.outcomes_changed.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }

    /// Has the owner of a shard answer a question, here by `locally` or elsewhere.
    async fn route<T>(
        &self,
        shard: ShardId,
        question: Question,
        again: Again,
        doing: Doing<'_, T>,
    ) -> Result<T, CallError> {
        let owners = self.parts.owners.as_ref();
        let deadline = clock::monotonic() + self.parts.timeout;
        let mut changed = owners.changed();
        let body = format::encode(&Call::new(question, self.parts.timeout));
        let mut pause = FIRST_PAUSE;
        loop {
            changed.mark_unchanged();
            let result = match owners.owner_of(shard) {
                None => Err(CallError::Unavailable),
                Some(owner) if owner.node == owners.me() => (doing.locally)().await,
                Some(owner) => self.ask(shard, owner, body.clone(), deadline).await.and_then(|found| (doing.read)(found).ok_or(CallError::Unknown)),
            };
            match result {
                Err(CallError::Unavailable) => {}
                Err(CallError::Unknown) if again == Again::Safe => {}
                result => return result,
            }
            let has_owner = owners.owner_of(shard).is_some();
            // Without an owner there is nothing to try before one is known.
            let wait = if has_owner { pause } else { left(deadline) };
            if left(deadline).is_zero() {
                return result;
            }
            let _ = tokio::time::timeout(wait.min(left(deadline)), changed.changed()).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Asks another node; gives up when that owns the shard no more.
    async fn ask(&self, shard: ShardId, owner: Owner, body: Bytes, deadline: Instant) -> Result<Found, CallError> {
        let answer = self.parts.peers.ask(owner.node, Lane::Session, Service::Call, body, left(deadline));
        let answer = tokio::select! {
            answer = answer => answer,
            () = self.is_replaced(shard, owner) => Err(PeerError::NoAnswer),
        };
        let answer = answer.map_err(|error| match error {
            PeerError::NotSent => CallError::Unavailable,
            PeerError::NoAnswer => CallError::Unknown,
        })?;
        format::decode::<Result<Found, CallError>>(&answer).unwrap_or(Err(CallError::Unknown))
    }

    async fn is_replaced(&self, shard: ShardId, owner: Owner) {
        let owners = self.parts.owners.as_ref();
        let mut changed = owners.changed();
        while owners.owner_of(shard).is_none_or(|now| now == owner) {
            if changed.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn read<T>(&self, shard: ShardId, question: Question, doing: Doing<'_, T>) -> Result<T, ReadError> {
        self.route(shard, question, Again::Safe, doing).await.map_err(|_| ReadError)
    }
}

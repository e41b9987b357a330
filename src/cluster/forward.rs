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

    /// Has the owner of a shard answer: this node by `here`, another one by what it sends back.
    async fn route<T, Here>(&self, errand: Errand<'_, T>, here: impl Fn() -> Here) -> Result<T, CallError>
    where
        Here: Future<Output = Result<T, CallError>>,
    {
        let Errand { shard, question, again, open } = errand;
        let owners = self.parts.owners.as_ref();
        let deadline = clock::monotonic() + self.parts.timeout;
        // Made when it is needed: most calls are answered here.
        let mut body = None;
        let mut changed = owners.changed();
        let mut pause = FIRST_PAUSE;
        loop {
            changed.mark_unchanged();
            let owner = owners.owner_of(shard);
            let result = match owner {
                None => Err(CallError::Unavailable),
                Some(owner) if owner.node == owners.me() => here().await,
                Some(owner) => {
                    let body = body.get_or_insert_with(|| format::encode(&Call::new(question(), self.parts.timeout))).clone();
                    self.ask(shard, owner, body, deadline).await.and_then(|found| open(found).ok_or(CallError::Unknown))
                }
            };
            let may_go_on = match result {
                Err(CallError::Unavailable) => true,
                Err(CallError::Unknown) => again == Again::Safe || mutant!(UnknownIsAskedAgain),
                _ => false,
            };
            if !may_go_on || left(deadline).is_zero() {
                return result;
            }
            // Without an owner there is nothing to try before one is known.
            let wait = if owner.is_some() { pause } else { left(deadline) };
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

    async fn read<T, Here>(
        &self,
        (shard, question): (ShardId, &(dyn Fn() -> Question + Sync)),
        open: fn(Found) -> Option<T>,
        here: impl Fn() -> Here,
    ) -> Result<T, ReadError>
    where
        Here: Future<Output = Result<T, ReadError>>,
    {
        let errand = Errand { shard, question, again: Again::Safe, open };
        let read = self.route(errand, || async { here().await.map_err(|ReadError| CallError::Unavailable) });
        read.await.map_err(|_| ReadError)
    }

    async fn some_deliveries(&self, user: &UserId, after: u64, limit: usize) -> Result<Vec<DeliveryView>, ReadError> {
        let question = || Question::Deliveries { user: user.clone(), after, limit };
        let open = |found| if let Found::Deliveries(deliveries) = found { Some(deliveries) } else { None };
        self.read((self.shard_of(user), &question), open, || self.parts.read.deliveries(user, after, limit)).await
    }

    async fn some_outcomes(&self, shard: ShardId, after: u64, limit: usize) -> Result<OutcomesOrOldest, ReadError> {
        let open = |found| if let Found::Outcomes(outcomes) = found { Some(outcomes) } else { None };
        let here = || async move { Ok(self.parts.read.outcomes(shard, after, limit).await?.map_err(|expired| expired.oldest)) };
        self.read((shard, &|| Question::Outcomes { shard, after, limit }), open, here).await
    }
}

/// A question on its way.
struct Errand<'a, T> {
    shard: ShardId,
    question: &'a (dyn Fn() -> Question + Sync),
    again: Again,
    /// What the answer holds; none if it is one to another question.
    open: fn(Found) -> Option<T>,
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(clock::monotonic())
}

#[async_trait]
impl Users for Router {
    async fn call(&self, command: Command) -> Result<Applied, CallError> {
        // The shards' own commands are theirs to propose.
        let Some(user) = command.user() else { return Err(CallError::Unavailable) };
        let errand = Errand {
            shard: self.shard_of(user),
            question: &|| Question::Command(command.clone()),
            again: Again::AskCaller,
            open: |found| if let Found::Applied(applied) = found { Some(applied) } else { None },
        };
        self.route(errand, || self.parts.users.call(command.clone())).await
    }

    async fn notice(&self, user: UserId, id: EngagementId, payload: Payload, targets: Targets) -> Result<u32, CallError> {
        let errand = Errand {
            shard: self.shard_of(&user),
            question: &|| Question::Notice { user: user.clone(), id: id.clone(), payload: payload.clone(), targets },
            again: Again::AskCaller,
            open: |found| if let Found::Sent(count) = found { Some(count) } else { None },
        };
        self.route(errand, || self.parts.users.notice(user.clone(), id.clone(), payload.clone(), targets)).await
    }
}

#[async_trait]
impl Read for Router {
    fn shard_of(&self, user: &UserId) -> ShardId {
        self.parts.read.shard_of(user)
    }

    fn shard_count(&self) -> u16 {
        self.parts.read.shard_count()
    }

    async fn user(&self, user: &UserId) -> Result<Option<UserView>, ReadError> {
        let open = |found| if let Found::User(view) = found { Some(view) } else { None };
        self.read((self.shard_of(user), &|| Question::User(user.clone())), open, || self.parts.read.user(user)).await
    }

    async fn deliveries(&self, user: &UserId, after: u64, limit: usize) -> Result<Vec<DeliveryView>, ReadError> {
        let mut page: Vec<DeliveryView> = Vec::new();
        // An answer has a bounded length, so a long page comes in parts.
        while page.len() < limit {
            let part = DELIVERIES_MAX.min(limit - page.len());
            let after = page.last().map_or(after, |last| last.sequence);
            let more = self.some_deliveries(user, after, part).await?;
            let is_last = more.len() < part;
            page.extend(more);
            if is_last {
                break;
            }
        }
        Ok(page)
    }

    async fn engagement(&self, user: &UserId, id: &EngagementId) -> Result<Option<EngagementView>, ReadError> {
        let question = || Question::Engagement { user: user.clone(), id: id.clone() };
        let open = |found| if let Found::Engagement(view) = found { Some(view) } else { None };
        self.read((self.shard_of(user), &question), open, || self.parts.read.engagement(user, id)).await
    }

    async fn outcomes(&self, shard: ShardId, after: u64, limit: usize) -> Result<Result<Vec<(u64, Outcome)>, CursorExpired>, ReadError> {
        let mut page: Vec<(u64, Outcome)> = Vec::new();
        while page.len() < limit {
            let part = OUTCOMES_MAX.min(limit - page.len());
            let after = page.last().map_or(after, |(sequence, _)| *sequence);
            match self.some_outcomes(shard, after, part).await? {
                Ok(more) => {
                    let is_last = more.len() < part;
                    page.extend(more);
                    if is_last {
                        break;
                    }
                }
                // What was read before is still whole; the next call tells.
                Err(_) if !page.is_empty() => break,
                Err(oldest) => return Ok(Err(CursorExpired { oldest })),
            }
        }
        Ok(Ok(page))
    }

    async fn outcomes_before_oldest(&self, shard: ShardId) -> Result<u64, ReadError> {
        let open = |found| if let Found::OutcomesBeforeOldest(sequence) = found { Some(sequence) } else { None };
        self.read((shard, &|| Question::OutcomesBeforeOldest(shard)), open, || self.parts.read.outcomes_before_oldest(shard)).await
    }

    fn outcomes_changed(&self) -> watch::Receiver<u64> {
        self.outcomes_changed.subscribe()
    }

    fn status(&self) -> Vec<ShardStatus> {
        self.parts.read.status()
    }
}

#[cfg(test)]
#[path = "forward_tests.rs"]
mod tests;

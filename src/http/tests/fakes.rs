//! Stand-ins for the rest of the node, for tests of the routes: actors that answer what they are told to, and a ledger that shows what was put into it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::config::{ApiKey, Role, Secret};
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{DeviceId, EngagementId, ShardId, UserId};
use crate::ledger::outcome::{CursorExpired, Outcome, What};
use crate::ledger::reply::Reply;
use crate::ledger::time::LedgerTime;
use crate::ledger::view::{DeliveryView, EngagementView, UserView};
use crate::ledger::{Applied, Command};
use crate::ports::{Read, ReadError, ShardStatus};

use crate::http::auth::ApiKeys;
use crate::http::cluster::Cluster;
use crate::http::limits::Bounds;
use crate::http::state::{Api, CallError, Parts, Users};

use super::members::FakeMembers;

/// The shards of the fake ledger; a user's shard is the length of the id.
pub const SHARD_COUNT: u16 = 3;

/// An answer for each user.
type AnswerEach = fn(&UserId) -> Result<Reply, CallError>;

/// Actors that answer from a list, and keep what they were asked.
#[derive(Default)]
pub struct FakeUsers {
    answers: Mutex<VecDeque<Result<Reply, CallError>>>,
    pub asked: Mutex<Vec<Command>>,
    pub notices: Mutex<Vec<(UserId, EngagementId, Payload, Targets)>>,
    /// Answers each publish by its user, when the list is empty.
    by_user: Mutex<Option<AnswerEach>>,
}

impl FakeUsers {
    /// Answers the next call so.
    pub fn will_answer(&self, answer: Result<Reply, CallError>) {
        self.answers.lock().unwrap().push_back(answer);
    }

    /// Answers all other calls so.
    pub fn will_answer_each(&self, answer: AnswerEach) {
        *self.by_user.lock().unwrap() = Some(answer);
    }

    fn answer(&self, user: &UserId) -> Result<Reply, CallError> {
        let listed = self.answers.lock().unwrap().pop_front();
        let by_user = *self.by_user.lock().unwrap();
        listed.or_else(|| by_user.map(|answer| answer(user))).unwrap_or(Err(CallError::Unavailable))
    }
}

#[async_trait]
impl Users for FakeUsers {
    async fn call(&self, command: Command) -> Result<Applied, CallError> {
        let user = command.user().expect("the API sends no command of a shard").clone();
        self.asked.lock().unwrap().push(command);
        let reply = self.answer(&user)?;
        Ok(Applied { at: LedgerTime(1), reply, effects: Vec::new() })
    }

    async fn notice(&self, user: UserId, id: EngagementId, payload: Payload, targets: Targets) -> Result<u32, CallError> {
        self.answer(&user)?;
        self.notices.lock().unwrap().push((user, id, payload, targets));
        Ok(2)
    }
}

/// What a shard's outcome log holds.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// How many were dropped from its old end.
    pub dropped: u64,
    pub kept: Vec<Outcome>,
}

/// What the fake ledger holds.
#[derive(Default)]
pub struct Facts {
    pub users: BTreeMap<UserId, UserView>,
    pub deliveries: BTreeMap<UserId, Vec<DeliveryView>>,
    pub logs: [Log; SHARD_COUNT as usize],
    /// Nothing can be read.
    pub is_down: bool,
    /// Reads of outcomes so far.
    pub outcome_reads: u64,
}

/// A ledger to read from.
pub struct FakeRead {
    facts: Mutex<Facts>,
    changed: watch::Sender<u64>,
}

impl FakeRead {
    fn facts(&self) -> Result<MutexGuard<'_, Facts>, ReadError> {
        let facts = self.facts.lock().unwrap();
        if facts.is_down { Err(ReadError) } else { Ok(facts) }
    }

    /// Changes what it holds.
    pub fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap());
        self.changed.send_modify(|count| *count += 1);
    }

    /// Adds an outcome of a user, at this time.
    pub fn happened(&self, user: &str, id: &str, at: u64) {
        let user = UserId::parse(user).unwrap();
        let shard = usize::from(self.shard_of(&user).0);
        let (device, id) = (DeviceId::parse("d1").ok(), EngagementId::parse(id).unwrap());
        let outcome = Outcome { at: LedgerTime(at), what: What::Offered, user, device, id, window: None, step: 0, reason: None };
        self.change(|facts| facts.logs[shard].kept.push(outcome));
    }

    /// How often outcomes were read.
    pub fn outcome_reads(&self) -> u64 {
        self.facts.lock().unwrap().outcome_reads
    }
}

#[async_trait]
impl Read for FakeRead {
    fn shard_of(&self, user: &UserId) -> ShardId {
        ShardId(u16::try_from(user.as_str().len()).unwrap() % SHARD_COUNT)
    }

    fn shard_count(&self) -> u16 {
        SHARD_COUNT
    }

    async fn user(&self, user: &UserId) -> Result<Option<UserView>, ReadError> {
        Ok(self.facts()?.users.get(user).cloned())
    }

    async fn deliveries(&self, user: &UserId, after: u64, limit: usize) -> Result<Vec<DeliveryView>, ReadError> {
        let facts = self.facts()?;
        let mut views: Vec<_> = facts.deliveries.get(user).into_iter().flatten().filter(|view| view.sequence > after).cloned().collect();
        // As the ledger does it: the devices of one engagement are not torn apart.
        if let Some(last) = views.get(limit - 1).map(|view| view.sequence) {
            views.retain(|view| view.sequence <= last);
        }
        Ok(views)
    }

    async fn engagement(&self, user: &UserId, id: &EngagementId) -> Result<Option<EngagementView>, ReadError> {
        let facts = self.facts()?;
        let deliveries: Vec<_> = facts.deliveries.get(user).into_iter().flatten().filter(|view| view.id == *id).cloned().collect();
        let timeline =
            facts.logs.iter().flat_map(|log| &log.kept).filter(|outcome| outcome.user == *user && outcome.id == *id).cloned().collect();
        Ok((!deliveries.is_empty()).then_some(EngagementView { deliveries, timeline }))
    }

    async fn outcomes(&self, shard: ShardId, after: u64, limit: usize) -> Result<Result<Vec<(u64, Outcome)>, CursorExpired>, ReadError> {
        let mut facts = self.facts()?;
        facts.outcome_reads += 1;
        let log = &facts.logs[usize::from(shard.0)];
        if after < log.dropped {
            return Ok(Err(CursorExpired { oldest: log.dropped }));
        }
        let numbered = (log.dropped + 1..).zip(&log.kept).filter(|(sequence, _)| *sequence > after);
        Ok(Ok(numbered.take(limit).map(|(sequence, outcome)| (sequence, outcome.clone())).collect()))
    }

    async fn outcomes_before_oldest(&self, shard: ShardId) -> Result<u64, ReadError> {
        Ok(self.facts()?.logs[usize::from(shard.0)].dropped)
    }

    fn outcomes_changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn status(&self) -> Vec<ShardStatus> {
        Vec::new()
    }
}

/// A node made of fakes.
pub struct FakeNode {
    pub users: Arc<FakeUsers>,
    pub read: Arc<FakeRead>,
    pub members: Arc<FakeMembers>,
    pub api: Arc<Api>,
    pub cluster: Arc<Cluster>,
}

/// A node with three keys, `publish-key`, `read-key` and `admin-key`, that gives a write 100 ms.
pub fn node() -> FakeNode {
    node_with(Bounds::default())
}

/// The same, with other bounds.
pub fn node_with(bounds: Bounds) -> FakeNode {
    let users = Arc::new(FakeUsers::default());
    let read = Arc::new(FakeRead { facts: Mutex::new(Facts::default()), changed: watch::Sender::new(0) });
    let members = Arc::new(FakeMembers::default());
    let keys = [("shop", Role::Publish, "publish-key"), ("desk", Role::Read, "read-key"), ("ops", Role::Admin, "admin-key")];
    let api = Api::new(Parts {
        users: Arc::clone(&users) as Arc<dyn Users>,
        read: Arc::clone(&read) as Arc<dyn Read>,
        owners: members.clone(),
        keys: ApiKeys::new(keys.map(|(name, role, secret)| ApiKey { name: name.to_owned(), key: Secret::new(secret), role }).to_vec()),
        bounds,
        request_timeout: Duration::from_millis(100),
    });
    let cluster = Cluster::new(members.clone(), members.clone(), members.clone(), Duration::from_millis(100));
    FakeNode { users, read, members, api: Arc::new(api), cluster: Arc::new(cluster) }
}

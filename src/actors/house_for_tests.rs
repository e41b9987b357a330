//! A node of stand-ins for tests: real sessions and user actors between an outbox that keeps what it gets, owners that change at will, and links that keep what is sent.

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

use super::admission::{Admitted, HelloAcks};
use super::fakes::{FakeLedger, user};
use super::letter::Letter;
use super::limits::Limits;
use super::outbox::{Ending, Outbox, OutboxError};
use super::registry::{Registry, Shared};
use super::routes::Routes;
use super::seat::Seat;
use super::service::SessionService;
use super::sessions::Sessions;
use super::terms::Terms;
use crate::ledger::command::Attach;
use crate::ledger::ids::{EdgeId, ShardId, UserId};
use crate::ports::CarryOut as _;
use crate::ports::owners::{Owner, Owners};
use crate::ports::peers::{Lane, NodeId, PeerError, Peers, Service};
use crate::protocol::batch::Batch;
use crate::protocol::refusal::Refusal;

/// This node, and another.
pub const ME: NodeId = NodeId(1);
pub const OTHER: NodeId = NodeId(2);
/// The one shard.
pub const SHARD: ShardId = ShardId(0);

/// Owners that change at will.
pub struct FakeOwners {
    owner: Mutex<Option<Owner>>,
    /// Terms from this one on are valid.
    valid_from: Mutex<u64>,
    lease_left: Mutex<Duration>,
    changed: watch::Sender<u64>,
}

impl FakeOwners {
    /// This node owns the shard, in term 1.
    pub fn new() -> Arc<FakeOwners> {
        let owner = Mutex::new(Some(owner(ME, 1)));
        Arc::new(FakeOwners {
            owner,
            valid_from: Mutex::new(1),
            lease_left: Mutex::new(Duration::from_secs(10)),
            changed: watch::channel(0).0,
        })
    }

    /// Another owner, or none; whose lease is on is not changed by it.
    pub fn set(&self, owner: Option<Owner>) {
        *self.owner.lock().unwrap() = owner;
        self.changed.send_modify(|count| *count += 1);
    }

    /// So much is left of every lease.
    pub fn leave(&self, lease_left: Duration) {
        *self.lease_left.lock().unwrap() = lease_left;
    }

    /// Earlier terms are not valid any more.
    pub fn valid_from(&self, term: u64) {
        *self.valid_from.lock().unwrap() = term;
    }
}

/// An owner over the first link.
pub fn owner(node: NodeId, term: u64) -> Owner {
    Owner { node, term, link: 0 }
}

impl Owners for FakeOwners {
    fn me(&self) -> NodeId {
        ME
    }

    fn shard_of(&self, _: &UserId) -> ShardId {
        SHARD
    }

    fn owner_of(&self, _: ShardId) -> Option<Owner> {
        *self.owner.lock().unwrap()
    }

    fn is_valid(&self, _: ShardId, term: u64) -> bool {
        term >= *self.valid_from.lock().unwrap()
    }

    fn lease_left(&self, _: ShardId, _: u64) -> Duration {
        *self.lease_left.lock().unwrap()
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn name_of_edge(&self, _: EdgeId) -> Option<String> {
        None
    }

    fn name_of(&self, _: NodeId) -> Option<String> {
        None
    }
}

/// Links that keep what is sent, while they are up.
#[derive(Default)]
pub struct FakePeers {
    is_down: AtomicBool,
    sent: Mutex<Vec<(NodeId, Letter)>>,
}

impl FakePeers {
    /// Takes what was sent since the last time.
    pub fn take(&self) -> Vec<(NodeId, Letter)> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    pub fn go_down(&self) {
        self.is_down.store(true, SeqCst);
    }

    pub fn come_up(&self) {
        self.is_down.store(false, SeqCst);
    }
}

#[async_trait]
impl Peers for FakePeers {
    fn tell(&self, to: NodeId, lane: Lane, service: Service, body: Bytes) -> Result<(), PeerError> {
        assert_eq!((lane, service), (Lane::Session, Service::Session));
        if self.is_down.load(SeqCst) {
            return Err(PeerError::NotSent);
        }
        self.sent.lock().unwrap().push((to, Letter::decode(&body).unwrap()));
        Ok(())
    }

    async fn ask(&self, _: NodeId, _: Lane, _: Service, _: Bytes, _: Duration) -> Result<Bytes, PeerError> {
        Err(PeerError::NotSent)
    }
}

/// A node of one shard, which it owns.
pub struct House {
    pub ledger: Arc<FakeLedger>,
    pub owners: Arc<FakeOwners>,
    pub peers: Arc<FakePeers>,
    pub registry: Arc<Registry>,
    pub sessions: Arc<Sessions>,
    pub service: SessionService,
}

impl House {
    pub fn new(ledger: Arc<FakeLedger>) -> House {
        House::with(ledger, Limits::default())
    }

    pub fn with(ledger: Arc<FakeLedger>, limits: Limits) -> House {
        let (owners, peers) = (FakeOwners::new(), Arc::<FakePeers>::default());
        let registry = registry(ledger.clone(), owners.clone(), limits);
        let sessions = Sessions::new(Routes::new(owners.clone(), peers.clone(), registry.clone(), "n1".to_owned()), 1);
        actix_rt::spawn(Sessions::tend(Arc::downgrade(&sessions)));
        let service = SessionService { registry: registry.clone(), sessions: sessions.clone(), peers: peers.clone() };
        House { ledger, owners, peers, registry, sessions, service }
    }

    /// A connection of the user u1 that said hello.
    pub fn connect(&self, attach: Attach) -> (Arc<FakeOutbox>, Arc<Seat>) {
        self.connect_to(FakeOutbox::new(), attach, Vec::new())
    }

    pub fn connect_to(&self, outbox: Arc<FakeOutbox>, attach: Attach, refused: Vec<(usize, Refusal)>) -> (Arc<FakeOutbox>, Arc<Seat>) {
        let seat = self.sessions.open(outbox.clone(), admitted(attach, refused));
        (outbox, seat)
    }
}

/// The user actors of a node that owns the shard.
pub fn registry(ledger: Arc<FakeLedger>, owners: Arc<FakeOwners>, limits: Limits) -> Arc<Registry> {
    let registry = Registry::new(Shared { propose: ledger, owners, limits: Arc::new(limits), terms: Terms::new(1) });
    registry.owned(SHARD, 1);
    registry
}

/// A hello of u1.
pub fn admitted(attach: Attach, refused: Vec<(usize, Refusal)>) -> Admitted {
    Admitted { user: user("u1"), attach, acks: HelloAcks { refused, references: Vec::new() }, expires_at_ms: u64::MAX }
}

/// Keeps frames; full after as many as it may hold.
#[derive(Default)]
pub struct FakeOutbox {
    frames: Mutex<Vec<String>>,
    endings: Mutex<Vec<Ending>>,
    frames_max: Option<usize>,
}

impl FakeOutbox {
    pub fn new() -> Arc<FakeOutbox> {
        Arc::default()
    }

    pub fn full_after(frames: usize) -> Arc<FakeOutbox> {
        Arc::new(FakeOutbox { frames_max: Some(frames), ..FakeOutbox::default() })
    }

    /// All messages so far.
    pub fn messages(&self) -> Vec<Value> {
        let parsed = self.frames.lock().unwrap().iter().map(|frame| serde_json::from_str(frame).unwrap()).collect::<Vec<Value>>();
        parsed.into_iter().flat_map(|frame| if let Value::Array(list) = frame { list } else { vec![frame] }).collect()
    }

    /// Their types, in order.
    pub fn kinds(&self) -> Vec<String> {
        self.messages().iter().map(|message| message["type"].as_str().unwrap().to_owned()).collect()
    }

    pub fn frame_count(&self) -> usize {
        self.frames.lock().unwrap().len()
    }

    /// The close code, once it is closed.
    pub fn close_code(&self) -> Option<u16> {
        self.endings.lock().unwrap().first().map(|ending| ending.close)
    }

    /// The last message of its ending.
    pub fn last_word(&self) -> Value {
        let last = self.endings.lock().unwrap().first().and_then(|ending| ending.last.clone());
        last.map_or(Value::Null, |last| serde_json::from_str(&last.into_text()).unwrap())
    }
}

impl Outbox for FakeOutbox {
    fn try_send(&self, batches: Vec<Batch>) -> Result<(), OutboxError> {
        let mut frames = self.frames.lock().unwrap();
        if self.frames_max.is_some_and(|most| frames.len() >= most) {
            return Err(OutboxError::Full);
        }
        frames.extend(batches.into_iter().map(|batch| batch.into_text().to_string()));
        Ok(())
    }

    fn answer(&self, answers: Batch) -> Result<(), OutboxError> {
        self.try_send(vec![answers])
    }

    fn close(&self, ending: Ending) {
        self.endings.lock().unwrap().push(ending);
    }

    fn renew(&self, _: u64) {}
}

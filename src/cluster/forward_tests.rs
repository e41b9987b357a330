//! What the router promises: every node answers for every user, through one hop, and waits for an owner as long as it may.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;

use super::*;
use crate::cluster::fakes_for_tests::{Net, shard_of, until};
use crate::cluster::forward_serve::ServeCalls;
use crate::ledger::Ledger;
use crate::ledger::engagement::{Engagement, Scope, SettleOn};
use crate::ledger::ids::EdgeId;
use crate::ledger::reply::{PublishReply, Reply};
use crate::ledger::time::LedgerTime;
use crate::ports::peers::NodeId;

const SHARDS: u16 = 4;

/// The users of one shard of the cluster, kept on one node: calls elsewhere are not done.
struct FakeOwner {
    ledger: Mutex<Ledger>,
    is_able: AtomicBool,
    is_silent: AtomicBool,
    calls: AtomicU64,
    outcomes: watch::Sender<u64>,
}

impl FakeOwner {
    fn new() -> Arc<FakeOwner> {
        Arc::new(FakeOwner {
            ledger: Mutex::default(),
            is_able: AtomicBool::new(true),
            is_silent: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            outcomes: watch::Sender::new(0),
        })
    }

    fn check(&self) -> Result<(), ReadError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_able.load(Ordering::Relaxed) { Ok(()) } else { Err(ReadError) }
    }
}

#[async_trait]
impl Users for FakeOwner {
    async fn call(&self, command: Command) -> Result<Applied, CallError> {
        self.check().map_err(|_| CallError::Unavailable)?;
        if self.is_silent.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        Ok(self.ledger.lock().unwrap().apply(command, LedgerTime(1_000)))
    }

    async fn notice(&self, _user: UserId, _id: EngagementId, _payload: Payload, _targets: Targets) -> Result<u32, CallError> {
        self.check().map(|()| 3).map_err(|_| CallError::Unavailable)
    }
}

#[async_trait]
impl Read for FakeOwner {
    fn shard_of(&self, user: &UserId) -> ShardId {
        shard_of(user, SHARDS)
    }

    fn shard_count(&self) -> u16 {
        SHARDS
    }

    async fn user(&self, user: &UserId) -> Result<Option<UserView>, ReadError> {
        self.check()?;
        Ok(self.ledger.lock().unwrap().user(user))
    }

    async fn deliveries(&self, user: &UserId, after: u64, limit: usize) -> Result<Vec<DeliveryView>, ReadError> {
        self.check()?;
        Ok(self.ledger.lock().unwrap().deliveries(user, after, limit))
    }

    async fn engagement(&self, user: &UserId, id: &EngagementId) -> Result<Option<EngagementView>, ReadError> {
        self.check()?;
        let parts = self.ledger.lock().unwrap().engagement_parts(user, id);
        Ok(parts.map(|(deliveries, outcomes)| EngagementView::new(deliveries, &outcomes, user, id)))
    }

    async fn outcomes(&self, _: ShardId, after: u64, limit: usize) -> Result<Result<Vec<(u64, Outcome)>, CursorExpired>, ReadError> {
        self.check()?;
        Ok(self.ledger.lock().unwrap().outcomes().after(after, limit))
    }

    async fn outcomes_before_oldest(&self, _: ShardId) -> Result<u64, ReadError> {
        self.check()?;
        Ok(self.ledger.lock().unwrap().outcomes().before_oldest())
    }

    fn outcomes_changed(&self) -> watch::Receiver<u64> {
        self.outcomes.subscribe()
    }

    fn status(&self) -> Vec<ShardStatus> {
        Vec::new()
    }
}

/// Owners as a test names them; all shards have the same.
struct FakeOwners {
    me: NodeId,
    owner: Mutex<Option<Owner>>,
    changed: watch::Sender<u64>,
}

impl FakeOwners {
    fn now(&self, node: Option<u64>) {
        *self.owner.lock().unwrap() = node.map(|node| Owner { node: NodeId(node), term: node, link: 0 });
        self.changed.send_modify(|count| *count += 1);
    }
}

impl Owners for FakeOwners {
    fn me(&self) -> NodeId {
        self.me
    }

    fn shard_of(&self, user: &UserId) -> ShardId {
        shard_of(user, SHARDS)
    }

    fn owner_of(&self, _: ShardId) -> Option<Owner> {
        *self.owner.lock().unwrap()
    }

    fn is_valid(&self, _: ShardId, _: u64) -> bool {
        true
    }

    fn lease_left(&self, _: ShardId, _: u64) -> Duration {
        Duration::from_secs(10)
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

struct Node {
    owners: Arc<FakeOwners>,
    local: Arc<FakeOwner>,
    router: Arc<Router>,
}

/// Nodes 1 and 2 and 3; all believe in the owner given.
fn nodes(owner: Option<u64>, timeout_ms: u64) -> (Arc<Net>, Vec<Node>) {
    let net = Arc::new(Net::default());
    let node = |me: u64| {
        let owners = Arc::new(FakeOwners { me: NodeId(me), owner: Mutex::default(), changed: watch::Sender::new(0) });
        owners.now(owner);
        let local = FakeOwner::new();
        net.serve(me, Service::Call, Arc::new(ServeCalls::new(local.clone(), local.clone(), Handle::current())));
        let parts = RouterParts {
            owners: owners.clone(),
            peers: net.peers_of(me),
            users: local.clone(),
            read: local.clone(),
            timeout: Duration::from_millis(timeout_ms),
            holds_all: Box::new(|| false),
        };
        Node { owners, local, router: Arc::new(Router::new(parts)) }
    };
    let nodes = (1..=3).map(node).collect();
    (net, nodes)
}

fn user() -> UserId {
    UserId::parse("u").unwrap()
}

fn publish(id: &str) -> Command {
    let engagement = Engagement {
        id: EngagementId::parse(id).unwrap(),
        payload: Payload(Bytes::from_static(b"{}")),
        fingerprint: 1,
        steps: 1,
        settle_on: SettleOn::Shown,
        scope: Scope::User,
        targets: Targets::Active,
        window: None,
        ttl: None,
        not_before: None,
        priority: 0,
        max_offers: 0,
        snooze: None,
    };
    Command::Publish { user: user(), engagement: Arc::new(engagement) }
}

fn is_queued(applied: Result<Applied, CallError>) -> bool {
    matches!(applied, Ok(Applied { reply: Reply::Publish(PublishReply::Queued { .. }), .. }))
}

#[tokio::test]
async fn a_call_at_any_node_is_done_by_the_owner_and_nobody_else() {
    let (_net, nodes) = nodes(Some(2), 1_000);
    for (index, node) in nodes.iter().enumerate() {
        assert!(is_queued(node.router.call(publish(&format!("e{index}"))).await), "node {}", index + 1);
    }
    let calls: Vec<_> = nodes.iter().map(|node| node.local.calls.load(Ordering::Relaxed)).collect();
    assert_eq!(calls, [0, 3, 0]);
    assert_eq!(nodes[2].router.notice(user(), EngagementId::parse("x").unwrap(), Payload(Bytes::new()), Targets::All).await, Ok(3));
}

#[tokio::test]
async fn all_reads_at_any_node_show_what_the_owner_holds() {
    let (_net, nodes) = nodes(Some(2), 1_000);
    // More than go into one answer.
    let count = 260_usize;
    for index in 0..count {
        let _ = nodes[1].local.ledger.lock().unwrap().apply(publish(&format!("e{index}")), LedgerTime(1_000));
    }
    let here = nodes[1].router.as_ref();
    for node in [0, 2] {
        let router = nodes[node].router.as_ref();
        assert_eq!(router.user(&user()).await.unwrap(), here.user(&user()).await.unwrap());
        let deliveries = router.deliveries(&user(), 0, 1_000).await.unwrap();
        assert_eq!(deliveries, here.deliveries(&user(), 0, 1_000).await.unwrap());
        assert!(deliveries.len() >= 256);
        assert_eq!(router.deliveries(&user(), 0, 2).await.unwrap().len(), 2);
        let id = EngagementId::parse("e1").unwrap();
        assert_eq!(router.engagement(&user(), &id).await.unwrap(), here.engagement(&user(), &id).await.unwrap());
        let outcomes = router.outcomes(ShardId(1), 3, 2_000).await.unwrap();
        assert_eq!(outcomes, here.outcomes(ShardId(1), 3, 2_000).await.unwrap());
        assert_eq!(router.outcomes_before_oldest(ShardId(1)).await, Ok(0));
        assert_eq!(router.user(&UserId::parse("zz").unwrap()).await, Ok(None));
    }
}

#[tokio::test]
async fn without_an_owner_a_call_waits_for_one() {
    let (_net, nodes) = nodes(None, 5_000);
    let router = nodes[0].router.clone();
    let call = tokio::spawn(async move { router.call(publish("e")).await });
    tokio::task::yield_now().await;
    nodes[0].owners.now(Some(3));
    assert!(is_queued(call.await.unwrap()));
    let (_net, nodes) = self::nodes(None, 20);
    assert_eq!(nodes[0].router.call(publish("e")).await, Err(CallError::Unavailable));
    assert_eq!(nodes[0].router.user(&user()).await, Err(ReadError));
}

#[tokio::test]
async fn a_node_that_is_not_the_owner_says_so_and_hands_nothing_on() {
    let (_net, nodes) = nodes(Some(2), 5_000);
    nodes[1].local.is_able.store(false, Ordering::Relaxed);
    nodes[1].owners.now(Some(3));
    let router = nodes[0].router.clone();
    let call = tokio::spawn(async move { router.call(publish("e")).await });
    until("it was asked", || nodes[1].local.calls.load(Ordering::Relaxed) > 0).await;
    assert_eq!(nodes[2].local.calls.load(Ordering::Relaxed), 0);
    // The asker learns who owns it now, and asks there.
    nodes[0].owners.now(Some(3));
    assert!(is_queued(call.await.unwrap()));
}

#[tokio::test]
async fn a_call_to_an_owner_that_is_silent_ends_as_unknown_when_another_takes_over() {
    let (_net, nodes) = nodes(Some(2), 60_000);
    nodes[1].local.is_silent.store(true, Ordering::Relaxed);
    let router = nodes[0].router.clone();
    let call = tokio::spawn(async move { router.call(publish("e")).await });
    until("it was asked", || nodes[1].local.calls.load(Ordering::Relaxed) > 0).await;
    // That it has none is no reason to give up: the answer may be on its way.
    nodes[0].owners.now(None);
    nodes[0].owners.now(Some(3));
    assert_eq!(call.await.unwrap(), Err(CallError::Unknown));
}

#[tokio::test]
async fn a_read_goes_on_at_the_next_owner() {
    let (net, nodes) = nodes(Some(2), 5_000);
    net.cut(1, 2);
    let router = nodes[0].router.clone();
    let read = tokio::spawn(async move { router.user(&user()).await });
    tokio::task::yield_now().await;
    nodes[0].owners.now(Some(3));
    assert_eq!(read.await.unwrap(), Ok(None));
}

#[tokio::test]
async fn outcomes_elsewhere_are_looked_for_while_somebody_waits() {
    let (_net, nodes) = nodes(Some(2), 1_000);
    let watching = tokio::spawn(nodes[0].router.clone().watch_outcomes());
    let mut changed = nodes[0].router.outcomes_changed();
    tokio::time::timeout(Duration::from_secs(5), changed.changed()).await.unwrap().unwrap();
    nodes[0].local.outcomes.send_modify(|count| *count += 1);
    tokio::time::timeout(Duration::from_secs(5), changed.changed()).await.unwrap().unwrap();
    watching.abort();
}

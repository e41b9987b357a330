//! Stand-ins for tests of this room: nodes that reach each other through queues of tasks instead of sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::balancer_ops::{Group, GroupMembers, OpError, ShardOps, Step};
use super::directory::{Directory, DirectoryParts};
use super::format;
use super::meta::Settings;
use super::meta_command::{Command, Introduction, Reply};
use super::meta_group::{Meta, MetaLog};
use super::pulse::{Oneself, Owned};
use crate::ledger::ids::{EdgeId, ShardId, UserId};
use crate::ports::ProposeError;
use crate::ports::peers::{Answer, Lane, NodeId, PeerError, Peers, Serve, Service};

pub const LEASE_MS: u64 = 10_000;
pub const SHARDS: u16 = 4;

/// The cluster's settings in tests.
pub fn settings() -> Settings {
    Settings { shards: SHARDS, replication: 3, lease_ms: LEASE_MS, ledger: BTreeMap::new() }
}

/// What a node says of itself.
pub fn introduction(name: &str, run: u64) -> Introduction {
    let (http, cluster) = (format!("{name}:7400"), format!("{name}:7401"));
    Introduction { uuid: format!("uuid of {name}"), name: name.to_owned(), http, cluster, run: EdgeId(run) }
}

/// A meta state of nodes 1 to `count`, all ready, called n1, n2 …; node 1 runs as edge 1 …
pub fn meta_of(count: u64) -> Arc<Meta> {
    let meta = Arc::new(Meta::default());
    assert_eq!(do_to(&meta, Command::Found { node: NodeId(1), introduction: introduction("n1", 1), settings: settings() }), Reply::Done);
    for node in 2..=count {
        let introduction = introduction(&format!("n{node}"), node);
        let add = Command::AddNode { introduction: introduction.clone(), settings: settings(), replaces: None };
        assert_eq!(do_to(&meta, add), Reply::Added { node: NodeId(node) });
        let announce = Command::Announce { node: NodeId(node), introduction, settings: settings() };
        assert_eq!(do_to(&meta, announce), Reply::Announced { changed: None });
    }
    meta
}

/// Applies a command.
pub fn do_to(meta: &Meta, command: Command) -> Reply {
    format::decode(&meta.apply(&format::encode(&command))).unwrap()
}

/// A directory of a node in a cluster of `meta`.
pub fn directory(node: u64, meta: &Arc<Meta>) -> Arc<Directory> {
    Arc::new(Directory::new(DirectoryParts {
        me: NodeId(node),
        run: EdgeId(node),
        http: format!("n{node}:7400"),
        cluster: format!("n{node}:7401"),
        shard_count: SHARDS,
        lease_ms: LEASE_MS,
        shard_of,
        meta: Arc::clone(meta),
    }))
}

/// A user's shard is the length of the id.
pub fn shard_of(user: &UserId, shard_count: u16) -> ShardId {
    ShardId(u16::try_from(user.as_str().len()).unwrap() % shard_count)
}

type Services = BTreeMap<(NodeId, u8), Arc<dyn Serve>>;

/// A network of nodes.
#[derive(Default)]
pub struct Net {
    services: Mutex<Services>,
    cut: Mutex<BTreeSet<(NodeId, NodeId)>>,
}

impl Net {
    pub fn serve(&self, node: u64, service: Service, with: Arc<dyn Serve>) {
        self.services.lock().unwrap().insert((NodeId(node), service as u8), with);
    }

    /// From now on, nothing passes between the two.
    pub fn cut(&self, one: u64, other: u64) {
        self.cut.lock().unwrap().extend([(NodeId(one), NodeId(other)), (NodeId(other), NodeId(one))]);
    }

    /// The way of one node to the others.
    pub fn peers_of(self: &Arc<Self>, node: u64) -> Arc<dyn Peers> {
        Arc::new(FakePeers { me: NodeId(node), net: Arc::downgrade(self) })
    }
}

struct FakePeers {
    me: NodeId,
    net: Weak<Net>,
}

impl FakePeers {
    fn find(&self, to: NodeId, service: Service) -> Result<Arc<dyn Serve>, PeerError> {
        let net = self.net.upgrade().ok_or(PeerError::NotSent)?;
        if net.cut.lock().unwrap().contains(&(self.me, to)) {
            return Err(PeerError::NotSent);
        }
        let served = net.services.lock().unwrap().get(&(to, service as u8)).cloned();
        served.ok_or(PeerError::NotSent)
    }
}

#[async_trait]
impl Peers for FakePeers {
    fn tell(&self, to: NodeId, _lane: Lane, service: Service, body: Bytes) -> Result<(), PeerError> {
        self.find(to, service)?.told(self.me, body);
        Ok(())
    }

    async fn ask(&self, to: NodeId, _lane: Lane, service: Service, body: Bytes, timeout: Duration) -> Result<Bytes, PeerError> {
        let (sender, receiver) = oneshot::channel();
        let answer = Answer::new(move |body| {
            let _ = sender.send(body);
        });
        self.find(to, service)?.asked(self.me, body, answer);
        tokio::time::timeout(timeout, receiver).await.map_err(|_| PeerError::NoAnswer)?.map_err(|_| PeerError::NoAnswer)
    }
}

/// What a node knows of itself, as a test sets it.
pub struct FakeOneself {
    pub owned: Mutex<BTreeMap<ShardId, Owned>>,
    changed: watch::Sender<u64>,
}

impl FakeOneself {
    pub fn owning(shards: impl IntoIterator<Item = (u16, u64)>) -> Arc<FakeOneself> {
        let oneself = FakeOneself { owned: Mutex::default(), changed: watch::Sender::new(0) };
        oneself.now_owns(shards);
        Arc::new(oneself)
    }

    /// These shards, each with its term, and no others.
    pub fn now_owns(&self, shards: impl IntoIterator<Item = (u16, u64)>) {
        let owned = |(shard, term)| (ShardId(shard), Owned { term, ..Owned::default() });
        *self.owned.lock().unwrap() = shards.into_iter().map(owned).collect();
        self.tell();
    }

    /// Says that it has changed.
    pub fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

impl Oneself for FakeOneself {
    fn owned(&self) -> BTreeMap<ShardId, Owned> {
        self.owned.lock().unwrap().clone()
    }

    fn owned_changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn connection_count(&self) -> u64 {
        7
    }
}

/// A meta group of one replica, led by a node that a test names.
pub struct FakeMetaLog {
    pub meta: Arc<Meta>,
    pub leader: watch::Sender<Option<NodeId>>,
    leading: watch::Sender<Option<u64>>,
}

impl FakeMetaLog {
    pub fn led_by(leader: u64, meta: &Arc<Meta>) -> Arc<FakeMetaLog> {
        let leader = watch::Sender::new(Some(NodeId(leader)));
        Arc::new(FakeMetaLog { meta: Arc::clone(meta), leader, leading: watch::Sender::new(None) })
    }
}

#[async_trait]
impl MetaLog for FakeMetaLog {
    fn leader(&self) -> Option<NodeId> {
        *self.leader.borrow()
    }

    fn leading(&self) -> watch::Receiver<Option<u64>> {
        self.leading.subscribe()
    }

    async fn propose(&self, command: Bytes) -> Result<Bytes, ProposeError> {
        Ok(self.meta.apply(&command))
    }
}

/// Groups that do at once what they are told, shared by all nodes of a test.
#[derive(Default)]
pub struct FakeGroups {
    pub groups: Mutex<BTreeMap<Group, (NodeId, GroupMembers)>>,
    pub steps: Mutex<Vec<(Group, Step)>>,
}

impl FakeGroups {
    /// All groups have node 1 as their one voter.
    pub fn founded() -> Arc<FakeGroups> {
        let groups = FakeGroups::default();
        let all = (0..SHARDS).map(|shard| Group::Shard(ShardId(shard))).chain([Group::Meta]);
        let alone = GroupMembers { term: 1, voters: vec![NodeId(1)], ..GroupMembers::default() };
        *groups.groups.lock().unwrap() = all.map(|group| (group, (NodeId(1), alone.clone()))).collect();
        Arc::new(groups)
    }

    /// What a node owns of them.
    pub fn owned_by(&self, node: u64) -> BTreeMap<ShardId, Owned> {
        let groups = self.groups.lock().unwrap();
        let owned = groups.iter().filter_map(|(group, (leader, members))| match group {
            Group::Shard(shard) if *leader == NodeId(node) => {
                Some((*shard, Owned { term: members.term, members: members.clone(), ..Owned::default() }))
            }
            _ => None,
        });
        owned.collect()
    }
}

/// The groups as one node sees them.
pub struct FakeOps {
    pub me: NodeId,
    pub groups: Arc<FakeGroups>,
}

#[async_trait]
impl ShardOps for FakeOps {
    async fn members(&self, group: Group) -> Result<GroupMembers, OpError> {
        let groups = self.groups.groups.lock().unwrap();
        groups.get(&group).filter(|(leader, _)| *leader == self.me).map(|(_, members)| members.clone()).ok_or(OpError::NotLeader)
    }

    async fn perform(&self, group: Group, step: Step) -> Result<(), OpError> {
        let mut groups = self.groups.groups.lock().unwrap();
        let (leader, members) = groups.get_mut(&group).filter(|(leader, _)| *leader == self.me).ok_or(OpError::NotLeader)?;
        self.groups.steps.lock().unwrap().push((group, step.clone()));
        match step {
            Step::AddLearner { node, .. } => {
                members.learners.push(node);
                members.lags.insert(node, 0);
            }
            Step::SetVoters { voters } => {
                members.voters = voters;
                members.learners.retain(|node| !members.voters.contains(node));
            }
            Step::RemoveLearner { node } => members.learners.retain(|learner| *learner != node),
            Step::Transfer { to } => {
                members.lags = members.voters.iter().chain(&members.learners).map(|node| (*node, 0)).collect();
                members.term += 1;
                *leader = to;
            }
        }
        Ok(())
    }
}

/// Waits until something is so.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = crate::clock::monotonic() + Duration::from_secs(10);
    while !is_so() {
        assert!(crate::clock::monotonic() < deadline, "it never came that {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

//! A cluster in one process: nodes with real groups, and links that can fail.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::net::{Net, Port};
use super::support::*;
use crate::ledger::effect::Effect;
use crate::ledger::ids::ShardId;
use crate::ledger::view::DeliveryView;
use crate::ledger::{Applied, Command};
use crate::ports::peers::NodeId;
use crate::ports::{CarryOut, Propose, ProposeError, Read};
use crate::shard::group::Group;
use crate::shard::{ChangeError, Home, Members, Replicated, RestoreError, Seams, Shards, ShardsConfig};

/// What a node's actors were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Owned(ShardId, u64),
    Disowned(ShardId),
    Effects,
}

/// Keeps it.
#[derive(Default)]
pub struct Ear(pub Mutex<Vec<Told>>);

impl CarryOut for Ear {
    fn carry_out(&self, _effects: Vec<Effect>) {
        self.0.lock().unwrap().push(Told::Effects);
    }
    fn owned(&self, shard: ShardId, term: u64) {
        self.0.lock().unwrap().push(Told::Owned(shard, term));
    }
    fn disowned(&self, shard: ShardId) {
        self.0.lock().unwrap().push(Told::Disowned(shard));
    }
}

/// A replicated list of words.
#[derive(Default)]
pub struct Words(pub Mutex<Vec<u8>>);

impl Replicated for Words {
    fn apply(&self, command: &[u8]) -> Bytes {
        let mut words = self.0.lock().unwrap();
        words.extend_from_slice(command);
        Bytes::from(words.len().to_string())
    }
    fn save(&self) -> Bytes {
        Bytes::from(self.0.lock().unwrap().clone())
    }
    fn restore(&self, saved: &[u8]) -> Result<(), RestoreError> {
        *self.0.lock().unwrap() = saved.to_vec();
        Ok(())
    }
}

pub struct TestNode {
    pub id: NodeId,
    pub shards: Arc<Shards>,
    pub ear: Arc<Ear>,
    pub words: Arc<Words>,
    config: ShardsConfig,
}

impl TestNode {
    pub fn group(&self, shard: ShardId) -> Arc<Group> {
        self.shards.groups.shard(shard).unwrap()
    }

    /// What this node's replica holds, whoever leads.
    pub fn held(&self, shard: ShardId, name: &str) -> Vec<DeliveryView> {
        self.group(shard).ledger.read(|ledger| ledger.deliveries(&user(name), 0, 10_000))
    }

    /// All outcomes that this node's replica holds: two replicas that hold the same have decided the same.
    pub fn outcomes(&self, shard: ShardId) -> Vec<(u64, crate::ledger::outcome::Outcome)> {
        self.group(shard).ledger.read(|ledger| ledger.outcomes().after(0, 10_000_000).unwrap())
    }

    pub fn members(&self, shard: ShardId) -> Members {
        self.shards.members(shard).unwrap()
    }
}

/// Nodes 1, 2, 3, … in this order.
pub struct Cluster {
    pub net: Arc<Net>,
    pub nodes: Vec<TestNode>,
    /// None: in memory.
    folder: Option<PathBuf>,
    tune: fn(&mut ShardsConfig),
}

impl Cluster {
    /// One node that is alone, and `count - 1` that have joined and are members of nothing yet.
    pub async fn start(count: u64, folder: Option<&Path>, tune: fn(&mut ShardsConfig)) -> Cluster {
        let mut cluster = Cluster { net: Arc::default(), nodes: Vec::new(), folder: folder.map(Path::to_owned), tune };
        for id in 1..=count {
            cluster.start_node(NodeId(id)).await;
        }
        cluster.nodes[0].shards.wait_until_led(Duration::from_secs(30)).await.unwrap();
        cluster
    }

    /// The same, with all nodes as voters of all groups.
    pub async fn full(count: u64, folder: Option<&Path>) -> Cluster {
        let cluster = Cluster::start(count, folder, |_| ()).await;
        for shard in cluster.shards() {
            cluster.widen(shard).await;
        }
        cluster
    }

    pub fn shards(&self) -> Vec<ShardId> {
        (0..self.nodes[0].shards.shard_count()).map(ShardId).collect()
    }

    async fn start_node(&mut self, id: NodeId) {
        let folder = self.folder.as_ref().map(|folder| folder.join(id.to_string()));
        let mut config = config(folder.as_deref());
        config.node_name = format!("n{id}");
        (self.tune)(&mut config);
        let home = Home::open(folder.as_deref()).unwrap();
        match self.nodes.first() {
            None => drop(home.found(config.shard_count).unwrap()),
            Some(first) if home.identity().is_none() => {
                home.prepare_join().unwrap();
                home.joined(first.shards.cluster_id(), id, config.shard_count).unwrap();
            }
            Some(_) => {}
        }
        let node = self.run_node(id, config, home).await;
        self.nodes.push(node);
    }

    async fn run_node(&self, id: NodeId, config: ShardsConfig, home: Home) -> TestNode {
        let (ear, words) = (Arc::new(Ear::default()), Arc::new(Words::default()));
        let peers = Arc::new(Port { net: self.net.clone(), me: id });
        let seams = Seams { peers, effects: ear.clone(), meta: words.clone() };
        let shards = Shards::start(config.clone(), home, seams, Handle::current()).await.unwrap();
        self.net.plug(id, shards.raft_service());
        TestNode { id, shards, ear, words, config }
    }

    /// Stops a node and starts it again, with its disk.
    pub async fn restart(&mut self, id: NodeId) {
        self.net.unplug(id);
        let index = self.nodes.iter().position(|node| node.id == id).unwrap();
        let config = self.nodes[index].config.clone();
        self.nodes[index].shards.clone().stop().await;
        let home = Home::open(config.data_dir.as_deref()).unwrap();
        self.nodes[index] = self.run_node(id, config, home).await;
    }

    pub fn node(&self, id: u64) -> &TestNode {
        self.nodes.iter().find(|node| node.id == NodeId(id)).unwrap()
    }

    /// The node that owns the shard, as soon as one does whom a majority stands behind.
    pub async fn owner(&self, shard: ShardId) -> &TestNode {
        let mut found = None;
        eventually("somebody owns the shard", async || {
            let owned = |node: &&TestNode| node.shards.ownership().iter().any(|owned| owned.shard == shard && owned.quorum_age_ms < 200);
            found = self.nodes.iter().filter(owned).max_by_key(|node| node.shards.newest_term(shard)).map(|node| node.id);
            found.is_some()
        })
        .await;
        self.node(found.unwrap().0)
    }

    /// Adds all nodes as voters.
    pub async fn widen(&self, shard: ShardId) {
        let all: Vec<NodeId> = self.nodes.iter().map(|node| node.id).collect();
        for node in &self.nodes {
            let name = format!("n{}", node.id);
            self.change("the learner is added", shard, async |leader| leader.shards.add_learner(shard, node.id, &name).await).await;
        }
        self.change("all vote", shard, async |leader| leader.shards.set_voters(shard, &all).await).await;
    }

    /// Asks the owner for a change until it is made.
    pub async fn change(&self, what: &str, shard: ShardId, change: impl AsyncFn(&TestNode) -> Result<(), ChangeError>) {
        eventually(what, async || change(self.owner(shard).await).await.is_ok()).await;
    }

    /// Waits until all replicas have applied the same.
    pub async fn settle(&self, shard: ShardId) {
        eventually("all replicas are equally far", async || {
            let applied: Vec<u64> = self.nodes.iter().map(|node| node.group(shard).core.machine.applied_index()).collect();
            let last = self.owner(shard).await.members(shard).last_index;
            applied.iter().all(|index| *index == last)
        })
        .await;
    }

    /// Proposes at the owner until it is applied.
    pub async fn propose(&self, command: Command) -> Applied {
        let shard = self.nodes[0].shards.shard_of(command.user().unwrap());
        let mut applied = None;
        eventually("the command is applied", async || {
            applied = try_propose(&self.owner(shard).await.shards, command.clone()).await.ok();
            applied.is_some()
        })
        .await;
        applied.unwrap()
    }

    pub async fn stop(self) {
        for node in self.nodes {
            self.net.unplug(node.id);
            node.shards.stop().await;
        }
    }
}

/// Proposes once; a result that is late is one that is not known.
pub async fn try_propose(shards: &Shards, command: Command) -> Result<Applied, ProposeError> {
    let (sender, receiver) = oneshot::channel();
    shards.propose(
        command,
        Box::new(move |result| {
            sender.send(result).ok();
        }),
    );
    match tokio::time::timeout(Duration::from_secs(3), receiver).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) | Err(_) => Err(ProposeError::Unknown),
    }
}

/// A user of that shard.
pub fn user_of(shards: &Shards, shard: ShardId) -> String {
    (0..).map(|number| format!("u{number}")).find(|name| shards.shard_of(&user(name)) == shard).unwrap()
}

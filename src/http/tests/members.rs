//! A cluster of three that is as a test wants it: its members, who owns what, and shards to copy.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::fakes::SHARD_COUNT;
use crate::ledger::ids::{EdgeId, ShardId, UserId};
use crate::ports::backup::{Backup, BackupError};
use crate::ports::figures::{Bounds, Figures, LinkFigures, MemberFigures, NodeFigures, OwnedFigures};
use crate::ports::members::{ClusterView, Members, MembershipError, NodeState, NodeView, ShardView};
use crate::ports::owners::{Owner, Owners};
use crate::ports::peers::NodeId;
use crate::ports::replicas::{ReplicaBusy, ReplicaState, ReplicaStates, Replicas};

/// Nodes n1 to n3; shard 0 is owned by n1, shard 1 by n2, shard 2 by n3. This node is n1.
pub struct FakeMembers {
    pub view: Mutex<ClusterView>,
    /// What is answered to a drain and a remove of `n2`; other nodes aren't known.
    pub refuses: Mutex<Option<MembershipError>>,
    pub asked: Mutex<Vec<String>>,
}

pub fn node_of(id: u64) -> NodeView {
    NodeView {
        name: format!("n{id}"),
        id: NodeId(id),
        http: format!("127.0.0.1:74{}0", id - 1),
        cluster: format!("127.0.0.1:74{}1", id - 1),
        state: NodeState::Ready,
        leaders: 1,
        replicas: 3,
        connections: Some(id),
    }
}

impl Default for FakeMembers {
    fn default() -> Self {
        let shards = (0..SHARD_COUNT).map(|shard| ShardView {
            shard: ShardId(shard),
            leader: Some(NodeId(u64::from(shard) + 1)),
            term: 4,
            voters: vec![NodeId(1), NodeId(2), NodeId(3)],
            learners: Vec::new(),
            applied_index: 90,
            users: 7,
            lag: Some(2),
        });
        let view = ClusterView { cluster_id: "c1".to_owned(), nodes: (1..=3).map(node_of).collect(), shards: shards.collect() };
        FakeMembers { view: Mutex::new(view), refuses: Mutex::new(None), asked: Mutex::new(Vec::new()) }
    }
}

impl FakeMembers {
    fn answer(&self, verb: &str, name: &str) -> Result<(), MembershipError> {
        self.asked.lock().unwrap().push(format!("{verb} {name}"));
        if name != "n2" {
            return Err(MembershipError::Unknown);
        }
        self.refuses.lock().unwrap().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Members for FakeMembers {
    fn view(&self) -> ClusterView {
        self.view.lock().unwrap().clone()
    }

    fn not_ready(&self) -> Vec<String> {
        Vec::new()
    }

    async fn drain(&self, name: &str) -> Result<(), MembershipError> {
        self.answer("drain", name)
    }

    async fn remove(&self, name: &str) -> Result<(), MembershipError> {
        self.answer("remove", name)
    }
}

impl Owners for FakeMembers {
    fn me(&self) -> NodeId {
        NodeId(1)
    }

    fn shard_of(&self, _: &UserId) -> ShardId {
        ShardId(0)
    }

    fn owner_of(&self, shard: ShardId) -> Option<Owner> {
        let leader = self.view.lock().unwrap().shards[usize::from(shard.0)].leader;
        leader.map(|node| Owner { node, term: 4, link: 1 })
    }

    fn is_valid(&self, _: ShardId, _: u64) -> bool {
        true
    }

    fn lease_left(&self, _: ShardId, _: u64) -> Duration {
        Duration::from_secs(10)
    }

    fn changed(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    /// The edge of a node has its number.
    fn name_of_edge(&self, edge: EdgeId) -> Option<String> {
        self.name_of(NodeId(edge.0))
    }

    fn name_of(&self, node: NodeId) -> Option<String> {
        self.view.lock().unwrap().nodes.iter().find(|known| known.id == node).map(|known| known.name.clone())
    }
}

/// Each node owns the shard below its number, and has had ten outcomes of it for each node before; n2 has a link to n1, and n3 lags behind it. A node that is unreachable does not answer.
#[async_trait]
impl Figures for FakeMembers {
    fn me(&self) -> String {
        "n1".to_owned()
    }

    async fn of_all(&self) -> Vec<MemberFigures> {
        let view = self.view.lock().unwrap().clone();
        let figures = |id: NodeId| NodeFigures {
            at: 1_000 + id.0,
            up_ms: 500,
            version: "1.2.3".to_owned(),
            links: vec![LinkFigures { node: "n1".to_owned(), is_up: true, out_bytes: 9, ..LinkFigures::default() }],
            shards: vec![OwnedFigures {
                shard: ShardId(u16::try_from(id.0 - 1).unwrap()),
                quorum_age_ms: 12,
                queued: 1,
                lags: vec![(NodeId(3), 40), (NodeId(77), 2)],
                buffered_deliveries: 3,
                buffered_bytes: 4,
                ledger_bytes: 5,
                outcomes: 10 * id.0,
            }],
            bounds: Bounds { replication: 3, ..Bounds::default() },
            ..NodeFigures::default()
        };
        let member = |node: NodeView| MemberFigures {
            name: node.name,
            id: node.id,
            figures: (node.state != NodeState::Unreachable).then(|| figures(node.id)),
            clock_ahead_ms: (node.state != NodeState::Unreachable).then_some(-4),
        };
        view.nodes.into_iter().map(member).collect()
    }
}

#[async_trait]
impl Replicas for FakeMembers {
    async fn states(&self) -> Result<ReplicaStates, ReplicaBusy> {
        if self.view.lock().unwrap().shards.is_empty() {
            return Err(ReplicaBusy(ShardId(3)));
        }
        let replicas = vec![ReplicaState { shard: ShardId(2), applied_index: 90, state_hash: 0xab }];
        Ok(ReplicaStates { node: "n1".to_owned(), replicas })
    }
}

#[async_trait]
impl Backup for FakeMembers {
    async fn shard(&self, shard: ShardId) -> Result<mpsc::Receiver<Bytes>, BackupError> {
        if shard != ShardId(0) {
            return Err(BackupError::NotOwner);
        }
        let (sender, receiver) = mpsc::channel(2);
        for piece in ["all of ", "shard 0"] {
            sender.try_send(Bytes::from_static(piece.as_bytes())).unwrap();
        }
        Ok(receiver)
    }
}

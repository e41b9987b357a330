//! What the status shows of nodes and shards, alive and dead.

use std::collections::BTreeMap;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::*;
use crate::clock;
use crate::cluster::balancer_ops::GroupMembers;
use crate::cluster::fakes_for_tests::{FakeMetaLog, Net, SHARDS, directory, do_to, meta_of};
use crate::cluster::membership::MembershipParts;
use crate::cluster::meta::Placed;
use crate::cluster::meta_command::Command;
use crate::cluster::meta_group::Meta;
use crate::cluster::pulse::{About, Echo, Pulse};
use crate::ledger::ids::{EdgeId, EngagementId, UserId};
use crate::ledger::outcome::{CursorExpired, Outcome};
use crate::ledger::view::{Counts, DeliveryView, EngagementView, UserView};
use crate::ports::ReadError;

/// Replicas that can only say how they are.
struct Replicas;

#[async_trait]
impl Read for Replicas {
    fn shard_of(&self, _: &UserId) -> ShardId {
        ShardId(0)
    }

    fn shard_count(&self) -> u16 {
        SHARDS
    }

    async fn user(&self, _: &UserId) -> Result<Option<UserView>, ReadError> {
        Err(ReadError)
    }

    async fn deliveries(&self, _: &UserId, _: u64, _: usize) -> Result<Vec<DeliveryView>, ReadError> {
        Err(ReadError)
    }

    async fn engagement(&self, _: &UserId, _: &EngagementId) -> Result<Option<EngagementView>, ReadError> {
        Err(ReadError)
    }

    async fn outcomes(&self, _: ShardId, _: u64, _: usize) -> Result<Result<Vec<(u64, Outcome)>, CursorExpired>, ReadError> {
        Err(ReadError)
    }

    async fn outcomes_before_oldest(&self, _: ShardId) -> Result<u64, ReadError> {
        Err(ReadError)
    }

    fn outcomes_changed(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    fn status(&self) -> Vec<ShardStatus> {
        vec![ShardStatus {
            shard: ShardId(3),
            is_leader: false,
            is_owner: false,
            leader: None,
            term: 9,
            voters: Vec::new(),
            learners: Vec::new(),
            lag: Vec::new(),
            quorum_age_ms: None,
            applied_index: 77,
            log_bytes: 0,
            snapshot_index: 0,
            counts: Counts { users: 5, ..Counts::default() },
            outcome_totals: Vec::new(),
            queued_count: 0,
            is_fatal: false,
        }]
    }
}

fn status_of(node: u64, meta: &Arc<Meta>) -> ClusterStatus {
    let directory = directory(node, meta);
    let parts = MembershipParts {
        cluster_id: "c1".to_owned(),
        directory: directory.clone(),
        log: FakeMetaLog::led_by(1, meta),
        peers: Arc::new(Net::default()).peers_of(node),
        runtime: Handle::current(),
    };
    ClusterStatus::new(directory, Membership::new(parts), Arc::new(Replicas))
}

fn owned(term: u64, voters: &[u64], lags: &[(u64, u64)]) -> Owned {
    let members = GroupMembers {
        voters: voters.iter().copied().map(NodeId).collect(),
        lags: lags.iter().map(|(node, lag)| (NodeId(*node), *lag)).collect(),
        ..GroupMembers::default()
    };
    Owned { term, members, applied_index: 40 + term, user_count: term, ..Owned::default() }
}

#[tokio::test]
async fn nodes_and_shards_are_shown_as_they_say_themselves() {
    let meta = meta_of(3);
    let status = status_of(1, &meta);
    let directory = &status.directory;
    let now = clock::monotonic_ms();
    directory.link_up(NodeId(2), 1);
    let _ = directory.take_own(BTreeMap::from([(ShardId(0), owned(4, &[1, 2, 3], &[(2, 1), (3, 8)]))]), 11, now);
    let about = About {
        run: EdgeId(2),
        state: NodeState::Ready,
        connection_count: 22,
        owned: BTreeMap::from([(ShardId(1), owned(5, &[2, 1], &[])), (ShardId(2), owned(6, &[2], &[]))]),
        ..About::default()
    };
    directory.take(NodeId(2), Pulse { sent_at_ms: 1, echo: Some(Echo { run: EdgeId(1), sent_at_ms: now }), about }, now);
    let placed = Placed { voters: vec![NodeId(3)], leader: Some(NodeId(3)) };
    let nodes_revision = meta.state().nodes_revision;
    let placement = BTreeMap::from([(ShardId(3), placed)]);
    let _ = do_to(&meta, Command::SetPlacement { nodes_revision, placement, meta_voters: vec![NodeId(1)] });

    let view = status.view();
    assert_eq!(view.cluster_id, "c1");
    let nodes: Vec<_> =
        view.nodes.iter().map(|node| (node.name.as_str(), node.state, node.leaders, node.replicas, node.connections)).collect();
    let joining = NodeState::Joining;
    assert_eq!(
        nodes,
        [("n1", joining, 1, 2, Some(11)), ("n2", NodeState::Ready, 2, 3, Some(22)), ("n3", NodeState::Unreachable, 0, 2, None)]
    );
    assert_eq!((view.nodes[2].http.as_str(), view.nodes[2].cluster.as_str()), ("n3:7400", "n3:7401"));
    let shards: Vec<_> = view.shards.iter().map(|shard| (shard.leader, shard.term, shard.applied_index, shard.users, shard.lag)).collect();
    let (n1, n2) = (Some(NodeId(1)), Some(NodeId(2)));
    assert_eq!(shards, [(n1, 4, 44, 4, Some(8)), (n2, 5, 45, 5, None), (n2, 6, 46, 6, Some(0)), (None, 9, 77, 5, None)]);
    assert_eq!(view.shards[3].voters, [NodeId(3)]);
}

#[tokio::test]
async fn what_drains_or_leaves_is_shown_so_and_a_dead_node_is_unreachable() {
    let meta = meta_of(3);
    let status = status_of(1, &meta);
    let state = |name: &str| status.view().nodes.iter().find(|node| node.name == name).map(|node| node.state);
    status.directory.link_up(NodeId(2), 1);
    let pulse = Pulse { sent_at_ms: 1, echo: None, about: About { run: EdgeId(2), state: NodeState::Ready, ..About::default() } };
    status.directory.take(NodeId(2), pulse, clock::monotonic_ms());
    assert_eq!((state("n2"), state("n3")), (Some(NodeState::Ready), Some(NodeState::Unreachable)));
    let _ = do_to(&meta, Command::Drain { node: NodeId(2) });
    assert_eq!(state("n2"), Some(NodeState::Draining));
    status.directory.link_down(NodeId(2), 1);
    assert_eq!(state("n2"), Some(NodeState::Unreachable));
    status.drain("n3").await.unwrap();
}

#[tokio::test]
async fn readiness_names_every_reason() {
    let status = status_of(1, &Arc::new(Meta::default()));
    assert!(status.not_ready().contains(&"the node has not joined yet".to_owned()));
    assert_eq!(status.view(), ClusterView::default());
    let meta = meta_of(2);
    let status = status_of(1, &meta);
    let all: BTreeMap<_, _> = (0..SHARDS).map(|shard| (ShardId(shard), owned(1, &[1], &[]))).collect();
    let mut some = all.clone();
    some.remove(&ShardId(2));
    let _ = status.directory.take_own(some, 0, clock::monotonic_ms());
    assert_eq!(status.not_ready(), ["shard 2 has no leader"]);
    let _ = status.directory.take_own(all, 0, clock::monotonic_ms());
    assert!(status.not_ready().is_empty());
    let _ = do_to(&meta, Command::Drain { node: NodeId(1) });
    assert_eq!(status.not_ready(), ["the node is draining"]);
    status.directory.stop();
    assert_eq!(status.not_ready(), ["the node is going away", "the node is draining"]);
}

//! What membership promises, at any node of a cluster whose meta group is led by node 1.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::cluster::balancer_ops::GroupMembers;
use crate::cluster::fakes_for_tests::{FakeMetaLog, FakeOneself, Net, SHARDS, directory, do_to, introduction, meta_of, settings, until};
use crate::cluster::membership_wire::{JoinError, read_answer};
use crate::cluster::meta::{Difference, Placed};
use crate::cluster::meta_command::Command;
use crate::cluster::meta_group::Meta;
use crate::cluster::pulse::{Owned, Pulses};
use crate::ledger::ids::ShardId;

struct Cluster {
    net: Arc<Net>,
    meta: Arc<Meta>,
    log: Arc<FakeMetaLog>,
    nodes: Vec<Arc<Membership>>,
}

fn cluster(count: u64) -> Cluster {
    let (net, meta) = (Arc::new(Net::default()), meta_of(count));
    let log = FakeMetaLog::led_by(1, &meta);
    let node = |node: u64| {
        let directory = directory(node, &meta);
        for other in (1..=count).filter(|other| *other != node) {
            directory.link_up(NodeId(other), 1);
        }
        let parts = MembershipParts {
            cluster_id: "c1".to_owned(),
            directory,
            log: log.clone(),
            peers: net.peers_of(node),
            runtime: Handle::current(),
        };
        let membership = Membership::new(parts);
        net.serve(node, Service::Join, Arc::new(ServeMembership::join(membership.clone())));
        net.serve(node, Service::Meta, Arc::new(ServeMembership::meta(membership.clone())));
        membership
    };
    let nodes = (1..=count).map(node).collect();
    Cluster { net, meta, log, nodes }
}

impl Cluster {
    async fn join_at(&self, member: u64, request: &JoinRequest) -> Result<Welcome, JoinError> {
        let guest = self.net.peers_of(0);
        let body = guest.ask(NodeId(member), Lane::Raft, Service::Join, request.body(), Duration::from_secs(20)).await;
        read_answer(&body.expect("a member answers"))
    }

    /// All shards have these voters, and node 1 owns them.
    fn place(&self, voters: &[u64]) {
        let voters: Vec<NodeId> = voters.iter().copied().map(NodeId).collect();
        let placed = Placed { voters: voters.clone(), leader: Some(NodeId(1)) };
        let placement = (0..SHARDS).map(|shard| (ShardId(shard), placed.clone())).collect();
        let nodes_revision = self.meta.state().nodes_revision;
        assert_eq!(do_to(&self.meta, Command::SetPlacement { nodes_revision, placement, meta_voters: voters.clone() }), Reply::Done);
        let members = GroupMembers { term: 1, voters, ..GroupMembers::default() };
        let owned = (0..SHARDS).map(|shard| (ShardId(shard), Owned { term: 1, members: members.clone(), ..Owned::default() }));
        let owned: BTreeMap<_, _> = owned.collect();
        let _ = self.nodes[0].parts.directory.take_own(owned, 0, clock::monotonic_ms());
    }

    fn lose(&self, node: u64) {
        self.nodes.iter().for_each(|other| other.parts.directory.link_down(NodeId(node), 1));
    }
}

fn request(name: &str) -> JoinRequest {
    JoinRequest { introduction: introduction(name, 1), settings: settings() }
}

#[tokio::test]
async fn a_guest_joins_at_any_member_and_again_under_the_same_id() {
    let cluster = cluster(3);
    for member in [3, 1, 2] {
        let welcome = cluster.join_at(member, &request("n4")).await.unwrap();
        assert_eq!((welcome.cluster_id.as_str(), welcome.node, welcome.settings), ("c1", NodeId(4), settings()));
        let expected = (1..=3).map(|node| (NodeId(node), format!("n{node}:7401"))).collect::<Vec<_>>();
        assert_eq!(welcome.members, expected);
    }
}

#[tokio::test]
async fn a_guest_that_does_not_fit_is_told_why() {
    let cluster = cluster(2);
    let mut other = request("n9");
    other.settings.replication = 1;
    let refused = cluster.join_at(2, &other).await.unwrap_err();
    assert!(matches!(&refused, JoinError::Refused(Refusal::Setting(Difference { key, .. })) if key == "cluster.replication"), "{refused}");
    let mut same_name = request("n2");
    same_name.introduction.uuid = "another".to_owned();
    let refused = cluster.join_at(1, &same_name).await.unwrap_err();
    assert_eq!(refused, JoinError::Refused(Refusal::NameTaken { name: "n2".to_owned() }));
    // Once that node is gone, its name and its place are free.
    cluster.lose(2);
    assert_eq!(cluster.join_at(1, &same_name).await.unwrap().node, NodeId(3));
    assert_eq!(cluster.meta.state().standing(NodeId(2)), Some(Standing::Leaving));
    let mut huge = request("n5");
    huge.introduction.name = "n".repeat(100_000);
    assert_eq!(cluster.join_at(1, &huge).await.unwrap_err(), JoinError::Refused(Refusal::NotUnderstood));
}

#[tokio::test]
async fn a_node_that_follows_nothing_yet_finds_the_leader_through_any_member() {
    let cluster = cluster(3);
    let node = cluster.join_at(2, &request("n4")).await.unwrap().node;
    let directory = directory(node.0, &Arc::new(Meta::default()));
    // It knows of node 3 alone, which knows who leads.
    directory.link_up(NodeId(3), 1);
    directory.link_up(NodeId(1), 1);
    let log = FakeMetaLog::led_by(0, &cluster.meta);
    log.leader.send_replace(None);
    let peers = cluster.net.peers_of(node.0);
    let parts = MembershipParts { cluster_id: "c1".to_owned(), directory, log, peers, runtime: Handle::current() };
    Membership::new(parts).announce(introduction("n4", 1), settings()).await.unwrap();
    assert_eq!(cluster.meta.state().standing(node), Some(Standing::Ready));
}

#[tokio::test]
async fn a_node_that_was_removed_is_told_so_when_it_starts() {
    let cluster = cluster(3);
    cluster.lose(3);
    cluster.place(&[1, 2]);
    cluster.nodes[1].remove_named("n3").await.unwrap();
    let _ = do_to(&cluster.meta, Command::Gone { node: NodeId(3) });
    assert_eq!(cluster.nodes[2].announce(introduction("n3", 9), settings()).await, Err(Refusal::Removed));
}

#[tokio::test]
async fn drain_and_remove_work_at_any_node_and_say_what_is_wrong() {
    let cluster = cluster(4);
    cluster.place(&[1, 2, 3]);
    let at = |node: usize| cluster.nodes[node - 1].clone();
    assert_eq!(at(2).drain_named("nobody").await, Err(MembershipError::Unknown));
    assert_eq!(at(2).remove_named("nobody").await, Err(MembershipError::Unknown));
    assert_eq!(at(2).remove_named("n3").await, Err(MembershipError::NotDrained));
    at(4).drain_named("n3").await.unwrap();
    at(4).drain_named("n3").await.unwrap();
    at(3).remove_named("n3").await.unwrap();
    at(1).remove_named("n3").await.unwrap();
    assert_eq!(cluster.meta.state().standing(NodeId(3)), Some(Standing::Leaving));
    cluster.place(&[1, 2, 4]);
    let _ = do_to(&cluster.meta, Command::Gone { node: NodeId(3) });
    at(2).remove_named("n3").await.unwrap();
}

#[tokio::test]
async fn a_node_without_which_a_shard_has_no_majority_stays() {
    let cluster = cluster(3);
    cluster.place(&[1, 2, 3]);
    cluster.nodes[0].drain_named("n2").await.unwrap();
    cluster.lose(3);
    // n1 alone of n1 and n3 would be left.
    let refused = cluster.nodes[1].remove_named("n2").await;
    assert_eq!(refused, Err(MembershipError::WouldLoseMajority { shard: ShardId(0) }));
    cluster.nodes[1].remove_named("n3").await.unwrap();
}

#[tokio::test]
async fn the_last_node_is_kept() {
    let cluster = cluster(1);
    cluster.place(&[1]);
    assert_eq!(cluster.nodes[0].drain_named("n1").await, Err(MembershipError::LastNode));
    assert_eq!(cluster.nodes[0].remove_named("n1").await, Err(MembershipError::LastNode));
}

#[tokio::test]
async fn a_request_waits_for_a_leader_of_the_meta_group() {
    let cluster = cluster(2);
    cluster.log.leader.send_replace(None);
    let node = cluster.nodes[1].clone();
    let draining = tokio::spawn(async move { node.drain_named("n1").await });
    tokio::task::yield_now().await;
    cluster.log.leader.send_replace(Some(NodeId(2)));
    draining.await.unwrap().unwrap();
}

/// Keeps what it is told.
#[derive(Default)]
struct FakeRoster(Mutex<BTreeMap<NodeId, Option<String>>>);

impl Roster for FakeRoster {
    fn know(&self, node: NodeId, address: String) {
        self.0.lock().unwrap().insert(node, Some(address));
    }

    fn forget(&self, node: NodeId) {
        self.0.lock().unwrap().insert(node, None);
    }
}

#[tokio::test]
async fn links_and_the_own_standing_follow_the_members() {
    let cluster = cluster(3);
    let roster = Arc::new(FakeRoster::default());
    let node = cluster.nodes[1].clone();
    let following = tokio::spawn(node.clone().follow(roster.clone()));
    let known = |node: u64| roster.0.lock().unwrap().get(&NodeId(node)).cloned();
    until("n3 is known", || known(3) == Some(Some("n3:7401".to_owned()))).await;
    assert_eq!(known(2), None, "a node has no link to itself");
    until("it is ready", || *node.standing().borrow() == Some(Standing::Ready)).await;
    cluster.lose(3);
    cluster.place(&[1, 2]);
    node.remove_named("n3").await.unwrap();
    let _ = do_to(&cluster.meta, Command::Gone { node: NodeId(3) });
    until("n3 is forgotten", || known(3) == Some(None)).await;
    let _ = do_to(&cluster.meta, Command::Drain { node: NodeId(2) });
    until("it drains", || *node.standing().borrow() == Some(Standing::Draining)).await;
    following.abort();
}

#[tokio::test]
async fn a_node_joins_until_it_votes_wherever_it_should() {
    let cluster = cluster(2);
    let directory = cluster.nodes[1].parts.directory.clone();
    assert!(!directory.catching_up().is_planned);
    cluster.place(&[1, 2]);
    let pulses = |node: u64, owning: Arc<FakeOneself>| {
        let pulses = Pulses::new(cluster.nodes[node as usize - 1].parts.directory.clone(), owning, cluster.net.peers_of(node));
        let pulses = Arc::new(pulses);
        cluster.net.serve(node, Service::Pulse, pulses.clone());
        tokio::spawn(pulses.run())
    };
    let owning = FakeOneself::owning((0..SHARDS).map(|shard| (shard, 1)));
    let tasks = [pulses(1, owning.clone()), pulses(2, FakeOneself::owning([]))];
    until("it hears of the owner", || directory.members_of(ShardId(0)).is_some()).await;
    let before = directory.catching_up();
    assert_eq!((before.is_planned, before.done, before.all), (true, 0, u32::from(SHARDS)));
    owning.owned.lock().unwrap().values_mut().for_each(|owned| owned.members.voters = vec![NodeId(1), NodeId(2)]);
    owning.tell();
    until("it votes everywhere", || directory.catching_up().is_complete()).await;
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

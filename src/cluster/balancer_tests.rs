//! The balancer on a small cluster whose groups do at once what they are told: it gets every cluster to where it should be, from wherever it was broken off.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::*;
use crate::cluster::balancer_ops::{ServeSteps, Step};
use crate::cluster::fakes_for_tests::{FakeGroups, FakeMetaLog, FakeOneself, FakeOps, Net, SHARDS, directory, do_to, meta_of, until};
use crate::cluster::meta_command::Reach;
use crate::cluster::meta_group::Meta;
use crate::cluster::pulse::{Oneself, Owned, Pulses};
use crate::ports::peers::Service;

/// What a node owns of the shared groups.
struct Owns {
    node: u64,
    groups: Arc<FakeGroups>,
    changed: Arc<FakeOneself>,
}

impl Oneself for Owns {
    fn owned(&self) -> BTreeMap<ShardId, Owned> {
        self.groups.owned_by(self.node)
    }

    fn owned_changed(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.owned_changed()
    }

    fn connection_count(&self) -> u64 {
        0
    }
}

struct Cluster {
    meta: Arc<Meta>,
    log: Arc<FakeMetaLog>,
    groups: Arc<FakeGroups>,
    directories: Vec<Arc<Directory>>,
    net: Arc<Net>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Cluster {
    /// Nodes that all reach each other, with pulses every few ms.
    fn of(count: u64) -> Cluster {
        let (meta, groups, net) = (meta_of(count), FakeGroups::founded(), Arc::new(Net::default()));
        let log = FakeMetaLog::led_by(1, &meta);
        let directories: Vec<_> = (1..=count).map(|node| directory(node, &meta)).collect();
        let mut cluster = Cluster { meta, log, groups, directories, net, tasks: Vec::new() };
        for node in 1..=count {
            let directory = Arc::clone(cluster.directory(node));
            for other in (1..=count).filter(|other| *other != node) {
                directory.link_up(NodeId(other), 1);
            }
            let ops = Arc::new(FakeOps { me: NodeId(node), groups: cluster.groups.clone() });
            cluster.net.serve(node, Service::Shard, Arc::new(ServeSteps::new(ops, Handle::current())));
            let changed = FakeOneself::owning([]);
            let owns = Owns { node, groups: cluster.groups.clone(), changed: changed.clone() };
            let pulses = Arc::new(Pulses::new(directory, Arc::new(owns), cluster.net.peers_of(node)));
            cluster.net.serve(node, Service::Pulse, pulses.clone());
            cluster.tasks.push(tokio::spawn(pulses.run()));
            cluster.tasks.push(tokio::spawn(async move {
                loop {
                    changed.now_owns([]);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }));
        }
        cluster
    }

    fn directory(&self, node: u64) -> &Arc<Directory> {
        &self.directories[node as usize - 1]
    }

    fn balance_on(&mut self, node: u64) -> usize {
        let ops = Arc::new(FakeOps { me: NodeId(node), groups: self.groups.clone() });
        let leaders = Leaders { me: NodeId(node), ops, peers: self.net.peers_of(node) };
        let balancer = Balancer::new(self.directory(node).clone(), self.log.clone(), leaders);
        self.tasks.push(tokio::spawn(balancer.run()));
        self.tasks.len() - 1
    }

    fn disappear(&self, node: u64) {
        for other in &self.directories {
            self.net.cut(node, other.node().0);
            other.link_down(NodeId(node), 1);
        }
    }

    /// Every group is as the placement wants it.
    fn is_settled(&self) -> bool {
        let state = self.meta.state();
        let groups = self.groups.groups.lock().unwrap();
        let is_placed = state.placement.len() == usize::from(SHARDS) && state.placement_revision == state.nodes_revision;
        is_placed
            && groups.iter().all(|(group, (leader, members))| {
                let wanted = wanted(*group, &state).expect("all groups are placed");
                let set = |nodes: &[NodeId]| nodes.iter().copied().collect::<BTreeSet<_>>();
                set(&members.voters) == set(&wanted.voters)
                    && set(&members.learners) == wanted.learners
                    && wanted.leader.is_none_or(|wanted| wanted == *leader)
            })
    }

    fn holds(&self, node: u64) -> usize {
        let groups = self.groups.groups.lock().unwrap();
        groups.values().filter(|(_, members)| members.voters.contains(&NodeId(node)) || members.learners.contains(&NodeId(node))).count()
    }

    fn leads(&self, node: u64) -> usize {
        self.groups.groups.lock().unwrap().iter().filter(|(group, (leader, _))| **group != Group::Meta && leader.0 == node).count()
    }
}

#[tokio::test]
async fn replicas_and_leaders_spread_over_the_nodes() {
    let mut cluster = Cluster::of(3);
    cluster.balance_on(1);
    until("all is where it should be", || cluster.is_settled()).await;
    let mut leads: Vec<_> = (1..=3).map(|node| cluster.leads(node)).collect();
    leads.sort_unstable();
    assert_eq!(leads, [1, 1, 2]);
    assert!((1..=3).all(|node| cluster.holds(node) == usize::from(SHARDS) + 1));
}

#[tokio::test]
async fn a_node_that_drains_leads_nothing_and_one_that_leaves_holds_nothing() {
    let mut cluster = Cluster::of(4);
    cluster.balance_on(1);
    until("all is where it should be", || cluster.is_settled()).await;
    let _ = do_to(&cluster.meta, Command::Drain { node: NodeId(2) });
    until("it leads nothing", || cluster.leads(2) == 0 && cluster.is_settled()).await;
    assert!(cluster.holds(2) > 0);
    let _ = do_to(&cluster.meta, Command::Remove { node: NodeId(2), reach: Reach::Reachable });
    until("it is removed", || cluster.meta.state().standing(NodeId(2)) == Some(Standing::Removed)).await;
    assert_eq!(cluster.holds(2), 0);
    assert!(cluster.is_settled());
    let groups = cluster.groups.groups.lock().unwrap();
    assert!(groups.iter().filter(|(group, _)| **group != Group::Meta).all(|(_, (_, members))| members.voters.len() == 3));
}

#[tokio::test]
async fn a_dead_node_keeps_its_place_until_it_is_removed() {
    let mut cluster = Cluster::of(4);
    cluster.balance_on(1);
    until("all is where it should be", || cluster.is_settled()).await;
    // Its leaderships fall to others, as by elections.
    for (leader, members) in cluster.groups.groups.lock().unwrap().values_mut() {
        if leader.0 == 4 {
            *leader = *members.voters.iter().find(|node| node.0 != 4).unwrap();
            members.term += 1;
            members.lags = members.voters.iter().map(|node| (*node, 0)).collect();
        }
    }
    cluster.disappear(4);
    let held = cluster.holds(4);
    cluster.groups.steps.lock().unwrap().clear();
    // Something else happens meanwhile.
    let _ = do_to(&cluster.meta, Command::Drain { node: NodeId(3) });
    until("another node is drained", || cluster.leads(3) == 0).await;
    assert_eq!(cluster.holds(4), held);
    let _ = do_to(&cluster.meta, Command::Remove { node: NodeId(4), reach: Reach::Unreachable });
    until("it is removed", || cluster.meta.state().standing(NodeId(4)) == Some(Standing::Removed)).await;
    assert_eq!(cluster.holds(4), 0);
}

#[tokio::test]
async fn another_node_goes_on_where_the_first_one_was_broken_off() {
    let mut cluster = Cluster::of(3);
    let first = cluster.balance_on(1);
    until("it has begun", || cluster.groups.steps.lock().unwrap().len() > 2).await;
    cluster.tasks[first].abort();
    cluster.log.leader.send_replace(Some(NodeId(2)));
    // The meta group has followed its leader.
    {
        let mut groups = cluster.groups.groups.lock().unwrap();
        let (leader, members) = groups.get_mut(&Group::Meta).unwrap();
        *leader = NodeId(2);
        members.voters = vec![NodeId(1), NodeId(2), NodeId(3)];
        members.learners.clear();
        members.lags = [(NodeId(1), 0), (NodeId(3), 0)].into();
    }
    cluster.balance_on(2);
    until("all is where it should be", || cluster.is_settled()).await;
    let steps = cluster.groups.steps.lock().unwrap();
    for group in (0..SHARDS).map(|shard| Group::Shard(ShardId(shard))) {
        let swaps = steps.iter().filter(|(of, step)| *of == group && matches!(step, Step::SetVoters { .. })).count();
        assert!(swaps <= 2, "{group} was changed {swaps} times");
    }
}

#[tokio::test]
async fn a_node_that_does_not_lead_the_meta_group_does_nothing() {
    let mut cluster = Cluster::of(2);
    cluster.balance_on(2);
    until("owners are known", || cluster.directory(2).owner_of(ShardId(0)).is_some()).await;
    assert!(cluster.groups.steps.lock().unwrap().is_empty() && cluster.meta.state().placement.is_empty());
}

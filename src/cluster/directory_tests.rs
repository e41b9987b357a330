//! What the directory promises of owners, links and names, with the time of the tests' own.

use std::collections::BTreeMap;

use super::*;
use crate::cluster::fakes_for_tests::{FakeOneself, LEASE_MS, Net, directory, do_to, introduction, meta_of, settings, until};
use crate::cluster::meta_command::Command;
use crate::cluster::pulse::Pulses;
use crate::ports::members::NodeState;
use crate::ports::peers::Service;

const S: ShardId = ShardId(0);
const N2: NodeId = NodeId(2);

/// A pulse of node 2 that owns shard 0 in a term.
fn pulse(sent_at_ms: u64, echo: Option<u64>, term: u64) -> Pulse {
    let owned = BTreeMap::from([(S, Owned { term, ..Owned::default() })]);
    let echo = echo.map(|sent_at_ms| Echo { run: EdgeId(1), sent_at_ms });
    Pulse { sent_at_ms, echo, about: About { run: EdgeId(2), owned, ..About::default() } }
}

fn owner(term: u64, link: u64) -> Option<Owner> {
    Some(Owner { node: N2, term, link })
}

#[test]
fn an_owner_is_believed_from_the_time_that_it_echoes() {
    let directory = directory(1, &meta_of(2));
    directory.link_up(N2, 5);
    directory.take(N2, pulse(1, None, 3), 20_000);
    assert_eq!(directory.owner_at(S, 20_000), None, "it has not heard of this node yet");
    directory.take(N2, pulse(2, Some(19_000), 3), 20_000);
    assert_eq!(directory.owner_at(S, 20_000), owner(3, 5));
    assert_eq!(directory.owner_at(S, 19_000 + LEASE_MS), None);
}

#[test]
fn an_echo_of_an_earlier_run_or_of_the_future_makes_no_lease() {
    let directory = directory(1, &meta_of(2));
    directory.link_up(N2, 5);
    let mut old = pulse(1, Some(19_000), 3);
    old.echo = Some(Echo { run: EdgeId(99), sent_at_ms: 19_000 });
    directory.take(N2, old, 20_000);
    assert_eq!(directory.owner_at(S, 20_000), None);
    directory.take(N2, pulse(2, Some(20_001), 3), 20_000);
    assert_eq!(directory.owner_at(S, 20_000), None);
}

#[test]
fn what_was_owned_over_a_link_that_broke_must_be_said_again() {
    let directory = directory(1, &meta_of(2));
    let mut changed = directory.changed();
    directory.link_up(N2, 5);
    let now = clock::monotonic_ms();
    directory.take(N2, pulse(1, Some(now), 3), now);
    assert_eq!(directory.owner_of(S), owner(3, 5));
    assert!(directory.is_valid(S, 3) && !directory.is_valid(S, 2));
    changed.mark_unchanged();
    directory.link_down(N2, 5);
    assert_eq!(directory.owner_of(S), None);
    assert!(changed.has_changed().unwrap());
    directory.link_up(N2, 6);
    assert_eq!(directory.owner_of(S), None);
    directory.take(N2, pulse(2, Some(now), 3), now);
    assert_eq!(directory.owner_of(S), owner(3, 6));
}

#[test]
fn a_newer_term_voids_the_older_one_even_before_it_makes_a_lease() {
    let meta = meta_of(3);
    let directory = directory(1, &meta);
    directory.link_up(N2, 5);
    directory.link_up(NodeId(3), 1);
    let now = clock::monotonic_ms();
    directory.take(N2, pulse(1, Some(now), 3), now);
    assert!(directory.is_valid(S, 3));
    directory.take(NodeId(3), pulse(1, None, 4), now);
    assert!(!directory.is_valid(S, 3));
    assert_eq!(directory.owner_of(S), None);
}

#[test]
fn an_owner_that_lists_a_shard_no_more_owns_it_no_more() {
    let directory = directory(1, &meta_of(2));
    directory.link_up(N2, 5);
    let now = clock::monotonic_ms();
    directory.take(N2, pulse(1, Some(now), 3), now);
    let mut without = pulse(2, Some(now), 3);
    without.about.owned.clear();
    directory.take(N2, without.clone(), now);
    assert!(!directory.is_valid(S, 3));
    // One that was sent before comes late.
    directory.take(N2, pulse(1, Some(now), 3), now);
    assert!(!directory.is_valid(S, 3));
}

#[test]
fn a_pulse_without_a_link_is_not_heard() {
    let directory = directory(1, &meta_of(2));
    let now = clock::monotonic_ms();
    directory.take(N2, pulse(1, Some(now), 3), now);
    assert!(!directory.is_valid(S, 3) && directory.neighbour(N2).is_none());
}

#[test]
fn what_this_node_owns_counts_as_long_as_a_majority_answers() {
    let directory = directory(1, &meta_of(1));
    let owned = |quorum_age_ms| BTreeMap::from([(S, Owned { term: 2, quorum_age_ms, ..Owned::default() })]);
    let about = directory.take_own(owned(100), 3, 50_000);
    assert_eq!((about.connection_count, about.owned.len()), (3, 1));
    assert_eq!(directory.owner_at(S, 50_000), Some(Owner { node: NodeId(1), term: 2, link: 0 }));
    let _ = directory.take_own(owned(LEASE_MS), 3, 60_000);
    assert_eq!(directory.owner_at(S, 60_000), None);
    let _ = directory.take_own(BTreeMap::new(), 3, 50_000);
    assert_eq!(directory.owner_at(S, 50_000), None);
}

#[tokio::test]
async fn names_of_nodes_and_of_their_runs_are_known_also_of_runs_that_ended() {
    let meta = meta_of(2);
    let directory = directory(1, &meta);
    let watching = tokio::spawn(directory.clone().watch_over());
    until("n2 is known", || directory.name_of_edge(EdgeId(2)).as_deref() == Some("n2")).await;
    let introduction = introduction("n2", 44);
    let _ = do_to(&meta, Command::Announce { node: N2, introduction, settings: settings() });
    until("its new run is known", || directory.name_of_edge(EdgeId(44)).as_deref() == Some("n2")).await;
    assert_eq!(directory.name_of_edge(EdgeId(2)).as_deref(), Some("n2"));
    assert_eq!((directory.name_of(N2).as_deref(), directory.name_of(NodeId(9))), (Some("n2"), None));
    watching.abort();
}

#[tokio::test]
async fn nodes_learn_within_moments_who_owns_what_and_that_it_changed() {
    let (net, meta) = (Arc::new(Net::default()), meta_of(2));
    let (nodes_revision, placement) = (meta.state().nodes_revision, BTreeMap::new());
    let _ = do_to(&meta, Command::SetPlacement { nodes_revision, placement, meta_voters: Vec::new() });
    let directories = [directory(1, &meta), directory(2, &meta)];
    let owning = [FakeOneself::owning([(0, 1), (1, 1), (2, 1), (3, 1)]), FakeOneself::owning([])];
    let mut tasks = Vec::new();
    for (directory, oneself) in directories.iter().zip(&owning) {
        let node = directory.node().0;
        let pulses = Arc::new(Pulses::new(directory.clone(), oneself.clone(), net.peers_of(node)));
        net.serve(node, Service::Pulse, pulses.clone());
        tasks.push(tokio::spawn(pulses.run()));
    }
    directories[0].link_up(N2, 1);
    directories[1].link_up(NodeId(1), 1);
    let owner = |node: usize, shard| directories[node].owner_of(ShardId(shard)).map(|owner| (owner.node.0, owner.term));
    until("node 2 knows the owners", || (0..4).all(|shard| owner(1, shard) == Some((1, 1)))).await;
    let started = clock::monotonic();
    owning[0].now_owns([(0, 1), (2, 1), (3, 1)]);
    owning[1].now_owns([(1, 2)]);
    until("both know the new owner", || (0..2).all(|node| owner(node, 1) == Some((2, 2)))).await;
    assert!(clock::monotonic().saturating_duration_since(started) < std::time::Duration::from_millis(900), "it waited for the next pulse");
    until("node 1 says that it is ready", || directories[1].neighbour(NodeId(1)).is_some_and(|node| node.about.state == NodeState::Ready))
        .await;
    assert_eq!(directories[1].reachable().len(), 2);
    directories[0].stop();
    until("node 1 says that it is going away", || {
        directories[1].neighbour(NodeId(1)).is_some_and(|node| node.about.state == NodeState::Draining)
    })
    .await;
    directories[1].link_down(NodeId(1), 1);
    assert_eq!(directories[1].reachable().len(), 1);
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

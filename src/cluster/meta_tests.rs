//! What the meta state promises of nodes, names, settings and ids.

use std::collections::BTreeMap;

use crate::cluster::meta::{Difference, NODES_MAX, Placed, Settings, Standing, State, TOMBSTONES_MAX};
use crate::cluster::meta_command::{Command, Introduction, Reach, Refusal, Reply};
use crate::ledger::ids::{EdgeId, ShardId};
use crate::ports::peers::NodeId;

const N1: NodeId = NodeId(1);
const N2: NodeId = NodeId(2);

fn settings() -> Settings {
    let ledger = [("window.length", "24h"), ("buffer.max_bytes", "256KiB")];
    let ledger = ledger.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Settings { shards: 4, replication: 3, lease_ms: 10_000, ledger }
}

fn introduction(name: &str, uuid: &str, run: u64) -> Introduction {
    let (http, cluster) = (format!("{name}:7400"), format!("{name}:7401"));
    Introduction { uuid: uuid.to_owned(), name: name.to_owned(), http, cluster, run: EdgeId(run) }
}

fn founded() -> State {
    let mut state = State::default();
    let found = Command::Found { node: N1, introduction: introduction("n1", "u1", 1), settings: settings() };
    assert_eq!(state.apply(found), Reply::Done);
    state
}

fn add(state: &mut State, name: &str, uuid: &str) -> Reply {
    let replaces = state.named(name).map(|(node, _)| node);
    state.apply(Command::AddNode { introduction: introduction(name, uuid, 1), settings: settings(), replaces })
}

fn announce(state: &mut State, node: NodeId, name: &str, run: u64) -> Reply {
    let uuid = format!("u{node}");
    state.apply(Command::Announce { node, introduction: introduction(name, &uuid, run), settings: settings() })
}

/// n1 and n2, both ready.
fn of_two() -> State {
    let mut state = founded();
    assert_eq!(add(&mut state, "n2", "u2"), Reply::Added { node: N2 });
    assert_eq!(announce(&mut state, N2, "n2", 1), Reply::Announced { changed: None });
    state
}

#[test]
fn a_cluster_is_founded_once() {
    let mut state = founded();
    let again = Command::Found { node: NodeId(7), introduction: introduction("x", "ux", 1), settings: settings() };
    let before = state.clone();
    assert_eq!(state.apply(again), Reply::Done);
    assert_eq!(state, before);
    assert_eq!(State::default().apply(Command::Drain { node: N1 }), Reply::Refused(Refusal::Unknown { node: N1 }));
    assert_eq!(add(&mut State::default(), "n2", "u2"), Reply::Refused(Refusal::NotFounded));
}

#[test]
fn the_same_uuid_gets_the_same_id_and_ids_are_never_given_twice() {
    let mut state = founded();
    assert_eq!(add(&mut state, "n2", "u2"), Reply::Added { node: N2 });
    assert_eq!(add(&mut state, "n2", "u2"), Reply::Added { node: N2 });
    assert_eq!(state.apply(Command::Remove { node: N2, reach: Reach::Unreachable }), Reply::Done);
    assert_eq!(add(&mut state, "n2", "u2"), Reply::Refused(Refusal::Removed));
    assert_eq!(add(&mut state, "n2", "u3"), Reply::Added { node: NodeId(3) });
}

#[test]
fn a_joining_node_is_ready_once_it_has_announced_itself() {
    let mut state = founded();
    let _ = add(&mut state, "n2", "u2");
    assert_eq!(state.standing(N2), Some(Standing::Joining));
    assert_eq!(announce(&mut state, N2, "n2", 4), Reply::Announced { changed: None });
    assert_eq!((state.standing(N2), state.nodes[&N2].run), (Some(Standing::Ready), EdgeId(4)));
    let revision = state.nodes_revision;
    let _ = announce(&mut state, N2, "n2", 4);
    assert_eq!(state.nodes_revision, revision);
}

#[test]
fn a_joiner_whose_settings_differ_is_refused_with_the_name_of_the_key() {
    let mut state = founded();
    let mut other = settings();
    other.ledger.insert("window.length".to_owned(), "1h".to_owned());
    let join = |settings| Command::AddNode { introduction: introduction("n2", "u2", 1), settings, replaces: None };
    let Reply::Refused(refusal) = state.apply(join(other)) else { panic!("it was taken") };
    assert!(refusal.to_string().starts_with("window.length is 1h here and 24h in the cluster"), "{refusal}");
    for (key, settings) in [
        ("cluster.shards", Settings { shards: 8, ..settings() }),
        ("cluster.replication", Settings { replication: 1, ..settings() }),
        ("cluster.lease", Settings { lease_ms: 1, ..settings() }),
        ("buffer.max_bytes", Settings { ledger: [("window.length".to_owned(), "24h".to_owned())].into(), ..settings() }),
    ] {
        let reply = state.apply(join(settings));
        assert!(matches!(&reply, Reply::Refused(Refusal::Setting(Difference { key: found, .. })) if found == key), "{reply:?}");
    }
}

#[test]
fn a_restarted_member_may_bring_new_settings_but_not_another_lease() {
    let mut state = of_two();
    let with = |settings| Command::Announce { node: N2, introduction: introduction("n2", "u2", 2), settings };
    let lease = state.apply(with(Settings { lease_ms: 1, ..settings() }));
    assert!(matches!(lease, Reply::Refused(Refusal::Setting(_))));
    let changed = state.apply(with(Settings { replication: 5, ..settings() }));
    assert!(matches!(changed, Reply::Announced { changed: Some(Difference { ref key, .. }) } if key == "cluster.replication"));
    assert_eq!(state.settings.map(|settings| settings.replication), Some(5));
}

#[test]
fn a_name_is_taken_over_only_from_a_node_that_does_not_answer() {
    let mut state = of_two();
    for replaces in [None, Some(N1)] {
        let taken = state.apply(Command::AddNode { introduction: introduction("n2", "u3", 1), settings: settings(), replaces });
        assert_eq!(taken, Reply::Refused(Refusal::NameTaken { name: "n2".to_owned() }));
    }
    assert_eq!(add(&mut state, "n2", "u3"), Reply::Added { node: NodeId(3) });
    assert_eq!(state.standing(N2), Some(Standing::Leaving));
    // From now on, the name means the new one.
    assert_eq!(state.named("n2").map(|(node, _)| node), Some(NodeId(3)));
    assert_eq!(announce(&mut state, NodeId(3), "n2", 1), Reply::Announced { changed: None });
}

#[test]
fn a_node_that_died_while_it_joined_leaves_nothing_behind_when_it_joins_again() {
    let mut state = founded();
    let _ = add(&mut state, "n2", "u2");
    assert_eq!(add(&mut state, "n2", "u3"), Reply::Added { node: NodeId(3) });
    assert_eq!(state.standing(N2), Some(Standing::Removed));
    assert_eq!(announce(&mut state, N2, "n2", 1), Reply::Refused(Refusal::Removed));
}

#[test]
fn a_member_can_not_take_the_name_of_another() {
    let mut state = of_two();
    assert_eq!(announce(&mut state, N2, "n1", 2), Reply::Refused(Refusal::NameTaken { name: "n1".to_owned() }));
    assert_eq!(announce(&mut state, N2, "n9", 2), Reply::Announced { changed: None });
    assert_eq!(state.named("n9").map(|(node, _)| node), Some(N2));
}

#[test]
fn a_draining_node_is_ready_again_after_a_restart_and_not_before() {
    let mut state = of_two();
    assert_eq!(state.apply(Command::Drain { node: N2 }), Reply::Done);
    assert_eq!(state.apply(Command::Drain { node: N2 }), Reply::Done);
    let _ = announce(&mut state, N2, "n2", 1);
    assert_eq!(state.standing(N2), Some(Standing::Draining));
    let _ = announce(&mut state, N2, "n2", 2);
    assert_eq!(state.standing(N2), Some(Standing::Ready));
}

#[test]
fn the_last_node_that_may_lead_is_neither_drained_nor_removed() {
    let mut state = of_two();
    assert_eq!(state.apply(Command::Drain { node: N1 }), Reply::Done);
    let last = Reply::Refused(Refusal::LastNode { name: "n2".to_owned() });
    assert_eq!(state.apply(Command::Drain { node: N2 }), last);
    assert_eq!(state.apply(Command::Remove { node: N2, reach: Reach::Unreachable }), last);
}

#[test]
fn only_a_drained_or_dead_node_is_removed_and_it_stays_removed() {
    let mut state = of_two();
    let alive = Command::Remove { node: N2, reach: Reach::Reachable };
    assert_eq!(state.apply(alive.clone()), Reply::Refused(Refusal::NotDrained { name: "n2".to_owned() }));
    let _ = state.apply(Command::Drain { node: N2 });
    assert_eq!(state.apply(alive.clone()), Reply::Done);
    assert_eq!(state.standing(N2), Some(Standing::Leaving));
    // What is still wanted of it must go first.
    state.placement.insert(ShardId(0), Placed { voters: vec![N1, N2], leader: Some(N1) });
    assert_eq!(state.apply(Command::Gone { node: N2 }), Reply::Refused(Refusal::Stale));
    state.placement.clear();
    assert_eq!(state.apply(Command::Gone { node: N2 }), Reply::Done);
    assert_eq!(state.apply(alive), Reply::Done);
    assert!(state.is_removed(N2) && state.named("n2").is_none());
    assert_eq!(announce(&mut state, N2, "n2", 3), Reply::Refused(Refusal::Removed));
}

#[test]
fn a_placement_for_other_nodes_than_there_are_is_void() {
    let mut state = of_two();
    let placement: BTreeMap<_, _> = [(ShardId(0), Placed { voters: vec![N1], leader: Some(N1) })].into();
    let place = |nodes_revision| Command::SetPlacement { nodes_revision, placement: placement.clone(), meta_voters: vec![N1] };
    let revision = state.nodes_revision;
    assert_eq!(state.apply(place(revision - 1)), Reply::Refused(Refusal::Stale));
    assert_eq!(state.apply(place(revision)), Reply::Done);
    assert_eq!(state.placement, placement);
}

#[test]
fn nodes_and_the_memory_of_removed_ones_are_bounded() {
    let mut state = founded();
    for number in 2..=NODES_MAX {
        let _ = add(&mut state, &format!("m{number}"), &format!("v{number}"));
    }
    assert_eq!(add(&mut state, "x", "ux"), Reply::Refused(Refusal::TooManyNodes { max: NODES_MAX }));
    let mut state = founded();
    for number in 0..TOMBSTONES_MAX + 10 {
        let Reply::Added { node } = add(&mut state, "m", &format!("w{number}")) else { panic!("refused") };
        let _ = state.apply(Command::Remove { node, reach: Reach::Unreachable });
    }
    assert_eq!(state.nodes.len(), TOMBSTONES_MAX + 1);
    // What is forgotten by name is still refused by its id.
    assert!(state.is_removed(N2) && !state.is_removed(NodeId(state.last_node + 1)));
    assert_eq!(announce(&mut state, N2, "m", 1), Reply::Refused(Refusal::Removed));
}

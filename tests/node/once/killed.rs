//! The node is killed, or stopped, again and again under load, at moments that a seed draws. `ENGAGE_TEST_SEED` repeats a run, `ENGAGE_TEST_KILLS` makes a longer one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use engage::clock;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::crowd::{Person, Signals, publisher};
use super::history::{Entry, History, Key, is_settled};
use super::holders;
use super::judge::{accepted_keys, settled_keys, violations};
use crate::support::api::{Api, engagement};
use crate::support::node::{Node, Settings};
use crate::support::{DEADLINE, wait, whole_number_from};

const USERS: usize = 8;
const LEASE_MS: u64 = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_brings_back_what_was_confirmed_or_loses_what_was_accepted() {
    let seed = whole_number_from("ENGAGE_TEST_SEED", clock::wall_ms());
    let kills = whole_number_from("ENGAGE_TEST_KILLS", 6);
    println!("ENGAGE_TEST_SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut node = Node::start(Settings::new().with("cluster.lease", "1s").with("limits.messages_per_second", "1000"));
    let (signals, history) = (Signals::default(), History::default());
    let mut crowd = tokio::task::JoinSet::new();
    for number in 0..USERS {
        let user = format!("user-{number}");
        crowd.spawn(publisher(Api::publisher(&node), user.clone(), signals.clone(), history.clone()));
        for device in ["phone", "laptop"] {
            let (signals, history) = (signals.clone(), history.clone());
            let person = Person {
                address: node.address_of(),
                user: user.clone(),
                device: device.to_owned(),
                random: StdRng::seed_from_u64(random.random()),
                signals,
                history,
                unconfirmed: Vec::new(),
            };
            crowd.spawn(person.live());
        }
    }
    for round in 0..kills {
        wait::pass(Duration::from_millis(random.random_range(100..900))).await;
        if round == 0 || random.random_bool(0.75) {
            history.note(Entry::Kill { wall: clock::wall_ms() });
            node.kill();
        } else {
            history.note(Entry::Stop { wall: clock::wall_ms() });
            node.ask_to_stop();
            let (status, _) = tokio::task::block_in_place(|| node.wait_for_exit());
            assert!(status.success(), "a stopped node exits with 0, not {status}");
        }
        node.start_again_async().await;
    }
    wait::pass(Duration::from_millis(500)).await;
    signals.enough_published.store(true, Ordering::Relaxed);
    wait_until_all_is_settled(&node, &history, seed).await;
    signals.over.store(true, Ordering::Relaxed);
    while let Some(ended) = crowd.join_next().await {
        ended.expect("nobody in the crowd panics");
    }
    let entries = history.entries();
    assert_eq!(violations(&entries), Vec::<String>::new(), "seed {seed}");
    let (two_holders, moves) = holders::violations(&entries, LEASE_MS);
    assert_eq!(two_holders, Vec::<String>::new(), "seed {seed}");
    assert!(moves > 0, "nothing ever moved from one device to another");
    assert_enough_happened(&entries);
    assert_each_settled_once(&node, &entries).await;
    assert_eq!(Api::admin(&node).metric("engage_redelivery_after_ack_total").await, 0.0);
}

/// G2: what was accepted is offered until it settles. Most of it is confirmed to somebody; where a kill took the confirm and the client had forgotten its
/// ack, the node is asked. What does not settle is shown.
async fn wait_until_all_is_settled(node: &Node, history: &History, seed: u64) {
    let (api, start) = (Api::admin(node), clock::monotonic());
    let mut settled_unconfirmed: BTreeSet<Key> = BTreeSet::new();
    loop {
        let entries = history.entries();
        let confirmed = settled_keys(&entries);
        let open = accepted_keys(&entries).into_iter().filter(|key| !confirmed.contains(key) && !settled_unconfirmed.contains(key));
        let open: Vec<Key> = open.collect();
        let Some(first) = open.first() else { return };
        let shown = api.get(&engagement(&first.user, &first.id)).await.ok(200);
        if shown["state"].as_str().is_some_and(is_settled) {
            settled_unconfirmed.insert(first.clone());
            continue;
        }
        if clock::monotonic() - start > DEADLINE {
            let about: Vec<&Entry> = entries.iter().filter(|entry| entry.key() == Some(first)).collect();
            panic!("{} accepted keys are not settled, seed {seed}; one of them: {shown}, of which clients saw {about:#?}", open.len());
        }
        wait::pass(Duration::from_millis(50)).await;
    }
}

/// A run that checked nothing fails.
fn assert_enough_happened(entries: &[Entry]) {
    let count = |wanted: fn(&Entry) -> bool| entries.iter().filter(|entry| wanted(entry)).count();
    let accepted = accepted_keys(entries).len();
    let hellos = count(|entry| matches!(entry, Entry::Hello { .. }));
    let offers = count(|entry| matches!(entry, Entry::Offer { .. }));
    let unanswered = count(|entry| matches!(entry, Entry::Unanswered { .. }));
    println!("{accepted} accepted, {unanswered} unanswered, {hellos} hellos, {offers} offers, {} entries", entries.len());
    assert!(count(|entry| matches!(entry, Entry::Kill { .. })) > 0, "the node was never killed");
    assert!(accepted >= 50, "only {accepted} publishes were accepted");
    assert!(hellos >= 2 * USERS * 2, "only {hellos} hellos: nobody came back");
    assert!(offers > accepted, "nothing was ever offered again");
}

/// G2: what was accepted settles exactly once, and the feed says so.
async fn assert_each_settled_once(node: &Node, entries: &[Entry]) {
    let api = Api::admin(node);
    let mut settled: BTreeMap<Key, usize> = BTreeMap::new();
    let mut cursors = BTreeSet::new();
    for number in 0..USERS {
        let user = format!("user-{number}");
        for line in api.outcomes_of(&user).await {
            assert!(cursors.insert(line["cursor"].to_string()), "a cursor came twice: {line}");
            if matches!(line["outcome"].as_str(), Some("completed" | "dismissed" | "expired" | "withdrawn" | "dropped")) {
                *settled.entry(Key::of(&user, &line)).or_default() += 1;
            }
        }
    }
    for key in accepted_keys(entries) {
        assert_eq!(settled.get(&key), Some(&1), "{key:?} settles exactly once");
    }
}

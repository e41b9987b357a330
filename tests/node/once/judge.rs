//! Judges a history by G1, G2, G4 and "states only move to the right". Uses nothing but what clients saw. Planted faults, at the end, prove that it can say no.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::history::{Entry, Key, Session, is_settled};

/// All that is wrong with a history; empty when every promise was kept.
pub fn violations(entries: &[Entry]) -> Vec<String> {
    let mut judge = Judge::default();
    for (place, entry) in entries.iter().enumerate() {
        judge.take(place, entry);
    }
    judge.found
}

/// What is known of a key so far.
#[derive(Default)]
struct Known {
    settled_at_place: Option<usize>,
    settled_at: Option<u64>,
    /// Place in the history and step of each confirm.
    confirmed: Vec<(usize, u64)>,
    /// Ledger time and step of each confirm.
    confirmed_at: BTreeMap<u64, u64>,
    /// The highest step that any device ever acked.
    acked: u64,
    /// Ledger time and step of each offer.
    offered: BTreeMap<u64, u64>,
    /// The connections that were offered it.
    first_on: BTreeSet<Session>,
}

#[derive(Default)]
struct Judge {
    hellos: HashMap<Session, usize>,
    keys: BTreeMap<Key, Known>,
    found: Vec<String>,
}

impl Judge {
    fn take(&mut self, place: usize, entry: &Entry) {
        match entry {
            Entry::Hello { session, .. } => {
                self.hellos.insert(*session, place);
            }
            Entry::Offer { session, key, step, at, payload } => {
                self.never_again(*session, key, *at);
                self.resumed(*session, key, *step, *at);
                self.no_phantom(key, payload);
            }
            Entry::Ack { key, step } => {
                let known = self.keys.entry(key.clone()).or_default();
                known.acked = known.acked.max(*step);
            }
            Entry::Confirm { key, step, state, at, .. } => self.confirmed(place, key, *step, state, *at),
            _ => {}
        }
    }

    /// G1: nothing settled and confirmed is offered to a later hello, nor with a later time on any connection.
    fn never_again(&mut self, session: Session, key: &Key, at: u64) {
        let hello = self.hellos[&session];
        let Some(known) = self.keys.get(key) else { return };
        if known.settled_at_place.is_some_and(|settled| settled < hello) {
            self.found.push(format!("G1: {key:?} was offered to session {session}, whose hello came after its confirm"));
        }
        if known.settled_at.is_some_and(|settled| settled < at) {
            self.found.push(format!("G1: {key:?} was offered to session {session} at {at}, after its confirm at {:?}", known.settled_at));
        }
    }

    /// G4: the first offer on a connection goes on after the highest step confirmed before its hello, and not beyond what was ever acked.
    fn resumed(&mut self, session: Session, key: &Key, step: u64, at: u64) {
        let hello = self.hellos[&session];
        let known = self.keys.entry(key.clone()).or_default();
        let confirmed = known.confirmed.iter().filter(|(place, _)| *place < hello).map(|(_, step)| *step).max().unwrap_or(0);
        if known.first_on.insert(session) && (step < confirmed + 1 || step > known.acked + 1) {
            self.found.push(format!("G4: {key:?} resumed at step {step}; {confirmed} was confirmed and {} acked", known.acked));
        }
        let earlier = known.offered.range(..at).next_back().map_or(1, |(_, step)| *step);
        if step < earlier {
            self.found.push(format!("step fell: {key:?} was offered at step {earlier}, later at step {step}"));
        }
        known.offered.insert(at, step);
    }

    /// Nothing is offered that was not published for that user: the payload names both.
    fn no_phantom(&mut self, key: &Key, payload: &Value) {
        if *payload != payload_of(&key.user, &key.id) {
            self.found.push(format!("phantom: {key:?} came with another's payload {payload}"));
        }
    }

    fn confirmed(&mut self, place: usize, key: &Key, step: u64, state: &str, at: u64) {
        let known = self.keys.entry(key.clone()).or_default();
        // Confirms of two connections may cross on the wire: ledger time tells their order.
        let earlier = known.confirmed_at.range(..at).next_back().map_or(0, |(_, step)| *step);
        if step < earlier {
            self.found.push(format!("step fell: {key:?} was confirmed at step {earlier}, and at {at} at step {step}"));
        }
        known.confirmed_at.insert(at, step);
        known.confirmed.push((place, step));
        if is_settled(state) {
            known.settled_at_place.get_or_insert(place);
            known.settled_at = Some(known.settled_at.map_or(at, |earlier| earlier.min(at)));
        } else if known.settled_at.is_some_and(|settled| settled < at) {
            self.found.push(format!("unsettled: {key:?} is {state} at {at}, but was settled at {:?}", known.settled_at));
        }
    }
}

/// The payload that the test publishes under a user and id.
pub fn payload_of(user: &str, id: &str) -> Value {
    serde_json::json!({"for": user, "named": id})
}

/// The keys that publishers were told are taken.
pub fn accepted_keys(entries: &[Entry]) -> BTreeSet<Key> {
    entries.iter().filter_map(|entry| if let Entry::Accepted { key } = entry { Some(key.clone()) } else { None }).collect()
}

/// The keys that some client was told are settled.
pub fn settled_keys(entries: &[Entry]) -> BTreeSet<Key> {
    let settled = |entry: &Entry| match entry {
        Entry::Confirm { key, state, .. } if is_settled(state) => Some(key.clone()),
        _ => None,
    };
    entries.iter().filter_map(settled).collect()
}

fn hello(session: Session) -> Entry {
    Entry::Hello { session, user: "u".to_owned(), device: "d".to_owned(), wall: 0 }
}

/// A short history in which all goes well.
fn good() -> (Vec<Entry>, Key) {
    let key = Key { user: "u".to_owned(), id: "x".to_owned(), window: "w".to_owned() };
    let offer = |session, step, at| Entry::Offer { session, key: key.clone(), step, at, payload: payload_of("u", "x") };
    let confirm = |session, step, state: &str, at| Entry::Confirm { session, key: key.clone(), step, state: state.to_owned(), at };
    let entries = vec![
        Entry::Accepted { key: key.clone() },
        hello(1),
        offer(1, 1, 10),
        Entry::Ack { key: key.clone(), step: 1 },
        confirm(1, 1, "in_progress", 11),
        Entry::Ack { key: key.clone(), step: 2 },
        Entry::Kill { wall: 11 },
        hello(2),
        offer(2, 3, 12),
        Entry::Ack { key: key.clone(), step: 3 },
        confirm(2, 3, "completed", 13),
    ];
    (entries, key)
}

#[test]
fn the_judge_passes_what_keeps_the_promises() {
    assert_eq!(violations(&good().0), Vec::<String>::new());
}

#[test]
fn the_judge_finds_each_planted_fault() {
    let (entries, key) = good();
    let offer = |session, step, at, payload| Entry::Offer { session, key: key.clone(), step, at, payload };
    let payload = payload_of("u", "x");
    let planted = [
        ("G1", vec![hello(3), offer(3, 4, 12, payload.clone())]),
        ("G1", vec![offer(2, 4, 14, payload.clone())]),
        ("G4", vec![hello(3), offer(3, 1, 9, payload.clone())]),
        ("step fell", vec![offer(2, 2, 20, payload)]),
        ("phantom", vec![offer(2, 3, 13, Value::Null)]),
        ("unsettled", vec![Entry::Confirm { session: 2, key: key.clone(), step: 3, state: "shown".to_owned(), at: 15 }]),
    ];
    for (fault, tail) in planted {
        let history: Vec<Entry> = entries.iter().cloned().chain(tail).collect();
        assert!(violations(&history).iter().any(|found| found.starts_with(fault)), "{fault} was not found: {:?}", violations(&history));
    }
}

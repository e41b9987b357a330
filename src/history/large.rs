//! A long history is judged in time: of 480,000 entries over 60,000 keys, with one key that thousands of connections saw.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::record::{Entry, Key, Leave, Publish, Run, Targets, Transport, What};
use crate::clock;

const ENTRIES: usize = 480_000;
const KEYS: usize = 60_000;
const USERS: usize = 3_000;
/// Moves of the one key that everybody sees.
const MOVES: u64 = 4_000;

/// The whole must be judged within it in a build without optimisation, on a busy machine: a rule that looks at all entries for each entry would take hours.
const BOUND: Duration = Duration::from_secs(90);

struct Writer {
    entries: Vec<Entry>,
    random: StdRng,
    sessions: u64,
}

impl Writer {
    fn note(&mut self, what: What) {
        let t = self.entries.len() as u64 * 100;
        self.entries.push(Entry::at(t, what));
    }

    /// Ledger time of the next entry.
    fn at(&self) -> u64 {
        self.entries.len() as u64 / 10
    }

    fn hello(&mut self, user: &str, device: &str) -> u64 {
        self.sessions += 1;
        let session = self.sessions;
        let (user, device, node) = (user.to_owned(), device.to_owned(), "n1".to_owned());
        self.note(What::Hello {
            session,
            user,
            device,
            node,
            visible: true,
            max_in_flight: 256,
            open: vec![],
            transport: Transport::Websocket,
        });
        self.note(What::Welcome { session, window: None });
        session
    }

    fn publish(&mut self, call: u64, key: &Key) {
        let (user, id, payload) = (key.user.clone(), key.id.clone(), json!({"for": key.id}));
        self.note(What::Publish(Publish { call, user, id, targets: Targets::Active, payload, ..Publish::default() }));
        self.note(What::Published {
            call,
            status: 201,
            key: Some(key.clone()),
            state: Some("queued".to_owned()),
            step: Some(0),
            closes_at: None,
        });
    }

    fn offer(&mut self, session: u64, key: &Key, offer: u64) {
        let at = self.at();
        self.note(What::Offer { session, key: key.clone(), offer, step: 1, at, data: Value::Null, payload: json!({"for": key.id}) });
    }

    fn settle(&mut self, session: u64, key: &Key, reference: i64) {
        self.note(What::Ack { session, key: key.clone(), step: Some(1), data: Value::Null, reference: Some(reference) });
        let (at, state) = (self.at(), "completed".to_owned());
        self.note(What::Confirm { session, key: key.clone(), step: 1, state, yours: true, at, reference: Some(reference) });
    }

    fn feed(&mut self, key: &Key) {
        for outcome in ["published", "completed"] {
            let (cursor, state) = (self.entries.len().to_string(), (outcome == "completed").then(|| outcome.to_owned()));
            self.note(What::Outcome { key: key.clone(), outcome: outcome.to_owned(), state, cursor, at: None, reason: None });
        }
    }

    /// One user, two devices, and a delivery that goes to and fro between them.
    fn hot(&mut self, key: &Key) {
        self.publish(KEYS as u64 + 1, key);
        for number in 0..MOVES {
            let session = self.hello(&key.user, if number % 2 == 0 { "phone" } else { "laptop" });
            self.offer(session, key, number + 1);
            let leave = Leave::Closed;
            self.note(What::End { session, leave });
        }
        let session = self.hello(&key.user, "phone");
        self.offer(session, key, MOVES + 1);
        self.settle(session, key, 1);
    }
}

fn history(seed: u64) -> Vec<Entry> {
    let mut writer = Writer { entries: Vec::new(), random: StdRng::seed_from_u64(seed), sessions: 0 };
    writer.note(What::Run(Run { lease_ms: 10_000, request_timeout_ms: 5_000, seed, ..Run::default() }));
    let keys: Vec<Key> = (0..KEYS).map(|number| Key::new(&format!("user-{}", number % USERS), &format!("e{number}"), "w")).collect();
    let sessions: Vec<u64> = (0..USERS).map(|user| writer.hello(&format!("user-{user}"), "phone")).collect();
    let hot = Key::new("hot", "hot", "w");
    writer.hot(&hot);
    let mut open: Vec<usize> = Vec::new();
    let mut order: Vec<usize> = (0..KEYS).collect();
    order.shuffle(&mut writer.random);
    for number in order {
        writer.publish(number as u64 + 1, &keys[number]);
        writer.offer(sessions[number % USERS], &keys[number], 1);
        open.push(number);
        // Up to a few hundred are open at a time.
        if open.len() > 300 || writer.random.random_bool(0.5) {
            let chosen = writer.random.random_range(0..open.len());
            let settled = open.swap_remove(chosen);
            writer.settle(sessions[settled % USERS], &keys[settled], settled as i64);
        }
    }
    for settled in open {
        writer.settle(sessions[settled % USERS], &keys[settled], settled as i64);
    }
    keys.iter().chain([&hot]).for_each(|key| writer.feed(key));
    while writer.entries.len() < ENTRIES {
        let session = sessions[writer.random.random_range(0..USERS)];
        writer.note(What::CaughtUp { session });
    }
    writer.entries
}

#[test]
fn half_a_million_entries_are_judged_in_time() {
    let seed = 20_261_123;
    let entries = history(seed);
    let started = clock::monotonic();
    let verdict = super::judge(&entries);
    let took = clock::monotonic() - started;
    println!("{} entries, seed {seed}: judged in {} ms", entries.len(), took.as_millis());
    assert_eq!(verdict.violations, []);
    assert_eq!((entries.len(), verdict.balance["completed"], verdict.moves), (ENTRIES, KEYS + 1, MOVES as usize));
    assert!(took < BOUND, "it took {took:?}");
    if let Some(folder) = std::env::var_os("ENGAGE_TEST_HISTORIES") {
        super::file::write(&std::path::Path::new(&folder).join("large.jsonl"), &entries).expect("there is room");
    }
}

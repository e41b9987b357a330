//! The harness of the black-box tests: nodes as real processes, and the people around them: publishers, devices, forgers. It knows the contract's words
//! and none of the server's types; of the crate it takes the clock alone, since only that may read time.

pub mod api;
pub mod cluster;
pub mod device;
pub mod hello;
pub mod member;
pub mod network;
pub mod node;
pub mod process;
pub mod runner;
pub mod seat;
pub mod stream;
pub mod token;
pub mod view;
pub mod wait;

use std::sync::atomic::{AtomicU64, Ordering};

/// The time within which anything that the contract promises must have happened, on a busy machine.
pub const DEADLINE: std::time::Duration = std::time::Duration::from_secs(15);

/// A name that no other test of this process uses: tests share nodes and keep apart by their users.
pub fn fresh(stem: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{stem}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The words of a server message's or an answer's keys, sorted, to compare with the contract's list.
pub fn keys(object: &serde_json::Value) -> Vec<String> {
    let mut keys: Vec<String> = object.as_object().expect("a JSON object").keys().cloned().collect();
    keys.sort();
    keys
}

/// The words of a list, sorted, to compare with [`keys`].
pub fn words(list: &str) -> Vec<String> {
    let mut words: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
    words.sort();
    words
}

/// A whole number that the environment may set, for longer or repeated runs.
pub fn whole_number_from(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a whole number")),
        Err(_) => default,
    }
}

//! Words that don't belong into the code, or not into a room.

use crate::source::{Source, files, line_of, nothing_in, rust};

/// The ledger gives the same state for the same commands, on every replica, at every time.
const NOT_IN_LEDGER: &[&str] = &[
    "SystemTime",
    "Instant",
    "HashMap",
    "HashSet",
    "DashMap",
    "Duration",
    "rand",
    "random",
    "tracing",
    "info",
    "warn",
    "debug",
    "trace",
    "async",
    "await",
    "tokio",
    "actix",
    "spawn",
    "thread",
    "Mutex",
    "RwLock",
    "println",
    "eprintln",
    "unsafe",
    "f32",
    "f64",
    "metrics",
];
const NOT_PATHS_IN_LEDGER: &[&str] = &["std::fs", "std::net", "std::io", "std::env", "std::time", "std::process"];

/// What stands for unfinished work.
const UNFINISHED: &[&str] = &["TODO", "FIXME", "XXX", "HACK", "todo!", "unimplemented!", "dbg!", "#[ignore"];

#[test]
fn the_ledger_reads_no_clock_and_does_no_io() {
    let mut found = Vec::new();
    for source in files("src/ledger", ".rs") {
        let code = source.production_code();
        for word in NOT_IN_LEDGER {
            places(&source, &code, word, &mut found);
        }
        for path in NOT_PATHS_IN_LEDGER {
            found.extend(code.match_indices(path).map(|(at, _)| format!("{}:{}: {path}", source.path, line_of(&code, at))));
        }
    }
    nothing_in(&found, "the ledger must stay a pure state machine");
}

#[test]
fn nothing_is_unwrapped_outside_tests() {
    let mut found = Vec::new();
    for source in files("src", ".rs") {
        let code = source.production_code();
        for call in [".unwrap()", ".unwrap_err()", ".expect(\"\")"] {
            found.extend(code.match_indices(call).map(|(at, _)| format!("{}:{}: {call}", source.path, line_of(&code, at))));
        }
    }
    nothing_in(&found, "handle the error, or name the invariant with expect");
}

#[test]
fn nothing_is_left_unfinished() {
    let mut found = Vec::new();
    // This file has to name the words.
    for source in rust().iter().filter(|source| !source.path.ends_with("tidy/words.rs")) {
        for word in UNFINISHED {
            found.extend(source.text.match_indices(word).map(|(at, _)| format!("{}:{}: {word}", source.path, line_of(&source.text, at))));
        }
    }
    nothing_in(&found, "finish it, or open an issue");
}

#[test]
fn every_file_says_what_it_is_for() {
    let found: Vec<String> = rust().iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path.clone()).collect();
    nothing_in(&found, "open the file with //! and a sentence: what it is for, and what it must not do");
}

/// Where a whole word stands.
fn places(source: &Source, code: &str, word: &str, found: &mut Vec<String>) {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in code.match_indices(word) {
        if !code[..at].ends_with(is_part) && !code[at + word.len()..].starts_with(is_part) {
            found.push(format!("{}:{}: {word}", source.path, line_of(code, at)));
        }
    }
}

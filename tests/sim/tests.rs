//! Tests of the simulation: that a seed is a run and always the same one, that what is broken is found, and that the seeds which once found something pass. The long runs
//! over many seeds are `engage-sim` itself. `ENGAGE_SIM_BIN` names another binary than the one that was built with this test.

#[expect(dead_code, reason = "only what it does by itself is tested")]
mod memory;
mod plan;
mod plan_tests;
#[expect(dead_code, reason = "a plan draws a population, and does nothing with it")]
mod population;

use std::collections::BTreeMap;
use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    // One that is built with optimisation is ten times as fast.
    let binary = std::env::var("ENGAGE_SIM_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_engage-sim").to_owned());
    Command::new(binary).args(arguments).output().expect("engage-sim can be started")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs seeds that must pass; the hash of each one's trace.
fn traces(seeds: &str) -> BTreeMap<String, String> {
    let output = sim(&["--seeds", seeds, "--trace", "--keep-going"]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let of = |line: &str| {
        line.strip_prefix("seed ").and_then(|line| line.split_once(" trace ")).map(|(seed, trace)| (seed.to_owned(), trace.to_owned()))
    };
    text.lines().filter_map(of).collect()
}

#[test]
fn all_that_a_process_draws_is_decided_by_its_seed() {
    let draws = |seed: &str| stdout(&sim(&["--child", seed, "--draws"]));
    let first = draws("7");
    assert_eq!(first.lines().count(), 3, "{first}");
    assert_eq!(first, draws("7"));
    let other = draws("8");
    for (one, other) in first.lines().zip(other.lines()) {
        assert_ne!(one, other, "the seed doesn't reach this");
    }
}

#[test]
fn a_seed_is_a_run_and_always_the_same_one() {
    let first = traces("1..3");
    assert_eq!(first.len(), 3, "{first:?}");
    assert_eq!(first, traces("1..3"));
    let different: std::collections::BTreeSet<&String> = first.values().collect();
    assert_eq!(different.len(), 3, "{first:?}");
}

#[test]
fn a_broken_promise_is_found_and_the_way_to_see_it_again_is_shown() {
    for planted in ["offered-again", "lost"] {
        let output = sim(&["--seed", "1", "--plant", planted]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{planted}: {text}");
        assert!(text.contains("seed 1 failed") && text.contains("--seed 1 --plant"), "{planted}: {text}");
    }
}

#[test]
fn seeds_that_found_something_pass() {
    let list = include_str!("seeds.txt");
    let of = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let seeds: Vec<String> = list.lines().filter(|line| !line.starts_with('#')).filter_map(of).collect();
    assert!(!seeds.is_empty(), "no seed was read");
    assert_eq!(traces(&seeds.join(",")).len(), seeds.len());
}

//! What `cargo test` runs of it: a storm of most faults on a network of namespaces, all nodes killed at once, and wrong clocks. Short: `tests/chaos/run` runs the rest.

use std::time::Duration;

use crate::blow::Blow;
use crate::ground::Ground;
use crate::said::{aloud, skipped};
use crate::scenario::storm;

/// The network faults, and what happens to nodes.
const MIXED: [Blow; 6] = [Blow::Kill, Blow::Pause, Blow::Cut, Blow::CutIn, Blow::PartialCut, Blow::Loss];

#[test]
fn it_was_run_with_network_namespaces_or_says_so() {
    match Ground::prepare(2) {
        Ok(_) => aloud("network namespaces are here: cuts and losses are real"),
        Err(why) => skipped("all that needs network namespaces", &why),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_mixed_faults_breaks_no_promise() {
    storm("smoke-mixed", &MIXED, Duration::from_secs(12)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_nodes_killed_at_once_have_lost_nothing_that_was_accepted() {
    storm("smoke-all-killed", &[Blow::KillAll], Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_whose_clocks_are_an_hour_off_break_no_promise() {
    storm("smoke-clocks", &[Blow::ClockJump], Duration::from_secs(6)).await;
}

//! G8, strictly: a node dies, and clients on the others notice nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::load::{Load, Size, shows_enough};
use crate::probe::Probe;
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait::pass;
use engage::history::record::Fault;

/// The first ack on a new owner is confirmed by then at the latest.
const ACK_MAX_MS: u64 = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_node_dies_clients_on_the_others_keep_their_connections_and_see_no_error() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    cluster.spread().await;
    let load = Load::start("healthy", &cluster, Size::STEADY);
    load.in_full_swing().await;
    let name = cluster.name(2);
    load.fault(&name, Fault::Kill);
    cluster.member_mut(2).kill();
    pass(Duration::from_secs(8)).await;
    cluster.restart(2).await;
    load.fault(&name, Fault::Start);
    cluster.whole().await;
    let verdict = load.finish(&cluster).await;
    shows_enough(&verdict);
    assert!(verdict.longest_ack_ms <= ACK_MAX_MS, "an ack on a surviving node took {} ms", verdict.longest_ack_ms);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_that_the_dead_node_did_not_lead_go_on_without_an_error() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    cluster.spread().await;
    let led = cluster.view().await.led_by("n3");
    let mut probes = Probe::for_each_shard(&cluster).await;
    probes.retain(|probe| !led.contains(&probe.shard));
    assert!(!probes.is_empty(), "n3 leads everything");
    for probe in &mut probes {
        probe.connect(&cluster, probe.shard % 2).await;
    }
    let enough = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = probes.into_iter().map(|probe| tokio::spawn(probe.go_on(Arc::clone(&enough)))).collect();
    pass(Duration::from_millis(500)).await;
    cluster.member_mut(2).kill();
    pass(Duration::from_secs(4)).await;
    enough.store(true, Ordering::Relaxed);
    for task in tasks {
        let (probe, taken) = task.await.expect("every ack was confirmed, and nothing else came");
        let longest = taken.iter().map(|taken| taken.took).max().expect("it acked");
        println!("healthy: shard {}: {} acks, the longest took {longest:?}", probe.shard, taken.len());
    }
}

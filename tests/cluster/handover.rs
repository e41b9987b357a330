//! A node that is told to stop gives its shards to others first: clients on other nodes notice a moment's delay at most.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engage::clock;

use crate::probe::{Probe, Taken};
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait::pass;

/// For so long at most, as a rule, does a client wait longer for its confirm while its shard is handed over.
const HANDOVER_MAX: Duration = Duration::from_millis(100);
/// A hand-over that has failed ends in an election, which takes longer than that.
const HANDOVER_WORST: Duration = Duration::from_millis(600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_hands_its_shards_over_within_100_ms_without_an_error() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    cluster.spread().await;
    let mut probes = Probe::for_each_shard(&cluster).await;
    let mut worst = Vec::new();
    for place in 0..3 {
        let led = cluster.spread().await.led_by(&cluster.name(place));
        assert!(!led.is_empty(), "{} leads nothing", cluster.name(place));
        for probe in &mut probes {
            // On another node than the one that stops: it must notice nothing but a delay.
            probe.connect(&cluster, (place + 1 + probe.shard % 2) % 3).await;
        }
        let enough = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = probes.drain(..).map(|probe| tokio::spawn(probe.go_on(Arc::clone(&enough)))).collect();
        pass(Duration::from_secs(1)).await;
        let stopped_at = clock::monotonic();
        cluster.stop(place).await;
        pass(Duration::from_millis(500)).await;
        enough.store(true, Ordering::Relaxed);
        for task in tasks {
            let (probe, taken) = task.await.expect("no probe fails");
            if led.contains(&probe.shard) {
                worst.push(gap(&probe, &taken, stopped_at));
            }
            probes.push(probe);
        }
        cluster.restart(place).await;
        cluster.whole().await;
    }
    worst.sort_unstable();
    println!("handover: the longest ack of each shard that was handed over: {worst:?}");
    let median = worst[worst.len() / 2];
    assert!(median <= HANDOVER_MAX, "half of the hand-overs took longer than {HANDOVER_MAX:?}: {worst:?}");
    // What shares the machine delays one or the other; no more than that.
    assert!(worst.iter().all(|gap| *gap <= HANDOVER_WORST), "a hand-over took longer than {HANDOVER_WORST:?}: {worst:?}");
}

/// How much longer than before the stop the longest ack took.
fn gap(probe: &Probe, taken: &[Taken], stopped_at: std::time::Instant) -> Duration {
    let longest = |after: bool| {
        let times = taken.iter().filter(|taken| (taken.sent + taken.took > stopped_at) == after).map(|taken| taken.took);
        times.max().unwrap_or_default()
    };
    let (before, after) = (longest(false), longest(true));
    println!("handover: shard {}: longest ack before the stop {before:?}, after {after:?}", probe.shard);
    assert!(after > Duration::ZERO, "nothing was acked after the stop");
    after.saturating_sub(before)
}

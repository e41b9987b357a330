//! A rolling restart, as an operator makes it for an upgrade: one node after another, each when the cluster is whole again.

use crate::load::{Load, Size, shows_enough};
use crate::support::cluster::{Cluster, Plan};
use engage::history::record::Fault;

/// No publish may fail for longer.
const PUBLISH_MAX_MS: u64 = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_under_continuous_acks_shows_nothing_again_and_loses_nothing() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    let load = Load::start("rolling", &cluster, Size::STEADY);
    load.in_full_swing().await;
    for place in 0..3 {
        let name = cluster.name(place);
        load.fault(&name, Fault::Stop);
        let took = cluster.stop(place).await;
        cluster.restart(place).await;
        load.fault(&name, Fault::Start);
        cluster.whole().await;
        println!("rolling: {name} stopped in {} ms", took.as_millis());
    }
    cluster.spread().await;
    let verdict = load.finish(&cluster).await;
    shows_enough(&verdict);
    println!("rolling: the longest gap of a publish was {} ms", verdict.longest_publish_ms);
    assert!(verdict.longest_publish_ms <= PUBLISH_MAX_MS, "a publish failed for {} ms", verdict.longest_publish_ms);
}

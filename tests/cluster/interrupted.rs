//! Changes of the cluster that are cut short at any moment, and made again.

use std::time::Duration;

use crate::load::{Load, Size, shows_enough};
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait::pass;
use engage::history::record::Fault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_is_killed_midway_and_run_again_ends_in_a_whole_cluster() {
    let mut cluster = Cluster::start(Plan::of(2)).await;
    let load = Load::start("join", &cluster, Size::CROWD);
    load.in_full_swing().await;
    let joiner = cluster.add();
    let name = cluster.name(joiner);
    load.fault(&name, Fault::Kill);
    for after_ms in [30, 150, 500, 1_200] {
        cluster.join(joiner);
        cluster.hide_from_clients(joiner);
        pass(Duration::from_millis(after_ms)).await;
        cluster.member_mut(joiner).kill();
    }
    cluster.leaves(joiner);
    cluster.join(joiner);
    cluster.ready(joiner).await;
    load.fault(&name, Fault::Start);
    cluster.whole().await;
    cluster.spread().await;
    shows_enough(&load.finish(&cluster).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_and_a_removal_that_are_interrupted_and_run_again_take_the_node_out() {
    let mut cluster = Cluster::start(Plan::of(4)).await;
    let load = Load::start("interrupted", &cluster, Size::CROWD);
    load.in_full_swing().await;
    let (leaving, name) = (3, cluster.name(3));
    load.fault(&name, Fault::Drain);
    cluster.hide_from_clients(leaving);
    cluster.begin(leaving, &["drain", &name], Duration::from_millis(150)).await;
    // Whoever carried it on dies too: each of the others in turn, so that the one that did is among them.
    for place in [0, 1] {
        let other = cluster.name(place);
        load.fault(&other, Fault::Kill);
        cluster.member_mut(place).kill();
        cluster.led().await;
        cluster.restart(place).await;
        load.fault(&other, Fault::Start);
    }
    cluster.operate(leaving, &["drain", &name]).await.succeeds();
    cluster.holds_nothing(leaving).await;
    // Nobody may be taken out while others are missing.
    for place in [0, 1] {
        cluster.ready(place).await;
    }
    cluster.leaves(leaving);
    cluster.begin(leaving, &["remove", &name], Duration::from_millis(50)).await;
    let again = cluster.operate(leaving, &["remove", &name]).await;
    assert!(again.code == 0 || cluster.view().await.node(&name).is_none(), "it said: {}{}", again.stdout, again.stderr);
    cluster.gone(&name).await;
    cluster.retire(leaving).await;
    cluster.whole().await;
    shows_enough(&load.finish(&cluster).await);
}

//! A node that has lost what it knew comes back as a new one, under its old name, and the old one goes by itself.

use std::time::Duration;

use crate::load::{Load, Size, shows_enough};
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait::pass;
use engage::history::record::Fault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_in_memory_that_is_killed_joins_again_under_a_new_id() {
    let mut cluster = Cluster::start(Plan::of(3).in_memory()).await;
    let load = Load::start("memory", &cluster, Size::CROWD);
    load.in_full_swing().await;
    // The founder too.
    for place in [2, 0] {
        come_back_as_new(&mut cluster, &load, place).await;
    }
    shows_enough(&load.finish(&cluster).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_disk_was_wiped_joins_again_under_a_new_id() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    let load = Load::start("wiped", &cluster, Size::CROWD);
    load.in_full_swing().await;
    come_back_as_new(&mut cluster, &load, 1).await;
    shows_enough(&load.finish(&cluster).await);
}

async fn come_back_as_new(cluster: &mut Cluster, load: &Load, place: usize) {
    let name = cluster.name(place);
    let old = cluster.view().await.id_of(&name);
    let newest = cluster.view().await.nodes().iter().filter_map(|node| node["id"].as_u64()).max().expect("nodes have ids");
    load.fault(&name, Fault::Kill);
    cluster.member_mut(place).kill();
    cluster.member(place).wipe();
    pass(Duration::from_secs(2)).await;
    cluster.join(place);
    cluster.ready(place).await;
    load.fault(&name, Fault::Start);
    let view = cluster.whole().await;
    assert_eq!(view.nodes().iter().filter(|node| node["name"] == name.as_str()).count(), 1, "the old one goes by itself: {}", view.0);
    assert!(view.id_of(&name) > newest, "an id is never used again: {old} came back as {}", view.id_of(&name));
}

//! Nodes die under load, and come back on their disks.

use std::time::Duration;

use crate::load::{Load, Size, shows_enough};
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait::pass;
use engage::history::record::Fault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_is_killed_in_turn_under_load_and_nothing_is_lost_or_shown_again() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    let load = Load::start("kills", &cluster, Size::CROWD);
    load.in_full_swing().await;
    for place in 0..3 {
        let name = cluster.name(place);
        load.fault(&name, Fault::Kill);
        cluster.member_mut(place).kill();
        // Longer than the lease: what its clients held may move.
        pass(Duration::from_secs(4)).await;
        cluster.restart(place).await;
        load.fault(&name, Fault::Start);
        cluster.whole().await;
    }
    shows_enough(&load.finish(&cluster).await);
}

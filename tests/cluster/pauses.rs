//! Nodes stand still under load, long enough for elections and leases, and go on as if nothing had been.

use std::time::Duration;

use crate::load::{Load, Size, shows_enough};
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait::pass;
use engage::history::record::Fault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_is_paused_in_turn_under_load_and_says_nothing_of_its_past_when_it_goes_on() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    let load = Load::start("pauses", &cluster, Size::CROWD);
    load.in_full_swing().await;
    for place in 0..3 {
        let name = cluster.name(place);
        load.fault(&name, Fault::Pause);
        cluster.member_mut(place).pause();
        pass(Duration::from_secs(10)).await;
        cluster.member_mut(place).resume();
        load.fault(&name, Fault::Resume);
        cluster.whole().await;
    }
    shows_enough(&load.finish(&cluster).await);
}

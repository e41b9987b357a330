//! A cluster of one: what several nodes promise, one promises too. It shows that load, harness and checker work where there is nothing to fail over to.

use std::time::Duration;

use crate::checker::record::Fault;
use crate::load::{Load, Size};
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait::pass;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_one_that_is_killed_paused_and_stopped_under_load_keeps_every_promise() {
    let mut cluster = Cluster::start(Plan::of(1)).await;
    let load = Load::start("one", &cluster, Size::CROWD);
    load.in_full_swing().await;

    load.fault("n1", Fault::NoMajority);
    load.fault("n1", Fault::Kill);
    cluster.member_mut(0).kill();
    cluster.restart(0).await;
    load.fault("n1", Fault::Start);
    pass(Duration::from_secs(3)).await;

    load.fault("n1", Fault::Pause);
    cluster.member_mut(0).pause();
    pass(Duration::from_secs(4)).await;
    cluster.member_mut(0).resume();
    load.fault("n1", Fault::Resume);
    pass(Duration::from_secs(3)).await;

    load.fault("n1", Fault::Stop);
    cluster.stop(0).await;
    cluster.restart(0).await;
    load.fault("n1", Fault::Start);
    load.fault("n1", Fault::Majority);
    pass(Duration::from_secs(3)).await;

    cluster.whole().await;
    let verdict = load.finish(&cluster).await;
    assert!(verdict.moves > 0, "nothing ever moved from one device to another");
    verdict.shows_enough();
}

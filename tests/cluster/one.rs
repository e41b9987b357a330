//! A cluster of one: what several nodes promise, one promises too. It is killed and stopped again and again under load, at moments that a seed draws.
//! `ENGAGE_TEST_SEED` repeats a run's choices, `ENGAGE_TEST_KILLS` makes a longer one.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::load::{Load, Size, shows_enough};
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait::pass;
use crate::support::whole_number_from;
use engage::history::record::Fault;

/// Clients and publishers need that long to come back after the last fault.
const CALM: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_kill_brings_back_what_was_confirmed_or_loses_what_was_accepted() {
    let kills = whole_number_from("ENGAGE_TEST_KILLS", 6);
    let mut cluster = Cluster::start(Plan::of(1)).await;
    let load = Load::start("one", &cluster, Size::CROWD);
    load.in_full_swing().await;
    let mut random = StdRng::seed_from_u64(load.seed());
    // Whatever happens to the only node leaves no majority.
    load.fault("all", Fault::NoMajority);
    for round in 0..kills {
        if round == 0 || random.random_bool(0.75) {
            load.fault("n1", Fault::Kill);
            cluster.member_mut(0).kill();
        } else {
            load.fault("n1", Fault::Stop);
            cluster.stop(0).await;
        }
        cluster.restart(0).await;
        load.fault("n1", Fault::Start);
        pass(Duration::from_millis(random.random_range(300..2_000))).await;
    }
    load.fault("all", Fault::Majority);
    pass(CALM).await;
    cluster.whole().await;
    let verdict = load.finish(&cluster).await;
    shows_enough(&verdict);
    assert!(verdict.moves > 0, "nothing ever moved from one device to another");
    assert_eq!(cluster.admin().metric("engage_redelivery_after_ack_total").await, 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_of_the_only_node_is_no_more_than_a_delay() {
    let mut cluster = Cluster::start(Plan::of(1)).await;
    let load = Load::start("pause", &cluster, Size::STEADY);
    load.in_full_swing().await;
    load.fault("n1", Fault::Pause);
    cluster.member_mut(0).pause();
    pass(Duration::from_secs(4)).await;
    cluster.member_mut(0).resume();
    load.fault("n1", Fault::Resume);
    pass(CALM).await;
    shows_enough(&load.finish(&cluster).await);
}

//! A cluster grows and shrinks under load, by one command for each change.

use crate::load::{Load, Size, shows_enough};
use crate::support::cluster::{Cluster, Plan};
use crate::support::network::Place;
use engage::history::record::Fault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_grows_from_one_to_five_and_shrinks_to_three_under_load() {
    let mut cluster = Cluster::start(Plan::of(1)).await;
    let load = Load::start("growth", &cluster, Size::CROWD);
    load.in_full_swing().await;
    for nodes in [2, 3] {
        let place = cluster.add();
        cluster.join(place);
        cluster.whole().await;
        let view = cluster.spread().await;
        println!(
            "growth: {nodes} nodes, leaders {:?}",
            (0..nodes).map(|place| view.led_by(&cluster.name(place)).len()).collect::<Vec<_>>()
        );
    }
    // Two at a time.
    let joiners = [cluster.add(), cluster.add()];
    joiners.into_iter().for_each(|place| cluster.join(place));
    cluster.whole().await;
    cluster.spread().await;
    // The founder is a node like any other.
    for place in [0, 3] {
        take_out(&mut cluster, &load, place).await;
        cluster.whole().await;
    }
    cluster.spread().await;
    shows_enough(&load.finish(&cluster).await);
}

/// Drains a node, takes it out, and ends its process.
pub async fn take_out(cluster: &mut Cluster, load: &Load, place: Place) {
    let name = cluster.name(place);
    load.fault(&name, Fault::Drain);
    cluster.hide_from_clients(place);
    cluster.operate(place, &["drain", &name]).await.succeeds();
    cluster.holds_nothing(place).await;
    cluster.leaves(place);
    cluster.operate(place, &["remove", &name]).await.succeeds();
    cluster.gone(&name).await;
    cluster.retire(place).await;
}

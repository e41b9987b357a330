//! A node is drained: it gives its leaders and its connections away, and nobody else notices.

use crate::load::{Load, Size, shows_enough};
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait;
use engage::history::record::Fault;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_moves_leaders_and_connections_and_closes_no_client_on_other_nodes() {
    // Four, so that three are left to hold what the drained one held.
    let mut cluster = Cluster::start(Plan::of(4)).await;
    let load = Load::start("drain", &cluster, Size::STEADY);
    load.in_full_swing().await;
    let name = cluster.name(1);
    load.fault(&name, Fault::Drain);
    cluster.hide_from_clients(1);
    cluster.operate(1, &["drain", &name]).await.succeeds();
    cluster.holds_nothing(1).await;
    let connections = || async {
        let view = cluster.view_of(0).await?;
        (view.node(&name)?["connections"].as_u64() == Some(0)).then_some(())
    };
    wait::until("the drained node has no connections", connections).await;
    assert_eq!(cluster.view().await.state_of(&name), "draining");
    let ready = cluster.member(1).admin().get("/readyz").await;
    assert_eq!(ready.status, 503, "a draining node wants no clients: {ready:?}");
    // Once more, it changes nothing.
    cluster.operate(1, &["drain", &name]).await.succeeds();

    cluster.leaves(1);
    cluster.operate(1, &["remove", &name]).await.succeeds();
    cluster.gone(&name).await;
    cluster.retire(1).await;
    cluster.whole().await;
    shows_enough(&load.finish(&cluster).await);
}

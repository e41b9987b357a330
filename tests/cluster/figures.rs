//! What all nodes measure is shown by any of them, and a node that died says nothing.

use serde_json::Value;

use crate::probe::Probe;
use crate::support::cluster::{Cluster, Plan};
use crate::support::wait;

fn of<'a>(figures: &'a Value, name: &str) -> &'a Value {
    let nodes = figures["nodes"].as_array().expect("nodes");
    nodes.iter().find(|node| node["name"] == name).unwrap_or_else(|| panic!("{name} is not there: {figures}"))
}

fn sum(figures: &Value, count: impl Fn(&Value) -> u64) -> u64 {
    figures["nodes"].as_array().expect("nodes").iter().map(|node| count(&node["figures"])).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_node_shows_what_all_measure_and_a_dead_one_has_no_figures() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    cluster.spread().await;
    let mut probes = Probe::for_each_shard(&cluster).await;
    let shards = probes.len() as u64;
    for probe in &mut probes {
        probe.connect(&cluster, probe.shard % 3).await;
        probe.ack().await;
    }
    for index in 0..3 {
        let figures = cluster.member(index).admin().get("/v1/cluster/figures").await.ok(200);
        assert_eq!(figures["node"], cluster.name(index));
        assert!(sum(&figures, |node| node["counts"]["offers"].as_u64().expect("offers")) >= shards, "{figures}");
        assert!(sum(&figures, |node| node["counts"]["acks"]["confirm"].as_u64().unwrap_or(0)) >= shards, "{figures}");
        assert_eq!(sum(&figures, |node| node["shards"].as_array().map_or(0, Vec::len) as u64), shards, "each shard has one owner");
        for name in ["n1", "n2", "n3"] {
            let node = &of(&figures, name)["figures"];
            assert!(node["memory_bytes"].as_u64() > Some(1_000_000), "{node}");
            let up = node["links"].as_array().expect("links").iter().filter(|link| link["up"] == true).count();
            assert_eq!(up, 2, "links of {name}: {node}");
            assert!(of(&figures, name)["clock_ahead_ms"].as_i64().is_some_and(|ahead| ahead.abs() < 1_000), "one machine has one clock");
        }
        let cursor = figures["outcomes_cursor"].as_str().expect("every shard has an owner that answers");
        let rest = cluster.member(index).admin().get(&format!("/v1/outcomes?after={cursor}")).await;
        assert!(rest.lines().is_empty(), "nothing happened since: {rest:?}");
    }
    cluster.member_mut(2).kill();
    let silent = || async {
        let figures = cluster.member(0).admin().get("/v1/cluster/figures").await.ok(200);
        of(&figures, "n3")["figures"].is_null().then(|| of(&figures, "n2")["figures"].is_object())
    };
    assert!(wait::until("the dead node has no figures", silent).await, "the others still have theirs");
}

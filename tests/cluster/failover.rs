//! How long a user is without an owner when its owner is killed: from the kill to the first confirm by the new one, on a connection to a surviving node.

use std::time::Duration;

use engage::clock;

use crate::probe::{Probe, quantile_ms};
use crate::support::cluster::{Cluster, Plan};

const KILLS: usize = 10;
const P95_MAX_MS: f64 = 1_500.0;
const MAX_MS: f64 = 3_000.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_ack_after_the_owner_was_killed_is_confirmed_in_time() {
    let mut cluster = Cluster::start(Plan::of(3)).await;
    let mut probes = Probe::for_each_shard(&cluster).await;
    let (mut waits, mut healthy) = (Vec::new(), Vec::new());
    for round in 0..KILLS {
        let place = leading_most(&cluster, round).await;
        let led = cluster.view().await.led_by(&cluster.name(place));
        for probe in &mut probes {
            if probe.place == place || round == 0 {
                probe.connect(&cluster, (place + 1 + round % 2) % 3).await;
            }
            probe.ack().await;
        }
        let killed_at = clock::monotonic();
        cluster.member_mut(place).kill();
        let acks = probes.drain(..).map(|mut probe| {
            tokio::spawn(async move {
                probe.ack().await;
                (clock::monotonic() - killed_at, probe)
            })
        });
        for ack in acks.collect::<Vec<_>>() {
            let (took, probe) = ack.await.expect("no probe fails");
            if led.contains(&probe.shard) {
                waits.push(took)
            } else {
                healthy.push(took)
            }
            probes.push(probe);
        }
        cluster.restart(place).await;
        cluster.whole().await;
    }
    tell("shards of the killed node", &mut waits);
    tell("healthy shards", &mut healthy);
    assert!(waits.len() >= KILLS, "only {} shards failed over", waits.len());
    let (p95, max) = (quantile_ms(&mut waits, 0.95), quantile_ms(&mut waits, 1.0));
    assert!(max <= MAX_MS, "the first confirmed ack took {max:.0} ms");
    if p95 > P95_MAX_MS {
        println!("failover: p95 {p95:.0} ms is above the {P95_MAX_MS:.0} ms of an idle machine");
    }
}

/// The node that leads most, so that each kill hits something; another one than before where there is a choice.
async fn leading_most(cluster: &Cluster, round: usize) -> usize {
    let view = cluster.view().await;
    let led = |place: &usize| view.led_by(&cluster.name(*place)).len();
    let most = (0..3).map(|place| led(&place)).max().expect("three nodes");
    let candidates: Vec<usize> = (0..3).filter(|place| led(place) == most).collect();
    candidates[round % candidates.len()]
}

fn tell(of: &str, times: &mut [Duration]) {
    if times.is_empty() {
        return;
    }
    let (median, p95, max) = (quantile_ms(times, 0.5), quantile_ms(times, 0.95), quantile_ms(times, 1.0));
    println!("failover: {of}: first confirmed ack after {median:.0} ms median, {p95:.0} ms p95, {max:.0} ms max, of {}", times.len());
}

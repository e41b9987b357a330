//! Delay, and connections that break, by a proxy before each node: what no firewall makes, and this kernel need not have `netem` for.

use std::time::Duration;

use engage::clock;
use engage::history::record::Fault;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::load::Load;
use crate::report::Report;
use crate::scenario::{CROWD, Needs, Stage};
use crate::support::cluster::{Cluster, Plan};
use crate::support::network::{Place, Way};
use crate::support::wait::pass;

/// So much later does all come that goes over a slow line, each way, in ms.
const DELAY_MS: std::ops::Range<u64> = 5..150;

/// Every round, each way is slow by a time of its own; meanwhile connections between nodes break, again and again.
pub async fn slow_and_broken(name: &'static str, span: Duration) {
    let stage = Stage::build(Needs::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut cluster = Cluster::start(Plan::of(3).with_network()).await;
    let load = Load::start(name, &cluster, CROWD);
    load.in_full_swing().await;
    let mut random = StdRng::seed_from_u64(load.seed());
    let until = clock::monotonic() + span;
    let (mut slow, mut broken) = (0, 0);
    while slow == 0 || clock::monotonic() < until {
        for place in 0..3 {
            load.fault(&cluster.name(place), Fault::Delay);
            load.fault(&cluster.name(place), Fault::Loss);
        }
        for (from, to) in pairs() {
            cluster.network().set(from, to, Way::Slow(Duration::from_millis(random.random_range(DELAY_MS))));
            slow += 1;
        }
        for _ in 0..random.random_range(2..8) {
            pass(Duration::from_millis(random.random_range(100..1_000))).await;
            let (one, other) = pairs()[random.random_range(0..pairs().len())];
            cluster.network().break_links(one, other);
            broken += 1;
        }
        cluster.network().heal();
        cluster.whole().await;
        for place in 0..3 {
            load.fault(&cluster.name(place), Fault::Heal);
        }
        pass(Duration::from_millis(random.random_range(200..1_500))).await;
    }
    let report = Report::of(name, &std::collections::BTreeMap::new()).and("delay", slow).and("broken connection", broken);
    report.finish(load, (&cluster, &stage)).await;
}

fn pairs() -> Vec<(Place, Place)> {
    (0..3).flat_map(|from| (0..3).map(move |to| (from, to))).filter(|(from, to)| from != to).collect()
}

//! What happens in a run: a seed gives the sizes of the cluster, the people, the publishers and a schedule of faults. Data only: nothing here acts, and no draw of a run
//! changes a plan, so that a seed means the same run for as long as these files stay as they are.
//!
//! Each part of a plan draws from a stream of its own: a change in how people are drawn leaves the faults of all seeds as they were.

pub mod cluster;
pub mod fault;
pub mod schedule;
pub mod rules;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use cluster::ClusterPlan;
use fault::{Kind, Timed};

use crate::population::Population;

/// Where buffers are tight, publishers do something at least so often, on average.
const TIGHT_EVERY_MS: u64 = 300;

/// A run, before it runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub seed: u64,
    pub cluster: ClusterPlan,
    pub population: Population,
    /// How long faults are made, in virtual time. When it is over all of them end, and everything that was accepted must settle.
    pub safety_ms: u64,
    /// In the order of time. `node` in a fault is a place: see [`fault::Place`].
    pub faults: Vec<Timed>,
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Plan {
        let cluster = cluster::draw(&mut stream(seed, "cluster"));
        let safety_ms = cluster::draw_safety_ms(&mut stream(seed, "safety"));
        let faults = schedule::draw(&mut stream(seed, "faults"), &cluster, safety_ms);
        let population = populate(seed, &cluster);
        let plan = Plan { seed, cluster, population, safety_ms, faults };
        if let Err(broken) = rules::hold(&plan) {
            panic!("invariant: a plan keeps the rules: seed {seed}: {broken}");
        }
        plan
    }

    /// The plan with some kinds of faults only. All else stays as it is, which is what makes it of use in finding out which fault it takes.
    #[must_use]
    pub fn keeping(mut self, keeps: impl Fn(Kind) -> bool) -> Plan {
        self.faults.retain(|timed| keeps(timed.fault.kind()));
        // A place that is not opened any more can have no faults.
        let opened = self.faults.iter().filter(|timed| timed.fault.kind() == Kind::Join).count();
        let places = self.cluster.nodes.len() + opened;
        self.faults.retain(|timed| timed.fault.places().iter().all(|place| *place < places));
        self
    }
}

/// Who takes part. A tight buffer is filled in time only by those who publish much.
fn populate(seed: u64, cluster: &ClusterPlan) -> Population {
    let mut population = Population::draw(&mut stream(seed, "people"));
    if cluster.has_tight_buffer() {
        population.publish_every_ms = population.publish_every_ms.min(TIGHT_EVERY_MS);
    }
    population
}

/// The generator of a part of the plan, or of one actor in the run.
#[must_use]
pub fn stream(seed: u64, part: &str) -> StdRng {
    StdRng::seed_from_u64(xxh3_64_with_seed(part.as_bytes(), seed))
}

//! Probes: one user for each shard with one device on a node of choice, that acks step after step and takes the time. What comes unasked fails the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engage::clock;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::cluster::Cluster;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;
use crate::support::network::Place;
use crate::support::wait::pass;

/// Steps of an engagement, the most there can be.
const STEPS: u32 = 100;

/// So many names are tried at most for a user on each shard.
const NAMES_MAX: usize = 500;

/// Between two acks of a probe that goes on by itself.
const PAUSE: Duration = Duration::from_millis(5);

/// A user of a shard, with one device.
pub struct Probe {
    pub user: String,
    pub shard: usize,
    /// Where its device is connected.
    pub place: Place,
    api: Api,
    device: Option<Device>,
    offer: Value,
    step: u32,
}

/// An ack and its confirm.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub sent: Instant,
    pub took: Duration,
}

impl Probe {
    /// One for each shard, not yet connected.
    pub async fn for_each_shard(cluster: &Cluster) -> Vec<Probe> {
        let (api, shards) = (cluster.admin(), cluster.view().await.shards().len());
        let mut probes: Vec<Option<Probe>> = (0..shards).map(|_| None).collect();
        for _ in 0..NAMES_MAX {
            if probes.iter().all(Option::is_some) {
                break;
            }
            let user = fresh("probe");
            let offer = publish(&api, &user).await;
            let shard = api.get(&format!("/v1/users/{user}")).await.ok(200)["shard"].as_u64().expect("a shard");
            let shard = usize::try_from(shard).expect("there are few");
            probes[shard].get_or_insert(Probe { user, shard, place: 0, api: api.clone(), device: None, offer, step: 0 });
        }
        probes.into_iter().map(|probe| probe.expect("a user on each shard")).collect()
    }

    /// Connects its device to a node, and takes what waits for it. A connection that it had is closed.
    pub async fn connect(&mut self, cluster: &Cluster, place: Place) {
        if let Some(device) = self.device.take() {
            device.close().await;
        }
        let member = cluster.member(place);
        self.place = place;
        self.api = member.admin();
        let mut device = Hello::new(&self.user, "probe").say_to(&member.address()).await;
        let offers = device.offers_until_caught_up().await;
        assert_eq!(offers.len(), 1, "one engagement waits for a probe: {offers:?}");
        self.step = u32::try_from(offers[0]["step"].as_u64().expect("a step")).expect("steps are few") - 1;
        self.offer = offers[0].clone();
        self.device = Some(device);
    }

    /// Acks the next step, and waits for its confirm, and for nothing else.
    pub async fn ack(&mut self) -> Taken {
        let device = self.device.as_mut().expect("it was connected");
        self.step += 1;
        let sent = clock::monotonic();
        let confirm = device.ack(&self.offer, self.step).await;
        let taken = Taken { sent, took: clock::monotonic() - sent };
        assert_eq!(confirm["step"], self.step, "{confirm}");
        if self.step == STEPS {
            publish(&self.api, &self.user).await;
            self.offer = device.expect("offer").await;
            self.step = 0;
        }
        taken
    }

    /// Acks step after step until told to stop.
    pub async fn go_on(mut self, enough: Arc<AtomicBool>) -> (Probe, Vec<Taken>) {
        let mut all = Vec::new();
        while !enough.load(Ordering::Relaxed) {
            all.push(self.ack().await);
            pass(PAUSE).await;
        }
        (self, all)
    }
}

/// Publishes an engagement of many steps; its key, as an offer names it.
async fn publish(api: &Api, user: &str) -> Value {
    api.queue(user, &json!({"id": fresh("steps"), "payload": 1, "steps": STEPS})).await
}

/// The quantile of some times, in ms.
pub fn quantile_ms(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    let place = ((times.len() as f64 * part) as usize).min(times.len() - 1);
    times[place].as_secs_f64() * 1_000.0
}

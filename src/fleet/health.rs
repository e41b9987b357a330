//! Waits, with a bound, for nodes and for their cluster.

use std::time::{Duration, Instant};

use super::FleetError;
use super::fleet::Progress;
use super::process::Process;
use crate::client::{Api, Cluster, Shard};
use crate::clock;
use crate::config::secrets::{self, Secrets};

/// How many nodes hold each shard, at most.
const REPLICATION: usize = 3;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A node that doesn't answer for so long is not there.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_millis(700);

/// How long leadership may take to be spread; nodes without that serve as well.
const SPREAD_PATIENCE: Duration = Duration::from_secs(3);

/// How long is waited.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    until: Instant,
    for_so_long: Duration,
}

impl Patience {
    pub(crate) fn new(for_so_long: Duration) -> Patience {
        Patience { until: clock::monotonic() + for_so_long, for_so_long }
    }

    /// Lets a moment pass; an error when the time is over.
    async fn moment(&self, what: &'static str) -> Result<(), FleetError> {
        if clock::monotonic() >= self.until {
            return Err(FleetError::TooSlow { what, seconds: self.for_so_long.as_secs() });
        }
        tokio::time::sleep(LOOK_EVERY).await;
        Ok(())
    }
}

/// Waits until a node serves, and gives its API. One that ended by itself is an error at once.
pub(crate) async fn ready(process: &Process, patience: Patience) -> Result<(Api, Secrets), FleetError> {
    loop {
        if let Some(why) = process.has_ended() {
            return Err(why);
        }
        let settings = process.settings();
        if let Some(secrets) = secrets::read(&settings.data_dir())? {
            let key = secrets.auth.api_keys.first().map(|key| key.key.expose());
            let api = Api::new(&settings.url(), key)?;
            if is_ready(&api).await && is_ours(&api).await {
                return Ok((api, secrets));
            }
        }
        patience.moment("the start of a node").await?;
    }
}

/// Whether what answers there knows our key. Where two programs start nodes at the same moment and choose the same ports, the other's node may have been faster; ours ends then.
async fn is_ours(api: &Api) -> bool {
    tokio::time::timeout(ANSWER_TIMEOUT, api.cluster()).await.is_ok_and(|cluster| cluster.is_ok())
}

/// Whether a node serves now.
pub(crate) async fn is_ready(api: &Api) -> bool {
    tokio::time::timeout(ANSWER_TIMEOUT, api.is_ready()).await.unwrap_or(false)
}

/// Waits until every shard is led, and held by all nodes; and for a while until leadership is spread, so that the owner doesn't change by itself while a person looks for the first
/// time.
pub(crate) async fn whole(api: &Api, (count, patience): (usize, Patience), say: &dyn Fn(Progress)) -> Result<(), FleetError> {
    let mut whole_at = None;
    loop {
        if let Ok(Ok(cluster)) = tokio::time::timeout(ANSWER_TIMEOUT, api.cluster()).await {
            let done = cluster.shards.iter().filter(|shard| is_whole(shard, count)).count();
            let all = cluster.shards.len();
            say(Progress::Spreading { done, all });
            if done == all && all > 0 {
                let since = clock::monotonic() - *whole_at.get_or_insert_with(clock::monotonic);
                if is_even(&cluster, count) || since > SPREAD_PATIENCE {
                    return Ok(());
                }
            }
        }
        patience.moment("the start of the cluster").await?;
    }
}

fn is_even(cluster: &Cluster, count: usize) -> bool {
    let least = cluster.nodes.iter().map(|node| node.leaders).min().unwrap_or(0);
    cluster.nodes.len() == count && cluster.nodes.iter().all(|node| node.leaders <= least + 1)
}

fn is_whole(shard: &Shard, count: usize) -> bool {
    shard.leader.is_some() && shard.voters.len() == count.min(REPLICATION) && shard.learners.is_empty()
}

//! Waits, with a bound, for nodes and for their cluster.

use std::time::{Duration, Instant};

use super::FleetError;
use super::fleet::Progress;
use super::process::Process;
use crate::client::{Api, Shard};
use crate::clock;

/// How many nodes hold each shard, at most.
const REPLICATION: usize = 3;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A node that doesn't answer for so long is not there.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_millis(700);

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

/// Waits until a node serves. One that ended by itself is an error at once.
pub(crate) async fn ready(process: &Process, patience: Patience) -> Result<(), FleetError> {
    let api = Api::new(&process.settings().url(), None)?;
    while !is_ready(&api).await {
        if let Some(why) = process.has_ended() {
            return Err(why);
        }
        patience.moment("the start of a node").await?;
    }
    Ok(())
}

/// Whether a node serves now.
pub(crate) async fn is_ready(api: &Api) -> bool {
    tokio::time::timeout(ANSWER_TIMEOUT, api.is_ready()).await.unwrap_or(false)
}

/// Waits until every shard is led, and held by all nodes.
pub(crate) async fn whole(api: &Api, (count, patience): (usize, Patience), say: &dyn Fn(Progress)) -> Result<(), FleetError> {
    loop {
        if let Ok(Ok(cluster)) = tokio::time::timeout(ANSWER_TIMEOUT, api.cluster()).await {
            let done = cluster.shards.iter().filter(|shard| is_whole(shard, count)).count();
            let all = cluster.shards.len();
            say(Progress::Spreading { done, all });
            if done == all && all > 0 {
                return Ok(());
            }
        }
        patience.moment("the start of the cluster").await?;
    }
}

fn is_whole(shard: &Shard, count: usize) -> bool {
    shard.leader.is_some() && shard.voters.len() == count.min(REPLICATION) && shard.learners.is_empty()
}

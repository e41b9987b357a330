//! Looks after the node while it runs: notices a group that has failed for good, and folds the metrics.

use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::threads::Threads;
use crate::shard::Shards;
use crate::telemetry;

const LOOK_EVERY: Duration = Duration::from_millis(500);
const UPKEEP_EVERY_LOOKS: u32 = 10;

/// Starts to look. The receiver turns true when a group has failed; nothing is seen before the first look. The log says which.
pub(super) fn over(threads: &Threads, shards: &Arc<Shards>) -> watch::Receiver<bool> {
    let (failed, receiver) = watch::channel(false);
    threads.spawn(look(Arc::downgrade(shards), failed));
    receiver
}

async fn look(shards: Weak<Shards>, failed: watch::Sender<bool>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for look in 0_u32.. {
        ticks.tick().await;
        if look % UPKEEP_EVERY_LOOKS == 0 {
            telemetry::upkeep();
        }
        let Some(shards) = shards.upgrade() else { return };
        if !shards.is_sound() {
            failed.send_if_modified(|failed| !std::mem::replace(failed, true));
        }
    }
}

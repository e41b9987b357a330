//! The full set, one scenario after another, each as long as `ENGAGE_CHAOS_SECONDS` says. Runs where that is set, as `tests/chaos/run` does; elsewhere each says that it did not.

use std::time::Duration;

use crate::blow::Blow;
use crate::changes;
use crate::lines;
use crate::said::aloud;
use crate::scenario::storm;

/// How long each scenario is to last, in seconds.
const SECONDS: &str = "ENGAGE_CHAOS_SECONDS";

/// How long, if the full set was asked for.
fn asked_for(name: &str) -> Option<Duration> {
    if std::env::var_os(SECONDS).is_none() {
        aloud(&format!("SKIPPED {name}: {SECONDS} is not set (bash tests/chaos/run does)"));
        return None;
    }
    Some(Duration::from_secs(crate::support::whole_number_from(SECONDS, 60)))
}

async fn storm_if_asked_for(name: &'static str, menu: &[Blow]) {
    if let Some(span) = asked_for(name) {
        storm(name, menu, span).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_and_pauses() {
    storm_if_asked_for("kills-and-pauses", &[Blow::Kill, Blow::Pause, Blow::Stutter]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cuts() {
    let menu = [Blow::Cut, Blow::CutIn, Blow::CutOut, Blow::PartialCut, Blow::CutClients];
    storm_if_asked_for("cuts", &menu).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loss_and_delay() {
    storm_if_asked_for("loss-and-delay", &[Blow::Loss, Blow::Narrow]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_killed_at_once() {
    storm_if_asked_for("all-killed-at-once", &[Blow::KillAll]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_disks() {
    storm_if_asked_for("lost-disks", &[Blow::Wipe, Blow::Kill]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_clocks() {
    storm_if_asked_for("wrong-clocks", &[Blow::ClockJump, Blow::Kill, Blow::Cut]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_disks() {
    storm_if_asked_for("bad-disks", &[Blow::SlowDisk, Blow::BrokenDisk]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_broken_lines() {
    if let Some(span) = asked_for("slow-and-broken-lines") {
        lines::slow_and_broken("slow-and-broken-lines", span).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_the_cluster_amid_faults() {
    if let Some(span) = asked_for("changes-amid-faults") {
        changes::amid_faults("changes-amid-faults", span).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything() {
    use Blow::{ClockJump, Cut, CutClients, CutIn, CutOut, Kill, KillAll, Loss, Narrow, PartialCut, Pause, SlowDisk, Stutter, Wipe};
    let menu = [Kill, KillAll, Pause, Stutter, Cut, CutIn, CutOut, PartialCut, CutClients, Loss, Narrow, Wipe, ClockJump, SlowDisk];
    storm_if_asked_for("everything", &menu).await;
}

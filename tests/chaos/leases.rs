//! Leases are spans of real time, whatever the clock that ledger time is stamped from does.

use std::time::Duration;

use engage::clock;
use serde_json::json;

use crate::clocks::Clock;
use crate::said::skipped;
use crate::scenario::{CLOCKS_OFF_S, Needs, Stage};
use crate::support::cluster::{Cluster, Plan};
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;
use crate::support::wait::pass;

/// What `Plan` sets.
const LEASE: Duration = Duration::from_secs(3);
/// Ledger time is in whole ms, and the loss of a connection is seen a moment after it.
const ROUNDING: Duration = Duration::from_millis(50);
const BETWEEN_READS: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_ended_at_once_when_the_owners_clock_jumped_ahead() {
    let stage = match Stage::build(Needs { clocks: true, ..Needs::default() }) {
        Ok(stage) => stage,
        Err(why) => return skipped("a_lease_ended_at_once_when_the_owners_clock_jumped_ahead", &why),
    };
    let cluster = Cluster::start(Plan::of(1).seated(stage.seats())).await;
    let (api, address, user) = (cluster.admin(), cluster.member(0).address(), fresh("user"));
    let mut laptop = Hello::new(&user, "laptop").say_to(&address).await;
    laptop.expect("caught_up").await;
    let mut phone = Hello::new(&user, "phone").say_to(&address).await;
    phone.expect("caught_up").await;
    api.queue(&user, &json!({"id": "held", "payload": 1})).await;
    phone.expect("offer").await;

    let lost = clock::monotonic();
    lose(phone);
    stage.clocks().set(0, Clock::Off(CLOCKS_OFF_S));
    // Whoever reads makes time pass.
    let path = format!("/v1/users/{user}");
    let read = async {
        loop {
            api.get(&path).await.ok(200);
            pass(BETWEEN_READS).await;
        }
    };
    let offer = tokio::select! {
        offer = laptop.expect("offer") => offer,
        () = read => unreachable!("reading goes on"),
    };
    let waited = clock::monotonic() - lost;

    let hour_ms = CLOCKS_OFF_S.unsigned_abs() * 1_000;
    let at = offer["at"].as_u64().expect("a time");
    assert!(at + 60_000 > clock::wall_ms() + hour_ms, "the node's clock did not jump: the test shows nothing");
    assert!(waited + ROUNDING >= LEASE, "the phone was to keep it for {LEASE:?}, and the laptop had it after {waited:?}");
}

/// Ends a connection without a Close frame.
fn lose(device: Device) {
    drop(device);
}

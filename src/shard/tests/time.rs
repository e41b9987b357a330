//! Time passes for a shard also when nobody asks it anything.

use std::sync::Arc;

use super::support::*;
use crate::ledger::effect::Action;
use crate::ledger::ids::EdgeId;
use crate::ledger::outcome::What;
use crate::ledger::reply::State;
use crate::ledger::time::Millis;
use crate::ports::Read;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_done_and_its_effects_are_carried_out() {
    let effects = Arc::new(Kept::default());
    let shards = start_with(config(None), effects.clone()).await.unwrap();
    let mut changed = shards.outcomes_changed();
    propose(&shards, attach("ann", EdgeId(7))).await.unwrap();
    propose(&shards, publish_for("ann", "nps", Millis(30))).await.unwrap();
    changed.wait_for(|count| *count > 0).await.unwrap();
    eventually("the device is told to take it off the screen", async || {
        effects.0.lock().unwrap().iter().any(|effect| matches!(effect.action, Action::Withdraw { .. }))
    })
    .await;
    let shard = shards.shard_of(&user("ann"));
    let outcomes = shards.outcomes(shard, 0, 100).await.unwrap().unwrap();
    assert_eq!(outcomes.last().unwrap().1.what, What::Expired);
    shards.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_never_sees_what_is_overdue() {
    let shards = start(config(None)).await.unwrap();
    for round in 0..20 {
        let id = format!("e{round}");
        let published = propose(&shards, publish_for("ann", &id, Millis(3))).await.unwrap();
        eventually("it is due", async || crate::clock::wall_ms() >= published.at.0 + 3).await;
        let deliveries = shards.deliveries(&user("ann"), 0, 100).await.unwrap();
        assert!(deliveries.iter().all(|delivery| delivery.state == State::Expired), "round {round}");
    }
    shards.stop().await;
}

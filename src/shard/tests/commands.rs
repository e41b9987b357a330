//! What becomes of commands: each is answered once, in order, with its own reply; what does not fit is refused at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::support::*;
use crate::ledger::Command;
use crate::ledger::reply::{PublishReply, Reply};
use crate::ports::{Propose, ProposeError, Read};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_answered_with_its_own_reply() {
    let shards = start(config(None)).await.unwrap();
    let first = propose(&shards, publish("ann", "nps")).await.unwrap();
    assert!(matches!(first.reply, Reply::Publish(PublishReply::Queued { .. })));
    let second = propose(&shards, publish("ann", "nps")).await.unwrap();
    assert!(matches!(second.reply, Reply::Publish(PublishReply::Duplicate { .. })));
    assert!(second.at >= first.at);
    assert_eq!(shards.deliveries(&user("ann"), 0, 10).await.unwrap().len(), 1);
    shards.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_come_in_the_order_of_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    for data_dir in [None, Some(folder.path())] {
        let shards = start(config(data_dir)).await.unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for number in 0..5_000usize {
            let seen = seen.clone();
            let done =
                move |result: Result<_, _>| seen.lock().unwrap().push((number, Result::<crate::ledger::Applied, _>::unwrap(result).at));
            shards.propose(publish("ann", &format!("e{}", number % 100)), Box::new(done));
        }
        eventually("all are answered", async || seen.lock().unwrap().len() == 5_000).await;
        let seen = seen.lock().unwrap().clone();
        assert!(seen.iter().map(|(number, _)| *number).eq(0..5_000));
        assert!(seen.is_sorted_by_key(|(_, at)| *at), "ledger time ran back");
        shards.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once_and_every_command_is_answered_once() {
    let mut config = config(None);
    config.shard_count = 1;
    config.tuning.queue_commands_max = 8;
    let shards = start(config).await.unwrap();
    let (applied, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..20_000 {
        let (applied, refused) = (applied.clone(), refused.clone());
        let done = move |result| match result {
            Ok(_) => applied.fetch_add(1, Ordering::SeqCst),
            Err(ProposeError::Unavailable) => refused.fetch_add(1, Ordering::SeqCst),
            Err(ProposeError::Unknown) => panic!("nothing is unknown here"),
        };
        shards.propose(
            publish("ann", "nps"),
            Box::new(move |result| {
                done(result);
            }),
        );
    }
    eventually("all are answered", async || applied.load(Ordering::SeqCst) + refused.load(Ordering::SeqCst) == 20_000).await;
    assert!(applied.load(Ordering::SeqCst) > 0);
    assert!(refused.load(Ordering::SeqCst) > 0, "the queue was never full: the test checked nothing");
    shards.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_shard_refuses_and_has_answered_all_that_it_took() {
    let shards = start(config(None)).await.unwrap();
    let answered = Arc::new(AtomicUsize::new(0));
    for number in 0..1_000 {
        let answered = answered.clone();
        shards.propose(
            publish(&format!("u{number}"), "nps"),
            Box::new(move |_| {
                answered.fetch_add(1, Ordering::SeqCst);
            }),
        );
    }
    shards.clone().stop().await;
    assert_eq!(answered.load(Ordering::SeqCst), 1_000);
    assert_eq!(propose(&shards, publish("ann", "nps")).await, Err(ProposeError::Unavailable));
    assert!(shards.user(&user("ann")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shards_own_commands_are_not_taken_from_outside() {
    let shards = start(config(None)).await.unwrap();
    assert_eq!(propose(&shards, Command::Advance).await, Err(ProposeError::Unavailable));
    shards.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_tells_how_the_shards_are() {
    let shards = start(config(None)).await.unwrap();
    for number in 0..20 {
        propose(&shards, publish(&format!("u{number}"), "nps")).await.unwrap();
    }
    assert!(shards.is_sound());
    let status = shards.status();
    assert_eq!(status.len(), 2);
    assert!(status.iter().all(|shard| shard.is_owner && !shard.is_fatal && shard.leader == Some(shards.node_id().0)));
    assert_eq!(status.iter().map(|shard| shard.counts.users).sum::<u64>(), 20);
    assert_eq!(status.iter().map(|shard| shard.outcome_totals[0]).sum::<u64>(), 20);
    shards.stop().await;
}

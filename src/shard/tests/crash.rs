//! What a crash may leave on the disk: the newest writes torn or missing. All that was confirmed is there again; where it can't be, the node refuses to start.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::support::*;
use crate::ledger::Command;
use crate::ports::{Propose, Read};
use crate::shard::Shards;

/// Files before folders: the note on the log (`log.witness`) must not be newer than the log, which is copied while the node writes on. A crash leaves both as they are
/// at one moment.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let mut entries: Vec<_> = std::fs::read_dir(from).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(|entry| entry.file_type().unwrap().is_dir());
    for file in entries {
        let target = to.join(file.file_name());
        match file.file_type().unwrap().is_dir() {
            true => copy(&file.path(), &target),
            false => drop(std::fs::copy(file.path(), target).unwrap()),
        }
    }
}

fn command(number: usize) -> Command {
    publish(&format!("u{}", number % 50), &format!("e{number}"))
}

async fn publishes_of(shards: &Shards) -> usize {
    let mut count = 0;
    for status in shards.status() {
        count += shards.outcomes(status.shard, 0, 1_000_000).await.unwrap().unwrap().len();
    }
    count
}

/// Publishes without end, one at a time, and counts what was confirmed.
fn publish_on(shards: Arc<Shards>, number: usize, confirmed: Arc<AtomicUsize>) {
    let next = shards.clone();
    let done = move |result: Result<_, _>| {
        if result.is_ok() {
            confirmed.fetch_add(1, Ordering::SeqCst);
            publish_on(next, number + 1, confirmed);
        }
    };
    shards.propose(command(number), Box::new(done));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_on_the_disk_at_any_moment() {
    let (folder, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shards = start(config(Some(folder.path()))).await.unwrap();
    let confirmed = Arc::new(AtomicUsize::new(0));
    publish_on(shards.clone(), 0, confirmed.clone());
    let mut moments = Vec::new();
    for moment in 0..4 {
        let at_least = 100 * (moment + 1);
        eventually("some more are confirmed", async || confirmed.load(Ordering::SeqCst) >= at_least).await;
        let to = copies.path().join(moment.to_string());
        let known = confirmed.load(Ordering::SeqCst);
        let from = folder.path().to_owned();
        let copied = to.clone();
        tokio::task::spawn_blocking(move || copy(&from, &copied)).await.unwrap();
        moments.push((to, known));
    }
    shards.stop().await;
    for (copy, known) in moments {
        let shards = start(config(Some(&copy))).await.unwrap();
        let found = publishes_of(&shards).await;
        assert!(found >= known, "{known} were confirmed, {found} are there");
        shards.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_with_a_flipped_bit_is_refused_or_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let shards = start(config(Some(folder.path()))).await.unwrap();
    for number in 0..300 {
        propose(&shards, command(number)).await.unwrap();
    }
    shards.stop().await;
    let journal = journal(&folder.path().join("log"));
    let length = std::fs::read(&journal).unwrap().iter().rposition(|byte| *byte != 0).unwrap();
    let mut refused = 0;
    for step in 0..24 {
        let copies = tempfile::tempdir().unwrap();
        copy(folder.path(), copies.path());
        // Spread over the file, and over the parts of its records.
        flip(&copies.path().join(journal.strip_prefix(folder.path()).unwrap()), 16 + step * (length - 4096) / 24 + step);
        match start(config(Some(copies.path()))).await {
            Ok(shards) => {
                assert_eq!(publishes_of(&shards).await, 300, "step {step}");
                shards.stop().await;
            }
            Err(error) => {
                assert!(error.to_string().contains("hint: "), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "no flip was found out: the test checked nothing");
}

/// The last entry is confirmed and no committed mark was written behind it: only the note on the log's end knows of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_loss_of_the_last_entry_is_noticed_after_a_stop_and_after_a_kill() {
    let (folder, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shards = start(config(Some(folder.path()))).await.unwrap();
    propose(&shards, command(0)).await.unwrap();
    propose(&shards, command(1)).await.unwrap();
    let content = |folder: &Path| std::fs::read(journal(&folder.join("log"))).unwrap();
    eventually("nothing is written any more", async || {
        let before = content(folder.path());
        tokio::time::sleep(Duration::from_millis(50)).await;
        before == content(folder.path())
    })
    .await;
    copy(folder.path(), killed.path());
    shards.stop().await;
    for folder in [folder.path(), killed.path()] {
        let journal = journal(&folder.join("log"));
        let last = content(folder).iter().rposition(|byte| *byte != 0).unwrap();
        std::fs::File::options().write(true).open(journal).unwrap().set_len(last as u64 - 20).unwrap();
        let error = start(config(Some(folder))).await.err().expect("it refuses").to_string();
        assert!(error.contains("it was synced, and is gone"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_that_was_cut_short_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let shards = start(config(Some(folder.path()))).await.unwrap();
    for number in 0..100 {
        propose(&shards, command(number)).await.unwrap();
    }
    shards.stop().await;
    let journal = journal(&folder.path().join("log"));
    std::fs::File::options().write(true).open(journal).unwrap().set_len(10_000).unwrap();
    let error = start(config(Some(folder.path()))).await.err().expect("it refuses").to_string();
    assert!(error.contains("it was synced, and is gone"), "{error}");
}

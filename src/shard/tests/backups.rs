//! A backup holds all that was confirmed, and a new cluster of one that is restored from it goes on from there.

use std::path::{Path, PathBuf};

use super::support::*;
use crate::ledger::Command;
use crate::ledger::command::{Ack, By};
use crate::ledger::ids::{DeviceId, EdgeId, EngagementId, ShardId};
use crate::ledger::reply::State;
use crate::ports::Read;
use crate::ports::backup::{Backup, BackupError};
use crate::shard::Shards;
use crate::shard::backup_file::{Header, Writer};
use crate::shard::restore::{self, NewNode, RestoreError};

/// Users in every state: some wait, some are offered, shown, dismissed, withdrawn.
async fn fill(shards: &Shards) -> Vec<String> {
    let names: Vec<String> = (0..50).map(|number| format!("u{number}")).collect();
    for (number, name) in names.iter().enumerate() {
        let edge = EdgeId(7);
        propose(shards, publish(name, "first")).await.unwrap();
        propose(shards, publish(name, "second")).await.unwrap();
        if number % 2 == 0 {
            propose(shards, attach(name, edge)).await.unwrap();
        }
        let window = shards.deliveries(&user(name), 0, 10).await.unwrap()[0].window;
        let (user, id, device) = (user(name), EngagementId::parse("first").unwrap(), DeviceId::parse("d1").unwrap());
        match number % 5 {
            0 => {
                propose(shards, Command::Ack { user, by: By::posted(device), ack: Ack { id, window, step: 1, data: None } }).await.unwrap()
            }
            1 => propose(shards, Command::Dismiss { user, by: By::posted(device), id, window }).await.unwrap(),
            2 => propose(shards, Command::Withdraw { user, id }).await.unwrap(),
            _ => continue,
        };
    }
    names
}

/// Makes a file as the command line does.
async fn back_up(shards: &Shards, folder: &Path) -> PathBuf {
    let path = folder.join("backup");
    let header = Header { cluster_id: shards.cluster_id().to_owned(), shards: shards.shard_count(), made_at_ms: 7 };
    let mut writer = Writer::begin(std::fs::File::create(&path).unwrap(), &header).unwrap();
    for shard in 0..shards.shard_count() {
        let mut pieces = shards.shard(ShardId(shard)).await.unwrap();
        while let Some(piece) = pieces.recv().await {
            writer.piece(&piece).unwrap();
        }
        writer.end_shard().unwrap();
    }
    writer.finish().unwrap();
    path
}

fn new_node(data_dir: &Path) -> NewNode<'_> {
    NewNode { data_dir, shard_count: 2, name: "n1" }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_restored_is_what_was_backed_up_and_settled_stays_settled() {
    let (old, new, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shards = start(config(Some(old.path()))).await.unwrap();
    let names = fill(&shards).await;
    let before = all_of(&shards, &names).await;
    let path = back_up(&shards, folder.path()).await;
    let old_id = shards.cluster_id().to_owned();
    propose(&shards, publish("later", "not in it")).await.unwrap();
    shards.stop().await;

    let mut told = Vec::new();
    let summary = restore::restore(&path, &new_node(new.path()), |done| told.push(done)).unwrap();
    assert_eq!((summary.users, told), (50, vec![1, 2]));
    assert_eq!(summary, restore::check(&path, |_| {}).unwrap());
    // Twice: from what was restored, and from what the restored node wrote.
    for _ in 0..2 {
        let shards = start(config(Some(new.path()))).await.unwrap();
        assert_ne!(shards.cluster_id(), old_id);
        assert_eq!(all_of(&shards, &names).await, before);
        assert_eq!(shards.user(&user("later")).await.unwrap(), None);
        let again = propose(&shards, publish("u0", "first")).await.unwrap();
        assert!(again.effects.is_empty(), "what is settled is not offered again");
        assert_eq!(shards.deliveries(&user("u0"), 0, 10).await.unwrap()[0].state, State::Completed);
        shards.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_owner_copies_a_shard() {
    let shards = start(config(None)).await.unwrap();
    assert_eq!(shards.shard(ShardId(9)).await.err(), Some(BackupError::NotOwner));
    let gone = shards.clone();
    shards.stop().await;
    assert!(gone.shard(ShardId(0)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_restored_into_an_empty_directory_only_and_whole_or_not_at_all() {
    let (new, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shards = start(config(None)).await.unwrap();
    fill(&shards).await;
    let path = back_up(&shards, folder.path()).await;
    shards.stop().await;

    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let error = restore::restore(&path, &new_node(new.path()), |_| {}).unwrap_err().to_string();
    assert!(error.contains("can't be used"), "{error}");
    assert!(!new.path().join("snapshots").exists() && !new.path().join("node.json").exists());

    std::fs::write(&path, &bytes).unwrap();
    let other_count = NewNode { shard_count: 3, ..new_node(new.path()) };
    assert!(matches!(restore::restore(&path, &other_count, |_| {}), Err(RestoreError::ShardCount { stored: 2, configured: 3 })));
    std::fs::write(new.path().join("secrets.toml"), "").unwrap();
    restore::restore(&path, &new_node(new.path()), |_| {}).unwrap();
    assert!(matches!(restore::restore(&path, &new_node(new.path()), |_| {}), Err(RestoreError::NotEmpty { .. })));
}

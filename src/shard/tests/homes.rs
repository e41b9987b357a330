//! Who a node is, from its first start on.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::support::*;
use crate::ports::peers::NodeId;
use crate::shard::{Home, Seams, ShardError, Shards};

#[test]
fn an_interrupted_join_goes_on_under_the_same_uuid() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Home::open(Some(folder.path())).unwrap();
    assert!(matches!(open().joined("c1", NodeId(4), 8), Err(ShardError::NoCluster)));
    let home = open();
    assert_eq!((home.identity(), home.is_joining()), (None, false));
    let uuid = home.prepare_join().unwrap();
    assert_eq!((home.identity(), home.is_joining()), (None, true));
    drop(home);
    let home = open();
    assert_eq!(home.prepare_join().unwrap(), uuid);
    assert!(matches!(home.found(8), Err(ShardError::Joining { .. })), "it must not make a cluster of its own now");
    let identity = home.joined("c1", NodeId(4), 8).unwrap();
    assert_eq!((identity.node_uuid.as_str(), identity.node_id, identity.shards), (uuid.as_str(), NodeId(4), 8));
    drop(home);
    let home = open();
    assert_eq!((home.identity(), home.is_joining()), (Some(identity.clone()), false));
    assert_eq!(home.joined("c1", NodeId(4), 8).unwrap(), identity);
    assert!(matches!(home.joined("c2", NodeId(4), 8), Err(ShardError::OtherCluster { .. })));
    assert!(matches!(home.found(9), Err(ShardError::ShardCount { .. })));
}

#[test]
fn a_node_in_memory_is_a_new_one_every_time() {
    let draw = || Home::open(None).unwrap().prepare_join().unwrap();
    assert_ne!(draw(), draw());
    let found = || Home::open(None).unwrap().found(2).unwrap();
    assert_ne!(found().cluster_id, found().cluster_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_do_not_start_before_it_is_known_who_they_are() {
    let start = |home| Shards::start(config(None), home, Seams::alone(Arc::new(Kept::default())), Handle::current());
    assert!(matches!(start(Home::open(None).unwrap()).await, Err(ShardError::NoCluster)));
    let home = Home::open(None).unwrap();
    home.prepare_join().unwrap();
    assert!(matches!(start(home).await, Err(ShardError::NoCluster)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_log_is_gone_is_refused_and_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let shards = start(config(Some(folder.path()))).await.unwrap();
    eventually("it is noted that the cluster is founded", async || {
        std::fs::read_to_string(folder.path().join("node.json")).unwrap().contains("\"member\"")
    })
    .await;
    shards.stop().await;
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    std::fs::remove_dir_all(folder.path().join("snapshots")).unwrap();
    let error = start(config(Some(folder.path()))).await.err().expect("it refuses").to_string();
    for part in ["is gone", "engage remove", "wipe its data_dir", "engage join"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    for file in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    start(config(Some(folder.path()))).await.unwrap().stop().await;
}

//! More connections than the node may open files for: the surplus is refused at the door, and the node, its log and its snapshots go on.

use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::node::{Node, Settings};

/// Few enough that the connections below would use them all up.
const OPEN_FILES: u32 = 400;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_never_use_up_the_open_files_that_the_log_needs() {
    // Snapshots open files: one becomes due after a few publishes.
    let settings = Settings::new().with("cluster.snapshot_log_bytes", "1MiB").with("cluster.shards", "1");
    let node = Node::start_with_open_files(settings, OPEN_FILES);
    let api = Api::publisher(&node);
    let mut open = Vec::new();
    let mut refused = 0;
    for _ in 0..OPEN_FILES / 2 {
        match Device::try_open(&node.address_of(), &[]).await {
            Some(device) => open.push(device),
            None => refused += 1,
        }
    }
    assert!(!open.is_empty() && refused > 0, "{} open, {refused} refused", open.len());
    let payload = "x".repeat(15_000);
    for number in 0..200 {
        let body = serde_json::json!({"id": "big", "payload": payload});
        api.queue(&format!("user-{number}"), &body).await;
    }
    drop(open);
    let mut device = Device::connect(&node, "user-7", "d1").await;
    assert_eq!(device.expect("offer").await["id"], "big");
}

//! A backup by the command line, restored into a new node: everything is there, and what was settled stays settled.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::node::{ADMIN_KEY, Node, READ_KEY, Settings};
use crate::support::runner::{Ran, run};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of UTF-8")
}

fn back_up(node: &Node, file: &Path, key: &str) -> Ran {
    run(&["backup", text(file), "--json", "--url", &node.url()], &[("ENGAGE_API_KEY", key)])
}

/// Restores into a directory, for a node with the settings of the tests.
fn restore(file: &Path, data_dir: &Path) -> Ran {
    run(&["restore", text(file)], &[("ENGAGE_CLUSTER__SHARDS", "4"), ("ENGAGE_NODE__DATA_DIR", text(data_dir))])
}

/// Of one user: one delivery that is completed, one of which two steps of three are done, and one that was offered.
async fn some_of_each(node: &Node, api: &Api, user: &str) {
    for (id, steps) in [("shown", 1), ("halfway", 3), ("waiting", 1)] {
        api.queue(user, &json!({"id": id, "payload": {"of": id}, "steps": steps})).await;
    }
    let mut device = Device::connect(node, user, "d1").await;
    let offers = device.offers_until_caught_up().await;
    let offer = |id: &str| offers.iter().find(|offer| offer["id"] == id).expect("it was offered");
    device.ack(offer("shown"), 1).await;
    device.ack_with_data(offer("halfway"), 2, &json!({"q1": 9})).await;
    device.close().await;
}

#[tokio::test]
async fn a_node_that_is_restored_from_a_backup_goes_on_where_the_old_one_was() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("backup");
    let mut node = Node::start(Settings::new());
    let (api, user) = (Api::admin(&node), fresh("user"));
    some_of_each(&node, &api, &user).await;

    let made = back_up(&node, &file, ADMIN_KEY);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let summary: Value = serde_json::from_str(&made.stdout).expect("JSON on stdout");
    assert_eq!((&summary["users"], &summary["shards"]), (&json!(1), &json!(4)), "{summary}");
    let twice = back_up(&node, &file, ADMIN_KEY);
    assert!(twice.code == 1 && twice.stderr.contains("replaces nothing"), "{}", twice.stderr);
    api.queue_plain(&user, "too late for it").await;
    node.kill();

    let refused = restore(&file, &node.data_dir());
    assert!(refused.code == 1 && refused.stderr.contains("is not empty"), "{}", refused.stderr);
    std::fs::remove_dir_all(node.data_dir()).expect("the old data can be removed");
    let restored = restore(&file, &node.data_dir());
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    for _ in 0..2 {
        node.start_again();
        // Its connections of before died with the old process.
        let api = Api::admin(&node);
        assert_eq!(api.delivery(&user, "shown").await["state"], "completed");
        let halfway = api.delivery(&user, "halfway").await;
        assert_eq!((&halfway["state"], &halfway["step"], &halfway["data"]), (&json!("in_progress"), &json!(2), &json!({"q1": 9})));
        let mut device = Device::connect(&node, &user, "d2").await;
        let offers = device.offers_until_caught_up().await;
        let offered: Vec<_> = offers.iter().map(|offer| (&offer["id"], &offer["step"])).collect();
        assert_eq!(offered, [(&json!("halfway"), &json!(3)), (&json!("waiting"), &json!(1))]);
        device.close().await;
        node.kill();
    }
}

#[tokio::test]
async fn a_backup_takes_an_admin_and_leaves_nothing_behind_when_it_fails() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("backup");
    let ran = back_up(crate::nodes::common(), &file, READ_KEY);
    assert!(ran.code == 1 && ran.stderr.contains("forbidden"), "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).expect("it can be listed").count(), 0);
    std::fs::write(&file, "no backup").expect("it can be written");
    let ran = restore(&file, &folder.path().join("data"));
    assert!(ran.code == 1 && ran.stderr.contains("it is no backup"), "{}", ran.stderr);
}

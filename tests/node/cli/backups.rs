//! A backup by the command line, restored into a new node: everything is there, and what was settled stays settled.

use serde_json::json;

use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::node::{ADMIN_KEY, Node, READ_KEY, Settings};
use crate::support::runner::run;

const SETTINGS: [(&str, &str); 1] = [("ENGAGE_CLUSTER__SHARDS", "4")];

#[tokio::test]
async fn a_node_that_is_restored_from_a_backup_goes_on_where_the_old_one_was() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("backup");
    let file = file.to_str().expect("a path of UTF-8");
    let mut node = Node::start(Settings::new());
    let (api, user) = (Api::admin(&node), fresh("user"));
    for id in ["shown", "halfway", "waiting"] {
        api.queue(&user, &json!({"id": id, "payload": {"of": id}, "steps": if id == "halfway" { 3 } else { 1 }, "priority": if id == "waiting" { -1 } else { 0 }})).await;
    }
    let mut device = Device::connect(&node, &user, "d1").await;
    let (shown, halfway) = (device.expect("offer").await, device.expect("offer").await);
    device.ack(&shown, 1).await;
    device.ack_with_data(&halfway, 2, &json!({"q1": 9})).await;

    let made = run(&["backup", file, "--json", "--url", &node.url()], &[("ENGAGE_API_KEY", ADMIN_KEY)]);
    assert_eq!(made.code, 0, "{}", made.stderr);
    let summary: serde_json::Value = serde_json::from_str(&made.stdout).expect("JSON on stdout");
    assert_eq!((&summary["users"], &summary["shards"]), (&json!(1), &json!(4)), "{summary}");
    let twice = run(&["backup", file, "--url", &node.url()], &[("ENGAGE_API_KEY", ADMIN_KEY)]);
    assert!(twice.code == 1 && twice.stderr.contains("replaces nothing"), "{}", twice.stderr);
    api.queue_plain(&user, "too late for it").await;
    node.kill();
    let refused = run(&["restore", file], &[SETTINGS[0], ("ENGAGE_NODE__DATA_DIR", node.data_dir().to_str().expect("a path of UTF-8"))]);
    assert!(refused.code == 1 && refused.stderr.contains("is not empty"), "{}", refused.stderr);

    std::fs::remove_dir_all(node.data_dir()).expect("the old data can be removed");
    let restored = run(&["restore", file], &[SETTINGS[0], ("ENGAGE_NODE__DATA_DIR", node.data_dir().to_str().expect("a path of UTF-8"))]);
    assert_eq!(restored.code, 0, "{}", restored.stderr);
    node.start_again();
    let states = ["shown", "halfway", "waiting"];
    let mut found = Vec::new();
    for id in states {
        found.push(api.delivery(&user, id).await["state"].clone());
    }
    assert_eq!(found, [json!("completed"), json!("in_progress"), found[2].clone()]);
    assert_eq!(api.delivery(&user, "halfway").await["data"], json!({"q1": 9}));
    // Another device goes on where the first was, and is never shown what was confirmed.
    let mut offered = Vec::new();
    let mut again = Device::connect(&node, &user, "d1").await;
    while offered.len() < 2 {
        let offer = again.expect("offer").await;
        offered.push((offer["id"].clone(), offer["step"].clone()));
    }
    again.expect("caught_up").await;
    assert_eq!(offered, [(json!("halfway"), json!(3)), (json!("waiting"), json!(1))]);
    api.queue_plain(&user, "new").await;
    node.stop_and_start_again();
    assert_eq!(api.delivery(&user, "shown").await["state"], "completed");
}

#[tokio::test]
async fn a_backup_takes_an_admin_and_leaves_nothing_behind_when_it_fails() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("backup");
    let node = crate::nodes::common();
    let ran = run(&["backup", file.to_str().expect("a path of UTF-8"), "--url", &node.url()], &[("ENGAGE_API_KEY", READ_KEY)]);
    assert!(ran.code == 1 && ran.stderr.contains("forbidden"), "{}", ran.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).expect("it can be listed").count(), 0);
    std::fs::write(&file, "no backup").expect("it can be written");
    let data = folder.path().join("data");
    let environment = [SETTINGS[0], ("ENGAGE_NODE__DATA_DIR", data.to_str().expect("a path of UTF-8"))];
    let ran = run(&["restore", file.to_str().expect("a path of UTF-8")], &environment);
    assert!(ran.code == 1 && ran.stderr.contains("it is no backup"), "{}", ran.stderr);
}

//! A first start without any secrets, and the client commands that find those it made.

use std::os::unix::fs::PermissionsExt;

use crate::support::fresh;
use crate::support::node::{Node, Settings};
use crate::support::runner::run;
use crate::support::token::SECRET;

#[tokio::test]
async fn a_node_makes_its_own_secrets_on_loopback_and_the_client_commands_find_them() {
    let settings = Settings::new().without("auth.jwt_secret").without("auth.api_keys").without("cluster.shards");
    let mut node = Node::start(settings);
    let secrets = node.data_dir().join("secrets.toml");
    let mode = std::fs::metadata(&secrets).expect("the secrets are kept").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else can read them");
    let kept = std::fs::read_to_string(&secrets).expect("they can be read");

    let data_dir = node.data_dir();
    let environment = [("ENGAGE_NODE__DATA_DIR", data_dir.to_str().expect("a path of UTF-8"))];
    let (user, url) = (fresh("user"), node.url());
    for arguments in [
        vec!["publish", "--user", &user, "--id", "x", "--payload", "{}", "--url", &url],
        vec!["token", "--user", &user],
        vec!["status", "--url", &url],
    ] {
        let ran = run(&arguments, &environment);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.stderr);
    }
    let printed = node.log();
    for command in ["engage token", "engage publish", "engage connect"] {
        assert!(printed.contains(command), "the next commands to try are printed: {printed}");
    }
    assert!(printed.contains(&format!("{url}/console")), "so is the page for operators: {printed}");
    for line in kept.lines().filter_map(|line| line.split('"').nth(1)).filter(|value| value.len() >= 32) {
        assert!(!printed.contains(line), "a secret stands in the log");
    }

    node.stop_and_start_again();
    assert_eq!(std::fs::read_to_string(&secrets).expect("they can be read"), kept, "they are made once");
    assert_eq!(run(&["status", "--url", &url], &environment).code, 0);
}

#[tokio::test]
async fn secrets_and_payloads_never_reach_the_log() {
    let mut node = Node::start(Settings::new().with("log.level", "debug"));
    let (api, user) = (crate::support::api::Api::admin(&node), fresh("user"));
    let payload = "a-payload-that-nobody-may-log";
    api.queue(&user, &serde_json::json!({"id": "x", "payload": payload})).await;
    let token = crate::support::token::token(&user);
    let hello = crate::support::hello::Hello::new(&user, "d1").with("token", serde_json::json!(token));
    let mut device = hello.connect(&node).await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack_with_data(&offer, 1, &serde_json::json!("data-that-nobody-may-log")).await;
    device.close().await;
    node.ask_to_stop();
    assert!(node.wait_for_exit().0.success());
    let log = node.log();
    for secret in [payload, &token, SECRET, crate::support::node::ADMIN_KEY, "data-that-nobody-may-log"] {
        assert!(!log.contains(secret), "{secret} stands in the log");
    }
}

//! The client commands against a running node.

use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;
use crate::support::hello::Hello;
use crate::support::node::{ADMIN_KEY, PUBLISH_KEY, READ_KEY};
use crate::support::runner::{Ran, Running, run};
use crate::support::token::SECRET;

fn against_common(arguments: &[&str], key: &str) -> Ran {
    let url = common().url();
    let mut all = arguments.to_vec();
    all.extend(["--url", &url]);
    run(&all, &[("ENGAGE_API_KEY", key), ("ENGAGE_AUTH__JWT_SECRET", SECRET)])
}

#[tokio::test]
async fn a_token_of_the_command_line_is_good_for_its_user() {
    let user = fresh("user");
    let ran = run(&["token", "--user", &user, "--device", "d1", "--ttl", "10m"], &[("ENGAGE_AUTH__JWT_SECRET", SECRET)]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let token = ran.stdout.trim();
    assert_eq!(ran.stdout.lines().count(), 1, "nothing else on stdout: {}", ran.stdout);
    let device = Hello::new("somebody", "d1").with("token", json!(token)).connect(common()).await;
    assert_eq!(device.welcome["user"], user);
}

#[tokio::test]
async fn a_publish_of_the_command_line_reaches_the_device() {
    let user = fresh("user");
    let publish = ["publish", "--user", &user, "--id", "x", "--payload", r#"{"q":"grüß dich"}"#];
    let ran = against_common(&publish, PUBLISH_KEY);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("queued"), "{}", ran.stdout);
    let mut device = Device::connect(common(), &user, "d1").await;
    assert_eq!(device.expect("offer").await["payload"], json!({"q": "grüß dich"}));
    let again = against_common(&publish, PUBLISH_KEY);
    assert_eq!((again.code, again.stdout.contains("duplicate")), (0, true), "{}", again.stdout);
}

#[tokio::test]
async fn a_key_may_stand_on_the_command_line() {
    let (user, url) = (fresh("user"), common().url());
    let ran = run(&["publish", "--user", &user, "--id", "x", "--payload", "1", "--url", &url, "--key", PUBLISH_KEY], &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[tokio::test]
async fn connect_prints_messages_and_acks_them_when_told_to() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    api.queue_plain(&user, "x").await;
    let url = common().url();
    let connect = ["connect", "--user", &user, "--device", "d1", "--ack", "--json", "--url", &url];
    let mut running = Running::start(&connect, &[("ENGAGE_AUTH__JWT_SECRET", SECRET)]);
    let mut seen: Vec<String> = Vec::new();
    while !seen.iter().any(|kind| kind == "confirm") {
        let line = running.line();
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
        seen.push(message["type"].as_str().unwrap_or_default().to_owned());
    }
    assert!(seen.iter().any(|kind| kind == "welcome") && seen.iter().any(|kind| kind == "offer"), "{seen:?}");
    assert_eq!(api.delivery(&user, "x").await["state"], "completed");
}

#[tokio::test]
async fn status_shows_the_node_and_its_shards() {
    let ran = against_common(&["status", "--json"], ADMIN_KEY);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let status: Value = serde_json::from_str(&ran.stdout).expect("JSON on stdout");
    assert!(status.to_string().contains("n1"), "{status}");
    let text = against_common(&["status"], ADMIN_KEY);
    assert_eq!(text.code, 0, "{}", text.stderr);
    assert!(text.stdout.contains("n1"), "{}", text.stdout);
}

#[test]
fn what_fails_exits_with_1_and_says_why() {
    let refused = against_common(&["publish", "--user", "u", "--id", "x", "--payload", "1"], READ_KEY);
    assert_eq!(refused.code, 1, "{}", refused.stdout);
    assert!(refused.stderr.contains("forbidden") || refused.stderr.contains("403"), "{}", refused.stderr);
    assert!(refused.stdout.is_empty(), "{}", refused.stdout);
    let nobody = run(&["publish", "--user", "u", "--id", "x", "--payload", "1", "--url", "http://127.0.0.1:1", "--key", PUBLISH_KEY], &[]);
    assert_eq!(nobody.code, 1, "{}", nobody.stdout);
    assert!(nobody.stderr.contains("127.0.0.1:1"), "it names whom it could not reach: {}", nobody.stderr);
    let secret_in_message = [&refused, &nobody].iter().any(|ran| ran.stderr.contains(PUBLISH_KEY) || ran.stderr.contains(READ_KEY));
    assert!(!secret_in_message, "no key is printed");
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [&["publish"][..], &["token"], &["nonsense"], &["serve", "--nonsense"], &["connect", "--user", "u"], &["check"]] {
        let ran = run(arguments, &[]);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{arguments:?}: {}", ran.stdout);
    }
    let payload = against_common(&["publish", "--user", "u", "--id", "x", "--payload", "{not json"], PUBLISH_KEY);
    assert!(matches!(payload.code, 1 | 2), "{}", payload.stdout);
}

#[test]
fn help_and_version_are_there() {
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"]] {
        let ran = run(arguments, &[]);
        assert_eq!((ran.code, ran.stdout.is_empty()), (0, false), "{arguments:?}");
    }
}

//! The commands that change a cluster, as far as one node goes: whom they refuse, and what they say.

use crate::nodes::common;
use crate::support::node::ADMIN_KEY;
use crate::support::runner::run;

#[test]
fn the_last_node_is_neither_drained_nor_removed_and_an_unknown_one_is_named() {
    let url = common().url();
    for verb in ["drain", "remove"] {
        let ran = run(&[verb, "n1", "--url", &url], &[("ENGAGE_API_KEY", ADMIN_KEY)]);
        assert!(ran.code == 1 && ran.stderr.contains("last_node") && ran.stderr.contains("hint"), "{}", ran.stderr);
        let ran = run(&[verb, "n9", "--url", &url], &[("ENGAGE_API_KEY", ADMIN_KEY)]);
        assert!(ran.code == 1 && ran.stderr.contains("not_found") && ran.stderr.contains("n9"), "{}", ran.stderr);
    }
}

#[test]
fn a_join_says_what_it_needs_before_it_calls_anybody() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let data = folder.path().join("data");
    let environment = [("ENGAGE_NODE__DATA_DIR", data.to_str().expect("a path of UTF-8"))];
    let ran = run(&["join", "127.0.0.1:1"], &environment);
    assert!(ran.code == 1 && ran.stderr.contains("cluster.secret is missing") && ran.stderr.contains("--secrets"), "{}", ran.stderr);
    let ran = run(&["join", "127.0.0.1:1", "--secrets", "/nowhere/secrets.toml"], &environment);
    assert!(ran.code == 1 && ran.stderr.contains("there is no secrets file"), "{}", ran.stderr);
    assert!(!data.exists(), "nothing was made");
    assert_eq!(run(&["join", "nowhere"], &environment).code, 2);
}

#[test]
fn a_status_ends_with_a_verdict() {
    let ran = run(&["status", "--url", &common().url()], &[("ENGAGE_API_KEY", ADMIN_KEY)]);
    assert!(
        ran.code == 0 && ran.stdout.contains("LAG") && ran.stderr.contains("every shard has a leader"),
        "{} {}",
        ran.stdout,
        ran.stderr
    );
}

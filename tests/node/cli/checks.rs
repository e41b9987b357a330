//! `engage check`, and what `serve` refuses to start with.

use std::path::PathBuf;

use crate::support::runner::{Ran, run};
use crate::support::token::SECRET;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let path = home.path().join("engage.toml");
    std::fs::write(&path, text).expect("a file can be written");
    (home, path)
}

fn check(text: &str, environment: &[(&str, &str)]) -> Ran {
    let (_home, path) = file(text);
    run(&["check", path.to_str().expect("a path of UTF-8")], environment)
}

#[test]
fn a_good_configuration_passes() {
    let text = "[node]\nname = \"n7\"\n[window]\nlength = \"12h\"\ncarry = \"90m\"\n[buffer]\noverflow = \"drop_oldest\"\n";
    let ran = check(text, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(check("", &[]).code, 0, "an empty file is all defaults");
}

#[test]
fn what_is_wrong_is_named_by_its_key() {
    let wrong = [
        ("[window]\nlength = \"soon\"\n", "window.length"),
        ("[window]\nlength = 24\n", "window.length"),
        ("[window]\nlenght = \"24h\"\n", "lenght"),
        ("[windows]\nlength = \"24h\"\n", "windows"),
        ("[buffer]\nmax_deliveries = 0\n", "buffer.max_deliveries"),
        ("[buffer]\noverflow = \"shrug\"\n", "buffer.overflow"),
        ("[http]\nlisten = \"localhost\"\n", "http.listen"),
        ("[node]\nstorage = \"tape\"\n", "node.storage"),
        ("[auth]\njwt_secret = \"short\"\n", "auth.jwt_secret"),
        ("[auth]\napi_keys = [{ name = \"a\", key = \"0123456789abcdef0123456789abcdef\", role = \"king\" }]\n", "api_keys"),
        ("[cluster]\nlease = \"100ms\"\n", "cluster.lease"),
        ("[http]\ntls_cert = \"/no/such/file.pem\"\n", "http.tls"),
    ];
    for (text, key) in wrong {
        let ran = check(text, &[]);
        assert_eq!(ran.code, 1, "{text}: {}", ran.stdout);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(key), "{text} is answered without naming {key}: {said}");
    }
    assert_eq!(check("[window\n", &[]).code, 1, "broken TOML");
    assert_eq!(run(&["check", "/no/such/file.toml"], &[]).code, 1);
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let ran = check("[window]\nlength = \"1ms\"\n[buffer]\nmax_deliveries = 0\n", &[]);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("window.length") && said.contains("buffer.max_deliveries"), "{said}");
}

#[test]
fn a_secret_in_a_refused_configuration_is_not_printed() {
    let secret = "verysecretverysecretverysecretverysecret";
    let ran = check(&format!("[auth]\njwt_secret = \"{secret}\"\n[window]\nlength = \"1ms\"\n"), &[]);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(secret), "{}", ran.stderr);
}

#[test]
fn a_variable_that_names_no_key_is_refused() {
    let ran = run(&["serve"], &[("ENGAGE_WINDOW__LENGHT", "24h")]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("ENGAGE_WINDOW__LENGHT") || ran.stderr.contains("window.lenght"), "{}", ran.stderr);
}

#[test]
fn without_secrets_a_node_listens_on_loopback_only() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let data_dir = home.path().join("data");
    let data_dir = data_dir.to_str().expect("a path of UTF-8");
    let open = ("ENGAGE_HTTP__LISTEN", "0.0.0.0:1");
    let keys = ("ENGAGE_AUTH__API_KEYS", "a:0123456789abcdef0123456789abcdef:admin");
    let refused = run(&["serve"], &[open, ("ENGAGE_NODE__DATA_DIR", data_dir), keys]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("jwt_secret") || refused.stderr.contains("JWT_SECRET"), "{}", refused.stderr);
    let refused = run(&["serve"], &[open, ("ENGAGE_NODE__DATA_DIR", data_dir), ("ENGAGE_AUTH__JWT_SECRET", SECRET)]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.to_lowercase().contains("api_keys"), "{}", refused.stderr);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let home = tempfile::tempdir().expect("a temporary directory");
    let data_dir = home.path().join("data");
    let ran = run(&["serve"], &[("ENGAGE_HTTP__LISTEN", &address), ("ENGAGE_NODE__DATA_DIR", data_dir.to_str().expect("a path of UTF-8"))]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains(&address), "{}", ran.stderr);
}

//! Configurations with which no node starts, and what the command says of them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jsonwebtoken::Algorithm;
use serde_json::json;

use crate::answer::{Expected, answered};
use crate::issuer::Issuer;
use crate::secure::{Authority, text};
use crate::support::runner::{Ran, run};
use crate::support::token::SECRET;

/// `serve` with these settings, in a data directory of its own. A node that starts all the same fails the case, by its deadline.
fn serve(settings: &[(&str, &str)]) -> Ran {
    let home = tempfile::tempdir().expect("a temporary directory");
    serve_in(&home.path().join("data"), settings)
}

fn serve_in(data_dir: &Path, settings: &[(&str, &str)]) -> Ran {
    let names: Vec<String> = settings.iter().map(|(key, _)| format!("ENGAGE_{}", key.replace('.', "__").to_uppercase())).collect();
    let mut environment =
        vec![("ENGAGE_NODE__DATA_DIR", text(data_dir)), ("ENGAGE_HTTP__LISTEN", "127.0.0.1:0"), ("ENGAGE_CLUSTER__LISTEN", "127.0.0.1:0")];
    for (name, (_, value)) in names.iter().zip(settings) {
        environment.retain(|(known, _)| known != name);
        environment.push((name, value));
    }
    run(&["serve"], &environment)
}

fn refused(expected: &Expected, settings: &[(&str, &str)], parts: &[&str]) {
    let ran = serve(settings);
    println!("{settings:?}: {}", ran.stderr);
    expected.by_command(&ran, parts);
    for (_, value) in settings.iter().filter(|(key, _)| key.starts_with("auth.jwt_secret") || *key == "cluster.secret") {
        assert!(!ran.stderr.contains(value), "the secret is shown: {}", ran.stderr);
    }
}

const KEYS: &str = "a:0123456789abcdef0123456789abcdef:admin";

#[test]
fn beyond_loopback_no_node_starts_without_secrets_and_each_missing_key_is_named() {
    let expected = answered("exit 1");
    for listen in ["0.0.0.0:0", "[::]:0", "10.1.2.3:7400", "[::ffff:127.0.0.1]:0"] {
        let http = ("http.listen", listen);
        let (token_key, api_keys) = ("auth.jwt_secret is missing", "auth.api_keys is missing");
        refused(&expected, &[http], &[token_key, api_keys, "ENGAGE_AUTH__JWT_SECRET", "ENGAGE_AUTH__API_KEYS"]);
        refused(&expected, &[http, ("auth.jwt_secret", SECRET)], &[api_keys]);
        refused(&expected, &[http, ("auth.api_keys", KEYS)], &[token_key]);
        let cluster = [("cluster.listen", listen), ("cluster.advertise", "n1.example.com:7401")];
        refused(&expected, &cluster, &["cluster.secret is missing", "ENGAGE_CLUSTER__SECRET"]);
    }
}

#[test]
fn beyond_loopback_the_secrets_that_a_node_made_for_itself_are_not_enough() {
    let expected = answered("exit 1");
    let home = tempfile::tempdir().expect("a temporary directory");
    secrets_file(home.path(), 0o600);
    let ran = serve_in(home.path(), &[("http.listen", "0.0.0.0:0")]);
    expected.by_command(&ran, &["auth.jwt_secret is missing", "auth.api_keys is missing"]);
}

/// A file as a first start makes it, but for its mode.
fn secrets_file(folder: &Path, mode: u32) -> std::path::PathBuf {
    let path = folder.join("secrets.toml");
    let content = format!(
        "[auth]\njwt_secret = \"{SECRET}\"\napi_keys = [{{ name = \"local\", key = \"{SECRET}\", role = \"admin\" }}]\n\n[cluster]\nsecret = \"{SECRET}\"\n"
    );
    std::fs::write(&path, content).expect("a file can be written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("the mode can be set");
    path
}

#[test]
fn a_secrets_file_that_others_can_read_is_not_used() {
    let expected = answered("exit 1");
    let home = tempfile::tempdir().expect("a temporary directory");
    for mode in [0o644, 0o640, 0o604, 0o660] {
        let path = secrets_file(home.path(), mode);
        expected.by_command(&serve_in(home.path(), &[]), &["can be read by others", text(&path), "chmod 600"]);
        let token = run(&["token", "--user", "u", "--data-dir", text(home.path())], &[]);
        expected.by_command(&token, &["can be read by others"]);
        let other = home.path().join("other");
        let environment =
            [("ENGAGE_NODE__DATA_DIR", text(&other)), ("ENGAGE_HTTP__LISTEN", "127.0.0.1:0"), ("ENGAGE_CLUSTER__LISTEN", "127.0.0.1:0")];
        let join = run(&["join", "127.0.0.1:1", "--secrets", text(&path)], &environment);
        expected.by_command(&join, &["can be read by others"]);
    }
    secrets_file(home.path(), 0o600);
    run(&["token", "--user", "u", "--data-dir", text(home.path())], &[]).succeeds();
}

#[test]
fn a_secret_that_is_too_short_is_refused() {
    let expected = answered("exit 1");
    let short = &"Zx9-".repeat(8)[..31];
    refused(&expected, &[("auth.jwt_secret", short)], &["auth.jwt_secret", "31 bytes"]);
    refused(&expected, &[("cluster.secret", short)], &["cluster.secret", "31 bytes"]);
    refused(&expected, &[("auth.api_keys", "a:0123456789abcde:admin")], &["auth.api_keys[0]", "15 bytes"]);
    refused(&expected, &[("auth.api_keys", "a::admin")], &["auth.api_keys[0]"]);
}

/// The values that the shipped configuration shows for a secret.
fn shown_in_the_shipped_configuration() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/engage.toml");
    let text = std::fs::read_to_string(path).expect("it is shipped");
    let lines = text.lines().filter(|line| line.contains("secret = \"") || line.contains("key = \"("));
    lines
        .filter_map(|line| line.split("key = \"").nth(1).or_else(|| line.split("secret = \"").nth(1))?.split('"').next().map(str::to_owned))
        .collect()
}

#[test]
fn a_secret_that_the_documentation_shows_is_refused() {
    let expected = answered("exit 1");
    let shown = shown_in_the_shipped_configuration();
    assert!(shown.len() >= 3, "the shipped configuration shows where each secret goes: {shown:?}");
    let more =
        ["change-me-change-me-change-me-change-me", "EXAMPLE-0123456789-0123456789-0123456789", "$(openssl rand -base64 32)-0123456789"];
    for value in shown.iter().map(String::as_str).chain(more) {
        refused(&expected, &[("auth.jwt_secret", value)], &["auth.jwt_secret"]);
        refused(&expected, &[("cluster.secret", value)], &["cluster.secret"]);
        refused(&expected, &[("auth.api_keys", &format!("a:{value}:admin"))], &["auth.api_keys[0]"]);
    }
}

#[test]
fn two_api_keys_of_one_name_or_one_secret_are_refused() {
    let expected = answered("exit 1");
    let with = |second: &str| format!("{KEYS},{second}");
    refused(&expected, &[("auth.api_keys", &with("a:fedcba9876543210:read"))], &["auth.api_keys[1]", "the name of another key"]);
    refused(&expected, &[("auth.api_keys", &with("b:0123456789abcdef0123456789abcdef:read"))], &["auth.api_keys[1]", "the same key"]);
    refused(&expected, &[("auth.api_keys", "a:0123456789abcdef0123456789abcdef:root")], &["publish, read, admin"]);
}

#[test]
fn an_allowed_origin_that_is_a_wildcard_or_no_origin_is_refused() {
    let expected = answered("exit 1");
    for origin in ["*", "https://*.example", "null", "app.example", "https://", "https://app.example/", "https://APP.example", "file://x"] {
        refused(&expected, &[("http.allowed_origins", origin)], &["http.allowed_origins", "no origin"]);
    }
}

#[test]
fn two_ways_to_check_tokens_are_refused() {
    let expected = answered("exit 1");
    let home = tempfile::tempdir().expect("a temporary directory");
    let key = home.path().join("key.pem");
    std::fs::write(&key, Issuer::new(Algorithm::EdDSA).public_pem).expect("a file can be written");
    refused(
        &expected,
        &[("auth.jwt_secret", SECRET), ("auth.jwt_public_key_file", text(&key))],
        &["auth.jwt_public_key_file", "auth.jwt_secret"],
    );
}

#[test]
fn a_token_key_that_is_private_or_of_no_use_is_refused() {
    let expected = answered("exit 1");
    let home = tempfile::tempdir().expect("a temporary directory");
    let path = home.path().join("key");
    let with = |key: &str, content: &str, part: &str| {
        std::fs::write(&path, content).expect("a file can be written");
        refused(&expected, &[(key, text(&path))], &[key, part]);
    };
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        with("auth.jwt_public_key_file", &Issuer::new(algorithm).private_pem, "private key");
    }
    let other_curve = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key pair").public_key_pem();
    with("auth.jwt_public_key_file", &other_curve, "no public key that can be used");
    with("auth.jwt_public_key_file", "nothing", "no public key that can be used");
    let symmetric = json!({"keys": [{"kty": "oct", "kid": "s", "alg": "HS256", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}]});
    with("auth.jwks_file", &symmetric.to_string(), "no key that can be used");
    let mut nameless = Issuer::new(Algorithm::EdDSA).jwk("x");
    nameless.as_object_mut().expect("an object").remove("kid");
    with("auth.jwks_file", &json!({"keys": [nameless]}).to_string(), "no key that can be used");
}

#[test]
fn tls_files_that_are_missing_halved_or_do_not_fit_are_refused() {
    let expected = answered("exit 1");
    let home = tempfile::tempdir().expect("a temporary directory");
    let authority = Authority::new();
    let (one, other) = (authority.issue(&home.path().join("one")), authority.issue(&home.path().join("other")));
    let (cert, key, ca) = (text(&one.cert), text(&one.key), text(&one.ca));
    let gone = home.path().join("gone.pem");
    refused(&expected, &[("http.tls_cert", cert)], &["http.tls_key is missing"]);
    refused(&expected, &[("http.tls_key", key)], &["http.tls_cert is missing"]);
    refused(&expected, &[("http.tls_cert", text(&gone)), ("http.tls_key", key)], &["http.tls_cert", "can't be read"]);
    refused(&expected, &[("http.tls_cert", key), ("http.tls_key", cert)], &["holds no certificate", "holds no private key"]);
    refused(&expected, &[("http.tls_cert", cert), ("http.tls_key", text(&other.key))], &["the key must be the certificate's"]);
    refused(&expected, &[("cluster.tls_cert", cert), ("cluster.tls_key", key)], &["cluster.tls_ca is missing"]);
    refused(&expected, &[("cluster.tls_ca", ca)], &["cluster.tls_cert is missing", "cluster.tls_key is missing"]);
    let mismatched = [("cluster.tls_cert", cert), ("cluster.tls_key", text(&other.key)), ("cluster.tls_ca", ca)];
    refused(&expected, &mismatched, &["the key must be the certificate's"]);
}

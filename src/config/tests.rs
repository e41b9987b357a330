//! Tests of the configuration as an operator meets it: files, variables, and the words in which mistakes are named.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::keys::{Keys, variable_of};
use super::ranges::RANGES;
use super::*;

const SHIPPED: &str = include_str!("../../config/engage.toml");
const NONE: [(&str, &str); 0] = [];

/// Loads a file of this text in this environment; the directory lives as long as the answer.
fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("engage.toml");
    fs::write(&path, text).unwrap();
    let shown = format!("{}", path.display());
    Config::load_from(Some(&path), environment.iter().copied()).map_err(|error| error.to_string().replace(&shown, "engage.toml"))
}

fn error_of(text: &str, environment: &[(&str, &str)]) -> String {
    load(text, environment).expect_err(text)
}

#[track_caller]
fn assert_says(text: &str, environment: &[(&str, &str)], parts: &[&str]) {
    let error = error_of(text, environment);
    for part in parts {
        assert!(error.contains(part), "{text:?} {environment:?} says\n  {error}\nwithout\n  {part}");
    }
}

#[test]
fn without_file_and_variables_all_is_default() {
    assert_eq!(Config::load_from(None, NONE).unwrap(), Config::default());
}

#[test]
fn the_shipped_file_is_the_defaults() {
    assert_eq!(load(SHIPPED, &NONE).unwrap(), Config::default());
}

#[test]
fn the_shipped_file_holds_every_key_and_a_word_on_it() {
    let mut found = BTreeSet::new();
    let (mut section, mut has_comment) = ("", false);
    for line in SHIPPED.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let key = bare.split_once(" = ").map(|(key, _)| key).filter(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        match key {
            _ if line.starts_with('[') => section = line.trim_matches(['[', ']']),
            Some(key) => {
                assert!(has_comment, "{section}.{key} has no comment above it");
                found.insert(format!("{section}.{key}"));
            }
            None => has_comment = line.starts_with('#'),
        }
    }
    assert_eq!(found, Keys::all().names().collect());
}

#[test]
fn the_ledger_has_the_same_defaults() {
    let (config, ledger) = (Config::default(), crate::ledger::limits::Settings::default());
    assert_eq!(config.window.length.ms(), ledger.window_length.0);
    assert_eq!(config.window.carry.ms(), ledger.window_carry.0);
    assert_eq!(config.cluster.lease.ms(), ledger.lease.0);
    assert_eq!(config.buffer.max_deliveries, ledger.buffer_deliveries_max);
    assert_eq!(config.buffer.max_bytes.bytes(), ledger.buffer_bytes_max);
    assert_eq!(config.buffer.overflow, ledger.overflow);
    assert_eq!(config.limits.records_per_user, ledger.records_max);
    assert_eq!(config.limits.connections_per_user, ledger.devices_max);
    assert_eq!(config.limits.outcomes_per_shard, ledger.outcomes_max);
    assert_eq!(config.limits.ledger_bytes_per_shard.bytes(), ledger.ledger_bytes_max);
}

#[test]
fn every_number_duration_and_size_has_a_range_and_its_default_lies_in_it() {
    let values = serde_json::to_value(Config::default()).unwrap();
    for (section, keys) in values.as_object().unwrap() {
        for (key, value) in keys.as_object().unwrap() {
            let is_measure =
                value.is_number() || value.as_str().is_some_and(|text| text.parse::<Span>().is_ok() || text.parse::<Size>().is_ok());
            let name = format!("{section}.{key}");
            assert_eq!(is_measure, RANGES.iter().any(|(ranged, _)| *ranged == name), "{name}");
        }
    }
    Config::default().check().unwrap();
}

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
    let text = "[http]\nlisten = \"127.0.0.1:1000\"\nrequest_timeout = \"2s\"\n[limits]\nconnections = 7";
    let environment = [("ENGAGE_HTTP__LISTEN", "127.0.0.1:2000"), ("ENGAGE_LIMITS__CONNECTIONS", "9"), ("PATH", "/bin")];
    let config = load(text, &environment).unwrap();
    assert_eq!(config.http.listen.port(), 2000);
    assert_eq!(config.http.request_timeout, Span::from_secs(2));
    assert_eq!(config.limits.connections, 9);
    assert_eq!(config.cluster, Cluster::default());
}

#[test]
fn every_key_can_come_from_the_environment() {
    let values = serde_json::to_value(Config::default()).unwrap();
    for name in Keys::all().names() {
        let value = &values[name.split('.').next().unwrap()][name.split('.').nth(1).unwrap()];
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if value.is_null() || value.is_array() {
            continue;
        }
        let variable = variable_of(&name);
        let config = Config::load_from(None, [(variable.as_str(), text.as_str())]).unwrap_or_else(|error| panic!("{variable}: {error}"));
        assert_eq!(config, Config::default(), "{variable}");
    }
}

#[test]
fn lists_and_api_keys_are_comma_separated_in_the_environment() {
    let environment = [
        ("ENGAGE_HTTP__ALLOWED_ORIGINS", "https://a.example.com, http://localhost:3000"),
        ("ENGAGE_AUTH__API_KEYS", "shop:0123456789abcdef:publish,ops:fedcba9876543210:admin"),
        ("ENGAGE_AUTH__JWT_SECRET", "12345678901234567890123456789012"),
    ];
    let config = load("", &environment).unwrap();
    assert_eq!(config.http.allowed_origins, ["https://a.example.com", "http://localhost:3000"]);
    let roles: Vec<_> = config.auth.api_keys.iter().map(|key| (key.name.as_str(), key.role)).collect();
    assert_eq!(roles, [("shop", Role::Publish), ("ops", Role::Admin)]);
    assert_eq!(config.auth.jwt_secret, Some(Secret::new("12345678901234567890123456789012")));
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    assert_says("[http]\nlisen = \"x\"", &NONE, &["http.lisen (engage.toml) is no key", "did you mean http.listen?"]);
    assert_says("[cluster]\nlenght = \"1h\"", &NONE, &["cluster.lenght", "window.length"]);
    assert_says("[htp]\nlisten = \"x\"", &NONE, &["[htp] (engage.toml) is no section", "did you mean [http]?"]);
    assert_says("data_dir = \"x\"", &NONE, &["data_dir (engage.toml) stands in no section", "node.data_dir"]);
    assert_says(
        "",
        &[("ENGAGE_HTTP__LISTENER", "x")],
        &["ENGAGE_HTTP__LISTENER (environment) names no key", "did you mean ENGAGE_HTTP__LISTEN?"],
    );
    assert_says("", &[("ENGAGE_HTTP_LISTEN", "x")], &["ENGAGE_HTTP_LISTEN (environment)", "two underscores", "ENGAGE_HTTP__LISTEN"]);
    assert_says(
        "[auth]\napi_keys = [{ name = \"a\", key = \"0123456789abcdef\", roll = \"read\" }]",
        &NONE,
        &["auth.api_keys", "unknown field roll"],
    );
}

#[test]
fn all_unknown_keys_are_named_at_once() {
    assert_says("[http]\na = 1\n[window]\nb = 2", &[("ENGAGE_NODE__C", "3")], &["http.a", "window.b", "ENGAGE_NODE__C"]);
}

#[test]
fn variables_of_others_are_left_alone() {
    let environment = [
        ("ENGAGE_SERVICE_HOST", "10.0.0.1"),
        ("ENGAGE_PORT_7400_TCP", "x"),
        ("ENGAGE_API_KEY", "k"),
        ("ENGAGE_CONFIG", "f"),
        ("ENGAGE_LOG", "debug"),
    ];
    assert_eq!(load("", &environment).unwrap(), Config::default());
}

#[test]
fn a_wrong_value_is_named_with_its_key_its_place_and_what_is_allowed() {
    assert_says("[http]\nrequest_timeout = \"5\"", &NONE, &["http.request_timeout (engage.toml) = \"5\" is not a duration", "90s"]);
    assert_says("[http]\nrequest_timeout = 5", &NONE, &["http.request_timeout (engage.toml) = 5 is not a duration"]);
    assert_says(
        "[http]\nrequest_timeout = \"9h\"",
        &NONE,
        &["http.request_timeout (engage.toml) = \"9h\" is out of range", "from 100ms to 1m"],
    );
    assert_says("[http]\nlisten = \"here\"", &NONE, &["http.listen (engage.toml) = \"here\"", "127.0.0.1:7400"]);
    assert_says("[limits]\nmax_frame = \"64KB\"", &NONE, &["limits.max_frame (engage.toml) = \"64KB\" is not a size", "64KiB"]);
    assert_says("[cluster]\nshards = 0", &NONE, &["cluster.shards (engage.toml) = 0 is out of range", "from 1 to 1024"]);
    assert_says("[cluster]\nshards = 70000", &NONE, &["cluster.shards (engage.toml) = 70000 is out of range", "from 1 to 1024"]);
    assert_says("[cluster]\nshards = -1", &NONE, &["cluster.shards (engage.toml) = -1 is out of range"]);
    assert_says("", &[("ENGAGE_CLUSTER__SHARDS", "many")], &["cluster.shards (ENGAGE_CLUSTER__SHARDS) = \"many\" is not a whole number"]);
    assert_says("", &[("ENGAGE_CLUSTER__SHARDS", "5000")], &["cluster.shards (ENGAGE_CLUSTER__SHARDS) = 5000 is out of range"]);
    assert_says("", &[("ENGAGE_NODE__NAME", "")], &["node.name (ENGAGE_NODE__NAME) is empty"]);
    assert_says("[node]\nstorage = \"tape\"", &NONE, &["node.storage (engage.toml) = \"tape\" is not one of disk, memory"]);
    assert_says("[buffer]\noverflow = \"x\"", &NONE, &["buffer.overflow", "reject, drop_oldest"]);
    assert_says("[node]\nname = \"a b\"", &NONE, &["node.name (engage.toml) = \"a b\" is not a name"]);
    assert_says("[http]\nallowed_origins = [\"*\"]", &NONE, &["http.allowed_origins (engage.toml) holds \"*\""]);
    assert_says("[http]\nallowed_origins = [\"https://a.b/c\"]", &NONE, &["which is no origin"]);
    assert_says("[cluster]\nadvertise = \"n1\"", &NONE, &["cluster.advertise (engage.toml) = \"n1\" is not host:port"]);
    assert_says("[cluster]\nadvertise = \"0.0.0.0:7401\"", &NONE, &["cluster.advertise (engage.toml)", "the other nodes reach this one"]);
    assert_says("[log]\nlevel = \"loud=very\"", &NONE, &["log.level (engage.toml)", "debug"]);
    assert_says("[log]\nlevel = \"loud\"", &NONE, &["log.level (engage.toml) = \"loud\" is not a level", "debug"]);
    assert_says(
        "[http]\ntls_cert = \"/nowhere.pem\"\ntls_key = \"/nowhere.key\"",
        &NONE,
        &["http.tls_cert", "/nowhere.pem", "http.tls_key"],
    );
    assert_says("[auth]\njwks_file = \"/nowhere.json\"", &NONE, &["auth.jwks_file (engage.toml) = \"/nowhere.json\" can't be read"]);
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    assert_says(
        "[cluster]\nshards = 0\n[buffer]\nmax_bytes = \"1KiB\"\n[window]\nlength = \"0s\"",
        &NONE,
        &["cluster.shards", "buffer.max_bytes", "window.length"],
    );
    assert_says(
        "[http]\nlisten = 7400\nworkers = \"x\"\n[buffer]\noverflow = \"x\"\nmax_bytes = 12\n[window]\nlength = \"24\"",
        &[("ENGAGE_NODE__STORAGE", "tape")],
        &[
            "http.listen (engage.toml) = 7400 is not valid",
            "http.workers",
            "buffer.overflow",
            "buffer.max_bytes (engage.toml) = 12",
            "window.length",
            "node.storage (ENGAGE_NODE__STORAGE)",
        ],
    );
}

#[test]
fn values_that_do_not_fit_each_other_are_refused() {
    assert_says("[cluster]\nheartbeat = \"300ms\"", &NONE, &["twice cluster.heartbeat = 600ms must be shorter", "election_timeout_min"]);
    assert_says("[cluster]\nelection_timeout_min = \"500ms\"", &NONE, &["cluster.election_timeout_min", "cluster.election_timeout_max"]);
    assert_says("[cluster]\nelection_timeout_max = \"20s\"", &NONE, &["cluster.lease", "http.request_timeout"]);
    assert_says("[limits]\nrecords_per_user = 100", &NONE, &["limits.records_per_user", "buffer.max_deliveries = 256"]);
    assert_says("[buffer]\nmax_bytes = \"1MiB\"", &NONE, &["limits.outbox_bytes", "at least 2176 KiB", "buffer.max_bytes = 1MiB"]);
    assert_says("[limits]\nmax_bulk_body = \"32KiB\"", &NONE, &["limits.max_bulk_body", "limits.max_body"]);
    assert_says("[cluster]\nlisten = \"127.0.0.1:7400\"", &NONE, &["cluster.listen", "http.listen"]);
    assert_says("[http]\ntls_cert = \"/dev/null\"", &NONE, &["http.tls_key is missing", "http.tls_cert is set"]);
    assert_says(
        "[auth]\njwt_secret = \"12345678901234567890123456789012\"\njwks_file = \"/dev/null\"",
        &NONE,
        &["auth.jwks_file", "auth.jwt_secret"],
    );
}

#[test]
fn a_node_that_listens_on_all_its_addresses_says_under_which_one_the_others_reach_it() {
    let secret = [("ENGAGE_CLUSTER__SECRET", "0123456789abcdef0123456789abcdef")];
    assert_says("[cluster]\nlisten = \"0.0.0.0:7401\"", &secret, &["cluster.advertise is missing", "cluster.listen = 0.0.0.0:7401"]);
    let config = load("[cluster]\nlisten = \"0.0.0.0:7401\"\nadvertise = \"n1.example.com:7401\"", &secret).unwrap();
    assert_eq!((config.cluster_address(7401), config.http_address(7400)), ("n1.example.com:7401".to_owned(), "127.0.0.1:7400".to_owned()));
    let mut everywhere = config;
    everywhere.http.listen = "0.0.0.0:7400".parse().unwrap();
    assert_eq!(everywhere.http_address(7400), "n1.example.com:7400");
    assert_eq!(Config::default().cluster_address(7401), "127.0.0.1:7401");
}

#[test]
fn a_tls_file_that_holds_something_else_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    fs::write(&cert, "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----\n").unwrap();
    fs::write(&key, "-----BEGIN EC PRIVATE KEY-----\nMII=\n-----END EC PRIVATE KEY-----\n").unwrap();
    let text = |cert: &PathBuf, key: &PathBuf| format!("[cluster]\ntls_cert = {cert:?}\ntls_key = {key:?}\ntls_ca = {cert:?}");
    load(&text(&cert, &key), &NONE).unwrap();
    assert_says(
        &text(&key, &cert),
        &NONE,
        &["cluster.tls_cert", "holds no certificate", "cluster.tls_key", "holds no private key", "cluster.tls_ca"],
    );
    assert_says("[cluster]\ntls_ca = \"/dev/null\"", &NONE, &["cluster.tls_cert is missing", "cluster.tls_key is missing"]);
}

#[test]
fn what_is_allowed_and_unwise_is_advised_against() {
    assert_eq!(Config::default().advice(), Vec::<String>::new());
    let config = load("[cluster]\nreplication = 4\nlease = \"2s\"\nelection_timeout_max = \"1500ms\"", &NONE).unwrap();
    let advice = config.advice().join("\n");
    for part in
        ["cluster.replication = 4 outlives no more dead nodes than 3 does", "cluster.lease = 2s is shorter than a failover may take (3s)"]
    {
        assert!(advice.contains(part), "{advice}");
    }
    let mut reachable = Config::default();
    reachable.http.listen = "10.0.0.1:7400".parse().unwrap();
    reachable.cluster.listen = "10.0.0.1:7401".parse().unwrap();
    assert_eq!(reachable.advice().len(), 2, "{:?}", reachable.advice());
}

#[test]
fn the_three_shipped_nodes_differ_from_the_defaults_in_name_data_and_addresses_alone() {
    let shipped = [
        (include_str!("../../config/node1.toml"), ("n1", 7400)),
        (include_str!("../../config/node2.toml"), ("n2", 7410)),
        (include_str!("../../config/node3.toml"), ("n3", 7420)),
    ];
    for (text, (name, port)) in shipped {
        let config = load(text, &NONE).unwrap();
        assert_eq!((config.node.name.as_str(), config.node.data_dir.clone()), (name, PathBuf::from("data").join(name)));
        assert_eq!((config.http.listen.port(), config.cluster.listen.port()), (port, port + 1));
        let mut expected = Config::default();
        expected.node.name = name.to_owned();
        expected.node.data_dir.clone_from(&config.node.data_dir);
        expected.http.listen.set_port(port);
        expected.cluster.listen.set_port(port + 1);
        assert_eq!(config, expected);
    }
}

#[test]
fn weak_and_documented_secrets_are_refused_and_no_secret_is_shown() {
    let cases = [
        ("[auth]\njwt_secret = \"planted\"", "auth.jwt_secret (engage.toml) has 7 bytes; hint: 32"),
        ("[auth]\njwt_secret = \"planted-change-me-change-me-change-me\"", "is an example from the documentation"),
        ("[auth]\njwt_secret = [\"planted\"]", "auth.jwt_secret (engage.toml) has the wrong type"),
        ("[cluster]\nsecret = \"planted\"", "cluster.secret (engage.toml) has 7 bytes"),
        (
            "[auth]\napi_keys = [{ name = \"a\", key = \"planted\", role = \"read\" }]",
            "auth.api_keys[0] (engage.toml) has 7 bytes; hint: 16",
        ),
        ("[auth]\napi_keys = [{ name = \"a\", key = \"planted planted planted\", role = \"read\" }]", "can't stand in a header"),
        ("[auth]\napi_keys = [{ name = \"a\", key = \"planted\", role = \"planted\" }]", "not one of publish, read, admin"),
        ("[auth]\napi_keys = \"planted\"", "auth.api_keys"),
    ];
    for (text, part) in cases {
        let error = error_of(text, &NONE);
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("planted"), "{error}");
    }
    let error = error_of("", &[("ENGAGE_AUTH__API_KEYS", "a:planted-planted:root")]);
    assert!(
        error.contains("auth.api_keys (ENGAGE_AUTH__API_KEYS)") && error.contains("publish, read, admin") && !error.contains("planted"),
        "{error}"
    );
}

#[test]
fn no_two_api_keys_have_one_name_or_one_key() {
    let twice = |second: &str| format!("a:0123456789abcdef:read,{second}:publish");
    assert_says("", &[("ENGAGE_AUTH__API_KEYS", &twice("a:fedcba9876543210"))], &["auth.api_keys[1]", "has the name of another key: a"]);
    assert_says("", &[("ENGAGE_AUTH__API_KEYS", &twice("b:0123456789abcdef"))], &["auth.api_keys[1]", "has the same key as another one"]);
}

#[test]
fn beyond_loopback_a_node_needs_its_secrets_and_says_which_are_missing() {
    let public = "[http]\nlisten = \"0.0.0.0:7400\"";
    assert_says(
        public,
        &NONE,
        &["auth.jwt_secret is missing", "ENGAGE_AUTH__JWT_SECRET", "auth.api_keys is missing", "http.listen = 0.0.0.0:7400"],
    );
    assert_says("[cluster]\nlisten = \"[::]:7401\"", &NONE, &["cluster.secret is missing", "ENGAGE_CLUSTER__SECRET"]);
    let secret = "0123456789abcdef0123456789abcdef";
    let environment = [("ENGAGE_AUTH__JWT_SECRET", secret), ("ENGAGE_AUTH__API_KEYS", "shop:0123456789abcdef:admin")];
    load(public, &environment).unwrap();
    load("[http]\nlisten = \"[::1]:7400\"", &NONE).unwrap();
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_named() {
    let missing = Config::load_from(Some(&PathBuf::from("/nowhere/engage.toml")), NONE).unwrap_err().to_string();
    assert!(missing.contains("configuration file /nowhere/engage.toml can't be read"), "{missing}");
    assert_says("[http\nlisten", &NONE, &["configuration file engage.toml is not valid TOML", "line 1"]);
}

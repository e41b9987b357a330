//! Checks a configuration as a whole: ranges, how values fit each other, files that must be there, and secrets that must be strong enough. Collects everything
//! that is wrong, so that an operator mends it in one go.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;

use super::error::{ConfigError, Problem};
use super::keys::variable_of;
use super::ranges::RANGES;
use super::secret::Secret;
use super::{Config, relations};

/// A token key signs for every user: as long as the hash that it feeds.
const JWT_SECRET_MIN_BYTES: usize = 32;
const CLUSTER_SECRET_MIN_BYTES: usize = 32;
const API_KEY_MIN_BYTES: usize = 16;
const SECRET_MAX_BYTES: usize = 4_096;

/// Words by which our documentation marks a value as an example, or says how to make one. Such a value is known to everybody.
const EXAMPLE_WORDS: [&str; 5] = ["example", "change-me", "changeme", "make one", "openssl rand"];

pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    let mut problems = Vec::new();
    ranges(config, &mut problems);
    texts(config, &mut problems);
    relations::check(config, &mut problems);
    files(config, &mut problems);
    secrets(config, &mut problems);
    missing(config, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(ConfigError::Invalid(problems)) }
}

fn ranges(config: &Config, problems: &mut Vec<Problem>) {
    let values = serde_json::to_value(config).expect("a configuration is representable as JSON");
    for (key, range) in RANGES {
        let value = values.pointer(&format!("/{}", key.replace('.', "/"))).unwrap_or(&serde_json::Value::Null);
        if !range.holds(value) {
            problems.push(Problem::of(key, format!("= {value} is out of range; hint: {range}")));
        }
    }
}

fn texts(config: &Config, problems: &mut Vec<Problem>) {
    if !is_name(&config.node.name) {
        problems.push(Problem::of(
            "node.name",
            format!("= {:?} is not a name; hint: 1 to 64 letters, digits, dots, hyphens or underscores", config.node.name),
        ));
    }
    if config.node.data_dir.as_os_str().is_empty() {
        problems.push(Problem::of("node.data_dir", "= \"\" is not a directory"));
    }
    for origin in &config.http.allowed_origins {
        if !is_origin(origin) {
            problems.push(Problem::of("http.allowed_origins", format!("holds {origin:?}, which is no origin; hint: scheme and host as a browser sends them, like https://app.example.com, without a path or a wildcard")));
        }
    }
    if let Some(advertise) = &config.cluster.advertise {
        advertised(advertise, problems);
    }
    if let Err(reason) = crate::telemetry::judge_filter(&config.log.level) {
        problems.push(Problem::of(
            "log.level",
            format!("= {:?} is not a level: {reason}; hint: error, warn, info, debug or trace", config.log.level),
        ));
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
}

fn is_origin(origin: &str) -> bool {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).unwrap_or_default();
    !host.is_empty() && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-:[]".contains(&b))
}

/// Other nodes connect to it: it must be a host of its own.
fn advertised(advertise: &str, problems: &mut Vec<Problem>) {
    if !is_host_and_port(advertise) {
        problems.push(Problem::of("cluster.advertise", format!("= {advertise:?} is not host:port")));
    } else if advertise.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_unspecified()) {
        let message =
            format!("= {advertise:?} is every address of whoever reads it; hint: the host under which the other nodes reach this one");
        problems.push(Problem::of("cluster.advertise", message));
    }
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

fn files(config: &Config, problems: &mut Vec<Problem>) {
    let Config { http, cluster, auth, .. } = config;
    let named = [
        ("http.tls_cert", &http.tls_cert),
        ("http.tls_key", &http.tls_key),
        ("cluster.tls_cert", &cluster.tls_cert),
        ("cluster.tls_key", &cluster.tls_key),
        ("cluster.tls_ca", &cluster.tls_ca),
        ("auth.jwt_public_key_file", &auth.jwt_public_key_file),
        ("auth.jwks_file", &auth.jwks_file),
    ];
    for (key, path) in named {
        if let Some(error) = path.as_deref().and_then(unreadable) {
            problems.push(Problem::of(key, format!("= {:?} can't be read: {error}", path.as_deref().unwrap_or(Path::new("")))));
        }
    }
    let certificates = [("http.tls_cert", &http.tls_cert), ("cluster.tls_cert", &cluster.tls_cert), ("cluster.tls_ca", &cluster.tls_ca)];
    for (key, path) in certificates {
        holds_pem(key, path.as_deref(), ("CERTIFICATE", "certificate"), problems);
    }
    for (key, path) in [("http.tls_key", &http.tls_key), ("cluster.tls_key", &cluster.tls_key)] {
        holds_pem(key, path.as_deref(), ("PRIVATE KEY", "private key"), problems);
    }
    together(problems, &[("http.tls_cert", http.tls_cert.is_some()), ("http.tls_key", http.tls_key.is_some())]);
    let cluster_tls = [
        ("cluster.tls_cert", cluster.tls_cert.is_some()),
        ("cluster.tls_key", cluster.tls_key.is_some()),
        ("cluster.tls_ca", cluster.tls_ca.is_some()),
    ];
    together(problems, &cluster_tls);
}

fn unreadable(path: &Path) -> Option<std::io::Error> {
    match std::fs::metadata(path).and_then(|metadata| std::fs::File::open(path).map(|_| metadata)) {
        Ok(metadata) if metadata.is_dir() => Some(std::io::ErrorKind::IsADirectory.into()),
        Ok(_) => None,
        Err(error) => Some(error),
    }
}

/// A readable file that is no PEM of the right kind is likely another one than was meant. Whether it can be used is seen at the start.
fn holds_pem(key: &str, path: Option<&Path>, (label, what): (&str, &str), problems: &mut Vec<Problem>) {
    let Some((path, bytes)) = path.and_then(|path| std::fs::read(path).ok().map(|bytes| (path, bytes))) else { return };
    let text = String::from_utf8_lossy(&bytes);
    let is_one = |line: &str| line.starts_with("-----BEGIN ") && line.trim_end().ends_with(&format!("{label}-----"));
    if !text.lines().any(is_one) {
        problems.push(Problem::of(key, format!("= {path:?} holds no {what}; hint: a PEM file, with a line -----BEGIN {label}-----")));
    }
}

/// Keys that make sense only all together.
fn together(problems: &mut Vec<Problem>, keys: &[(&str, bool)]) {
    let Some((set, _)) = keys.iter().find(|(_, is_set)| *is_set) else { return };
    for (key, _) in keys.iter().filter(|(_, is_set)| !is_set) {
        problems.push(Problem::of(key, format!("is missing: {set} is set; hint: set both, or neither")));
    }
}

fn secrets(config: &Config, problems: &mut Vec<Problem>) {
    let Config { auth, cluster, .. } = config;
    let ways = [
        ("auth.jwt_secret", auth.jwt_secret.is_some()),
        ("auth.jwt_public_key_file", auth.jwt_public_key_file.is_some()),
        ("auth.jwks_file", auth.jwks_file.is_some()),
    ];
    let set: Vec<&str> = ways.iter().filter(|(_, is_set)| *is_set).map(|(key, _)| *key).collect();
    if set.len() > 1 {
        problems.push(Problem::of(set[1], format!("is set besides {}; hint: tokens are checked in one way, keep one of them", set[0])));
    }
    if let Some(secret) = &auth.jwt_secret {
        strong("auth.jwt_secret", secret, JWT_SECRET_MIN_BYTES, problems);
    }
    if let Some(secret) = &cluster.secret {
        strong("cluster.secret", secret, CLUSTER_SECRET_MIN_BYTES, problems);
    }
    let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for (index, key) in auth.api_keys.iter().enumerate() {
        let place = format!("auth.api_keys[{index}]");
        if !is_name(&key.name) {
            problems.push(Problem::of(&place, "has a name that is not 1 to 64 letters, digits, dots, hyphens or underscores"));
        } else if !names.insert(&key.name) {
            problems.push(Problem::of(&place, format!("has the name of another key: {}", key.name)));
        }
        if !keys.insert(key.key.expose()) {
            problems.push(Problem::of(&place, format!("({}) has the same key as another one", key.name)));
        }
        if !key.key.expose().bytes().all(|b| b.is_ascii_graphic()) {
            problems.push(Problem::of(
                &place,
                format!("({}) has a key that can't stand in a header; hint: letters, digits and signs of ASCII, no spaces", key.name),
            ));
        }
        strong(&place, &key.key, API_KEY_MIN_BYTES, problems);
    }
}

fn strong(key: &str, secret: &Secret, min_bytes: usize, problems: &mut Vec<Problem>) {
    let text = secret.expose().to_lowercase();
    if EXAMPLE_WORDS.iter().any(|word| text.contains(word)) {
        problems.push(Problem::of(
            key,
            "is an example from the documentation, known to everybody; hint: make one with: openssl rand -base64 32",
        ));
    } else if !(min_bytes..=SECRET_MAX_BYTES).contains(&secret.len_bytes()) {
        let message =
            format!("has {} bytes; hint: {min_bytes} to {SECRET_MAX_BYTES}; make one with: openssl rand -base64 32", secret.len_bytes());
        problems.push(Problem::of(key, message));
    }
}

/// What a node on loopback makes for itself (`secrets`), one that others can reach must be given.
fn missing(config: &Config, problems: &mut Vec<Problem>) {
    let Config { auth, cluster, http, .. } = config;
    if !http.listen.ip().is_loopback() {
        if !auth.has_token_key() {
            require("auth.jwt_secret", "http.listen", http.listen, " (or auth.jwt_public_key_file, or auth.jwks_file)", problems);
        }
        if auth.api_keys.is_empty() {
            require("auth.api_keys", "http.listen", http.listen, "", problems);
        }
    }
    if !cluster.listen.ip().is_loopback() && cluster.secret.is_none() {
        require("cluster.secret", "cluster.listen", cluster.listen, "", problems);
    }
}

fn require(key: &str, listen_key: &str, listen: SocketAddr, or: &str, problems: &mut Vec<Problem>) {
    let hint = format!("hint: set {}, or listen on 127.0.0.1, where a node makes its own", variable_of(key));
    problems.push(Problem::of(key, format!("is missing{or}: {listen_key} = {listen} can be reached from elsewhere; {hint}")));
}

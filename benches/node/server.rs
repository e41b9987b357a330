//! The node under test: the binary that was built with the bench, as a process of its own, and what the system says of it.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use engage::ledger::ids::{DeviceId, UserId};
use serde_json::{Value, json};
use tempfile::TempDir;

const KEY: &str = "bench-key-0123456789";
const SECRET: &str = "bench-secret-0123456789-0123456789";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Memory,
    Disk,
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Storage::Memory { "memory" } else { "disk" })
    }
}

/// A running node; it ends with this value.
pub struct Server {
    pub address: SocketAddr,
    process: Child,
    pub caller: Caller,
    _data: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address on loopback that nobody has.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free")
}

impl Server {
    /// Starts it and waits until it is ready.
    pub fn start(storage: Storage) -> Server {
        let server = Server::launch(storage, &["serve"], &[]);
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(server.wait_until_ready()));
        server
    }

    /// Starts a node by any arguments, with settings besides those that all have.
    pub fn launch(storage: Storage, arguments: &[&str], settings: &[(&str, &str)]) -> Server {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let data = tempfile::tempdir().expect("a folder can be made");
        let address = free_address();
        let binary = std::env::var("ENGAGE_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_engage").to_owned());
        let process = Command::new(binary)
            .args(arguments)
            .env("ENGAGE_NODE__DATA_DIR", data.path())
            .env("ENGAGE_NODE__STORAGE", storage.to_string())
            .env("ENGAGE_HTTP__LISTEN", address.to_string())
            .env("ENGAGE_AUTH__JWT_SECRET", SECRET)
            .env("ENGAGE_AUTH__API_KEYS", format!("bench:{KEY}:admin"))
            .env("ENGAGE_CLUSTER__SECRET", SECRET)
            .env("ENGAGE_LIMITS__MESSAGES_PER_SECOND", "1000000")
            .env("ENGAGE_LOG__LEVEL", "warn")
            .envs(settings.iter().copied())
            .current_dir(data.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("the node starts");
        Server { address, process, caller: Caller { address, http: reqwest::Client::new() }, _data: data }
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Waits until it says of itself that it is ready.
    pub async fn wait_until_ready(&self) {
        for _ in 0..400 {
            let answer = self.caller.http.get(format!("http://{}/readyz", self.address)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the node is not ready after 20 s");
    }

    /// Publishes one engagement to all; the window of each.
    pub async fn publish(&self, users: &[String], id: &str, steps: u32) -> Vec<String> {
        let answer = self.try_publish(users, id, steps).await.expect("the node answers");
        let results = answer["results"].as_array().unwrap_or_else(|| panic!("{answer}"));
        let windows = results.iter().map(|result| result["window"].as_str().unwrap_or_else(|| panic!("{result}")).to_string());
        windows.collect()
    }

    /// The same, of a node that may be gone; the answer as it came.
    pub async fn try_publish(&self, users: &[String], id: &str, steps: u32) -> Result<Value, reqwest::Error> {
        let body = json!({"users": users, "engagement": {"id": id, "payload": {"text": "x".repeat(200)}, "steps": steps}});
        self.caller.try_publish_body(&body).await
    }

    /// What it answers to a GET.
    pub async fn get(&self, path: &str) -> Result<Value, reqwest::Error> {
        self.caller.get(path).await?.json().await
    }

    /// The text of what it answers.
    pub async fn get_text(&self, path: &str) -> Result<String, reqwest::Error> {
        self.caller.get(path).await?.text().await
    }

    pub fn token(&self, user: &str) -> String {
        let user = UserId::parse(user).expect("a valid id");
        let expires_at_s = engage::clock::wall_ms() / 1_000 + 3_600;
        engage::protocol::token::mint_hs256(SECRET.as_bytes(), &user, None::<&DeviceId>, expires_at_s).expect("a token can be made")
    }

    /// Resident memory of the process.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("the process lives");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("the kernel tells it");
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
    }

    /// CPU time of the process, user and system together, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("the process lives");
        let after_name = stat.rsplit(") ").next().expect("a name in brackets");
        let ticks: u64 = after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        ticks as f64 / 100.0
    }

    pub async fn expect_metric_zero(&self, name: &str) {
        let text = self.get_text("/metrics").await.expect("the node answers");
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in the metrics"));
        assert!(line.ends_with(" 0"), "{line}");
    }
}

/// Calls the node's API. A task may have one of its own.
#[derive(Clone)]
pub struct Caller {
    address: SocketAddr,
    http: reqwest::Client,
}

impl Caller {
    /// Publishes to many, whatever it is.
    pub async fn try_publish_body(&self, body: &Value) -> Result<Value, reqwest::Error> {
        let request = self.http.post(format!("http://{}/v1/engagements", self.address)).bearer_auth(KEY).json(body);
        request.send().await?.json().await
    }

    async fn get(&self, path: &str) -> Result<reqwest::Response, reqwest::Error> {
        self.http.get(format!("http://{}{path}", self.address)).bearer_auth(KEY).send().await
    }
}

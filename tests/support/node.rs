//! A node as a real process on free loopback ports, with a data directory and a configuration by environment. It can be killed, stopped and started again
//! on the same data. Nothing of it outlives the test process, however that one ends.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::process::{Process, Start, log_path, tail};
use super::token::SECRET;
use super::wait::{self, until_blocking};

/// The API keys of every node of the tests, one for each role.
pub const PUBLISH_KEY: &str = "key-of-the-publisher-0123456789abcdef";
pub const READ_KEY: &str = "key-of-the-reader-0123456789abcdef012";
pub const ADMIN_KEY: &str = "key-of-the-admin-0123456789abcdef0123";

/// So much of a log is shown when a test fails.
const LOG_LINES: usize = 40;

/// The configuration of a node, by the keys of the contract: `section.key`.
#[derive(Clone)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// The defaults of the contract, with the secrets of the tests, and few shards so that a node starts fast.
    pub fn new() -> Settings {
        Settings(BTreeMap::new())
            .with("auth.jwt_secret", SECRET)
            .with("auth.api_keys", &format!("publisher:{PUBLISH_KEY}:publish,reader:{READ_KEY}:read,admin:{ADMIN_KEY}:admin"))
            .with("cluster.shards", "4")
    }

    /// Sets one key.
    pub fn with(mut self, key: &str, value: &str) -> Settings {
        self.0.insert(format!("ENGAGE_{}", key.replace('.', "__").to_uppercase()), value.to_owned());
        self
    }

    /// As a process gets it.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Leaves one key to its default.
    pub fn without(mut self, key: &str) -> Settings {
        self.0.remove(&format!("ENGAGE_{}", key.replace('.', "__").to_uppercase()));
        self
    }
}

/// Where a node listens, also while it is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(pub String);

/// A node of the tests.
pub struct Node {
    home: PathBuf,
    settings: Settings,
    http_port: u16,
    /// The limit of open files that its processes get, if not the one of the tests.
    open_files: Option<u32>,
    run: Option<Process>,
}

impl Node {
    /// Starts a node and waits until it is ready.
    pub fn start(settings: Settings) -> Node {
        Node::start_with(settings, None)
    }

    /// Starts a node that may open so many files, and waits until it is ready.
    pub fn start_with_open_files(settings: Settings, open_files: u32) -> Node {
        Node::start_with(settings, Some(open_files))
    }

    fn start_with(settings: Settings, open_files: Option<u32>) -> Node {
        let home = tempfile::Builder::new().prefix("engage-test-").tempdir().expect("a temporary directory").keep();
        let http_port = free_port();
        let settings = settings
            .with("node.data_dir", home.join("data").to_str().expect("a path of UTF-8"))
            .with("http.listen", &format!("127.0.0.1:{http_port}"))
            .with("cluster.listen", &format!("127.0.0.1:{}", free_port()));
        let mut node = Node { home, settings, http_port, open_files, run: None };
        node.start_again();
        node
    }

    /// Starts it again, on the data that its last run left, and waits until it is ready.
    pub fn start_again(&mut self) {
        self.spawn();
        self.wait_until_ready();
    }

    /// The same, while other tasks of the test go on.
    pub async fn start_again_async(&mut self) {
        self.spawn();
        wait::until("the node is ready", || std::future::ready(self.is_ready_now().then_some(()))).await;
    }

    fn spawn(&mut self) {
        assert!(self.run.is_none(), "the node runs");
        let environment = self.settings.environment();
        let start = Start { arguments: &["serve"], environment, home: &self.home, open_files: self.open_files, seat: None };
        self.run = Some(Process::spawn(&start));
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// `127.0.0.1:port`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.http_port)
    }

    /// The same, for those that go on while the node is down.
    pub fn address_of(&self) -> Address {
        Address(self.address())
    }

    /// The node's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    /// All that its runs have written to stdout and stderr.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_path(&self.home)).unwrap_or_default()
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        self.run.take().expect("the node runs").kill();
    }

    /// Tells it to stop (SIGTERM), without waiting.
    pub fn ask_to_stop(&self) {
        self.run.as_ref().expect("the node runs").signal(Signal::TERM);
    }

    /// Waits until it has ended by itself; how it ended, and how long that took from the call.
    pub fn wait_for_exit(&mut self) -> (ExitStatus, Duration) {
        self.run.take().expect("the node runs").wait_for_exit()
    }

    /// Stops it in good order, and starts it again.
    pub fn stop_and_start_again(&mut self) {
        self.ask_to_stop();
        let (status, _) = self.wait_for_exit();
        assert!(status.success(), "a stopped node exits with 0, not {status}; its log ends: {}", tail(&self.log(), LOG_LINES));
        self.start_again();
    }

    fn wait_until_ready(&mut self) {
        until_blocking("the node is ready", || self.is_ready_now().then_some(()));
    }

    fn is_ready_now(&mut self) -> bool {
        if let Some(status) = self.run.as_mut().expect("it was started").ended() {
            panic!("the node ended ({status}) before it was ready: {}", tail(&self.log(), LOG_LINES));
        }
        is_ready(&self.address())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.run.is_some() {
            self.kill();
        }
        if std::thread::panicking() {
            eprintln!("the node's log ends: {}", tail(&self.log(), LOG_LINES));
        }
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// Whether a node says of itself that it is ready.
pub fn is_ready(address: &str) -> bool {
    let Ok(mut socket) = TcpStream::connect(address) else { return false };
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout can be set");
    socket.write_all(request.as_bytes()).is_ok() && socket.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// A free port, from below the range that the system gives to outgoing connections: a node that starts again finds its port free.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    for _ in 0..20_000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let start = u16::try_from(std::process::id() % 20_000).expect("it is below 20,000");
        let port = 10_000 + (start + step) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}

//! A node as a real process on free loopback ports, with a data directory and a configuration by environment. It can be killed, stopped and started again
//! on the same data. Nothing of it outlives the test process, however that one ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use std::io::{Read, Write};

use engage::clock;

use super::runner;
use super::token::SECRET;
use super::wait::{self, until_blocking};

/// The API keys of every node of the tests, one for each role.
pub const PUBLISH_KEY: &str = "key-of-the-publisher-0123456789abcdef";
pub const READ_KEY: &str = "key-of-the-reader-0123456789abcdef012";
pub const ADMIN_KEY: &str = "key-of-the-admin-0123456789abcdef0123";

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

    /// Leaves one key to its default.
    pub fn without(mut self, key: &str) -> Settings {
        self.0.remove(&format!("ENGAGE_{}", key.replace('.', "__").to_uppercase()));
        self
    }
}

/// Where a node listens, also while it is down.
#[derive(Clone)]
pub struct Address(pub String);

/// A node of the tests.
pub struct Node {
    home: PathBuf,
    settings: Settings,
    http_port: u16,
    /// The limit of open files that its processes get, if not the one of the tests.
    open_files: Option<u32>,
    run: Option<Run>,
}

/// One process of the node, and the shell that ends it should the tests end without doing so.
struct Run {
    process: Child,
    watcher: Child,
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
        let log = File::options().create(true).append(true).open(self.log_path()).expect("the log can be opened");
        let process = self
            .command()
            .env_clear()
            .envs(&self.settings.0)
            .env("RUST_BACKTRACE", "1")
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let watcher = watch(process.id(), &self.home);
        self.run = Some(Run { process, watcher });
    }

    fn command(&self) -> Command {
        let Some(open_files) = self.open_files else {
            let mut command = Command::new(runner::binary());
            command.arg("serve");
            return command;
        };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "ulimit -n \"$1\" && exec \"$0\" serve"]).arg(runner::binary()).arg(open_files.to_string());
        command
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
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Ends it at once, as a crash does.
    pub fn kill(&mut self) {
        let mut run = self.run.take().expect("the node runs");
        end(&mut run.watcher);
        end(&mut run.process);
    }

    /// Tells it to stop (SIGTERM), without waiting.
    pub fn ask_to_stop(&self) {
        let run = self.run.as_ref().expect("the node runs");
        let status = Command::new("kill").args(["-TERM", &run.process.id().to_string()]).status().expect("kill runs");
        assert!(status.success(), "the node could not be signalled");
    }

    /// Waits until it has ended by itself; how it ended, and how long that took from the call.
    pub fn wait_for_exit(&mut self) -> (ExitStatus, Duration) {
        let start = clock::monotonic();
        let mut run = self.run.take().expect("the node runs");
        let status = until_blocking("the node ends", || run.process.try_wait().expect("its status can be read"));
        let took = clock::monotonic() - start;
        end(&mut run.watcher);
        (status, took)
    }

    /// Stops it in good order, and starts it again.
    pub fn stop_and_start_again(&mut self) {
        self.ask_to_stop();
        let (status, _) = self.wait_for_exit();
        assert!(status.success(), "a stopped node exits with 0, not {status}; its log ends: {}", tail(&self.log()));
        self.start_again();
    }

    fn wait_until_ready(&mut self) {
        until_blocking("the node is ready", || self.is_ready_now().then_some(()));
    }

    fn is_ready_now(&mut self) -> bool {
        let run = self.run.as_mut().expect("it was started");
        if let Some(status) = run.process.try_wait().expect("its status can be read") {
            panic!("the node ended ({status}) before it was ready: {}", tail(&self.log()));
        }
        is_ready(&self.address())
    }

    fn log_path(&self) -> PathBuf {
        self.home.join("log")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.run.is_some() {
            self.kill();
        }
        if std::thread::panicking() {
            eprintln!("the node's log ends: {}", tail(&self.log()));
        }
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// A shell that waits for the end of the test process (then its stdin closes), and ends the node and its data after it.
fn watch(process: u32, home: &Path) -> Child {
    Command::new("sh")
        .args(["-c", "cat >/dev/null; kill -9 \"$1\"; rm -rf -- \"$2\"", "sh", &process.to_string()])
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell starts")
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

fn is_ready(address: &str) -> bool {
    let Ok(mut socket) = TcpStream::connect(address) else { return false };
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout can be set");
    socket.write_all(request.as_bytes()).is_ok() && socket.read_to_string(&mut answer).is_ok() && answer.starts_with("HTTP/1.1 200")
}

/// A free port, from below the range that the system gives to outgoing connections: a node that starts again finds its port free.
fn free_port() -> u16 {
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

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

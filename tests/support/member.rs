//! One node of a cluster of the tests: its ports, its data, and the process that runs it now.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;

use super::api::Api;
use super::node::{ADMIN_KEY, Address, PUBLISH_KEY, Settings, is_ready};
use super::process::{Process, Start, log_path, tail};
use super::seat::Seat;

/// Whether a node runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run {
    Down,
    Up,
    Paused,
}

/// A node of a cluster.
pub struct Member {
    /// `n1`, `n2`, …
    pub name: String,
    home: PathBuf,
    seat: Seat,
    settings: Settings,
    http: Address,
    listen: SocketAddr,
    /// Where the others reach it.
    advertised: SocketAddr,
    process: Option<Process>,
    is_paused: bool,
}

impl Member {
    /// A node that was never started, in its seat.
    pub fn new(name: &str, settings: Settings, seat: Seat) -> Member {
        let home = tempfile::Builder::new().prefix("engage-test-").tempdir().expect("a temporary directory").keep();
        let (http, listen) = seat.addresses();
        let http = Address(http.to_string());
        let settings = settings
            .with("node.name", name)
            .with("node.data_dir", home.join("data").to_str().expect("a path of UTF-8"))
            .with("http.listen", &http.0)
            .with("cluster.listen", &listen.to_string());
        Member { name: name.to_owned(), home, seat, settings, http, listen, advertised: listen, process: None, is_paused: false }
    }

    /// The others are to reach it elsewhere than where it listens.
    pub fn advertise(&mut self, address: SocketAddr) {
        self.advertised = address;
        self.settings = self.settings.clone().with("cluster.advertise", &address.to_string());
    }

    /// Where it listens for the others.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where the others reach it.
    pub fn cluster_address(&self) -> String {
        self.advertised.to_string()
    }

    /// Where publishers and clients reach it.
    pub fn address(&self) -> Address {
        self.http.clone()
    }

    /// A caller with all rights.
    pub fn admin(&self) -> Api {
        Api::at(&self.http, Some(ADMIN_KEY))
    }

    /// A caller that may publish.
    pub fn publisher(&self) -> Api {
        Api::at(&self.http, Some(PUBLISH_KEY))
    }

    /// Whether it runs.
    pub fn run(&self) -> Run {
        match (&self.process, self.is_paused) {
            (None, _) => Run::Down,
            (Some(_), false) => Run::Up,
            (Some(_), true) => Run::Paused,
        }
    }

    /// Runs `engage` with these arguments as this node.
    pub fn start(&mut self, arguments: &[&str]) {
        assert!(self.process.is_none(), "{} runs", self.name);
        let environment = self.settings.environment();
        let start = Start { arguments, environment, home: &self.home, open_files: None, seat: Some(&self.seat) };
        self.process = Some(Process::spawn(&start));
    }

    /// Its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Whether it says of itself that it is ready. A node that has ended is a failure.
    pub fn is_ready_now(&mut self) -> bool {
        if let Some(status) = self.process.as_mut().and_then(Process::ended) {
            panic!("{} ended by itself: {status}", self.name);
        }
        self.run() == Run::Up && is_ready(&self.http.0)
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&mut self) {
        self.is_paused = false;
        self.process.take().expect("the node runs").kill();
    }

    /// Stops its process in its tracks (SIGSTOP).
    pub fn pause(&mut self) {
        self.process.as_ref().expect("the node runs").signal(Signal::STOP);
        self.is_paused = true;
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&mut self) {
        self.process.as_ref().expect("the node runs").signal(Signal::CONT);
        self.is_paused = false;
    }

    /// Tells it to stop (SIGTERM), without waiting.
    pub fn ask_to_stop(&self) {
        self.process.as_ref().expect("the node runs").signal(Signal::TERM);
    }

    /// How it ended, if it has since it was told to stop.
    pub fn has_stopped(&mut self) -> Option<ExitStatus> {
        let status = self.process.as_mut().expect("the node was started").ended()?;
        self.process.take().expect("it was there").kill();
        Some(status)
    }

    /// Waits until it has ended by itself; how it ended, and how long that took.
    pub fn wait_for_exit(&mut self) -> (ExitStatus, Duration) {
        self.process.take().expect("the node runs").wait_for_exit()
    }

    /// Takes its disk away.
    pub fn wipe(&self) {
        assert!(self.process.is_none(), "{} runs", self.name);
        let data = self.home.join("data");
        match std::fs::remove_dir_all(&data) {
            // With everything configured and kept in memory, there is none.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            wiped => wiped.unwrap_or_else(|error| panic!("{} can't be wiped: {error}", data.display())),
        }
    }

    /// CPU time of its process, user and system together, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.process_id().expect("the node runs"))
    }

    /// The last lines of all that its runs have written.
    pub fn log_tail(&self, lines_max: usize) -> String {
        tail(&self.log(), lines_max)
    }

    /// All that its runs have written.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_path(&self.home)).unwrap_or_default()
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// CPU time of a process, as the system counts it: 100 ticks a second.
fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process lives");
    let after_name = stat.rsplit(") ").next().expect("a name in brackets");
    let ticks: u32 = after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    f64::from(ticks) / 100.0
}

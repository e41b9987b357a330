//! The servers under load, as the script started them, and what the run is asked for.

use std::net::SocketAddr;
use std::time::Duration;

use engage::bench::resources;

/// The servers under load.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// Where users connect to.
    pub doors: Vec<SocketAddr>,
    /// Where publishers connect to; the same, where none is given.
    pub publisher_doors: Vec<SocketAddr>,
    pub pids: Vec<u32>,
}

impl Ground {
    /// Where the user or publisher of that number connects to: they are dealt out.
    pub fn door(&self, number: usize) -> SocketAddr {
        self.doors[number % self.doors.len()]
    }

    pub fn publisher_door(&self, number: usize) -> SocketAddr {
        let doors = if self.publisher_doors.is_empty() { &self.doors } else { &self.publisher_doors };
        doors[number % doors.len()]
    }

    /// Seconds of CPU that all servers have used.
    pub fn cpu_seconds(&self) -> f64 {
        self.pids.iter().filter_map(|pid| resources::cpu_seconds(*pid)).sum()
    }

    /// Bytes resident in all servers.
    pub fn resident_bytes(&self) -> u64 {
        self.pids.iter().filter_map(|pid| resources::resident_bytes(*pid)).sum()
    }

    /// The most that was ever resident in one of them.
    pub fn peak_bytes(&self) -> u64 {
        self.pids.iter().filter_map(|pid| resources::peak_bytes(*pid)).max().unwrap_or(0)
    }
}

/// What a run is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    pub user_count: usize,
    /// How long is measured.
    pub span: Duration,
    /// How long the load runs before that.
    pub warm_up: Duration,
    /// Deliveries per second, whatever the servers do; none: a closed loop.
    pub rate: Option<f64>,
    pub payload_bytes: usize,
    /// What waits for each user of `recover`.
    pub waiting_count: usize,
    /// Writes under way at once in `commit`.
    pub writer_count: usize,
    /// What isn't done after so long is told as not done.
    pub patience: Duration,
}

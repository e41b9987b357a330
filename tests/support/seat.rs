//! Where a node lives: its address, and what its processes are started by and with. On loopback, unless a test has prepared other ground. Knows nothing of what a node does.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::node::free_port;

/// Where nodes listen that have an address of their own.
const HTTP_PORT: u16 = 7400;
const CLUSTER_PORT: u16 = 7401;

/// The place of one node on this machine.
#[derive(Clone, Debug)]
pub struct Seat {
    ip: IpAddr,
    /// A command that runs the one that stands behind it, in its own process; empty where none is needed.
    pub launcher: Vec<String>,
    /// What its processes find in their environment besides their configuration.
    pub environment: BTreeMap<String, String>,
}

impl Seat {
    /// On loopback, among others.
    pub fn on_loopback() -> Seat {
        Seat { ip: Ipv4Addr::LOCALHOST.into(), launcher: Vec::new(), environment: BTreeMap::new() }
    }

    /// At an address that is its own, by way of a launcher.
    pub fn at(ip: IpAddr, launcher: Vec<String>) -> Seat {
        Seat { ip, launcher, environment: BTreeMap::new() }
    }

    /// The same with a variable in the environment of its processes.
    pub fn with(mut self, variable: &str, value: &str) -> Seat {
        self.environment.insert(variable.to_owned(), value.to_owned());
        self
    }

    /// The same with a library that stands before all others in its processes.
    pub fn preload(mut self, library: &str) -> Seat {
        let libraries = self.environment.entry("LD_PRELOAD".to_owned()).or_default();
        if !libraries.is_empty() {
            libraries.push(':');
        }
        libraries.push_str(library);
        self
    }

    /// Where a node listens here: for publishers and clients, and for the other nodes.
    pub fn addresses(&self) -> (SocketAddr, SocketAddr) {
        let ports = if self.ip.is_loopback() { (free_port(), free_port()) } else { (HTTP_PORT, CLUSTER_PORT) };
        (SocketAddr::new(self.ip, ports.0), SocketAddr::new(self.ip, ports.1))
    }
}

//! Ports for nodes: below the range that systems give to outgoing connections, so that a node that was killed finds its port free when it comes back.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use rand::RngExt as _;

use super::FleetError;
use crate::dice::dice;

/// Where nodes are that were not told otherwise.
const ANYWHERE: std::ops::Range<u16> = 10_000..30_000;
/// So many ports are looked at before giving up.
const TRIED_MAX: u16 = 10_000;

/// Where to look, when there is no better place.
pub(super) fn anywhere() -> u16 {
    dice().random_range(ANYWHERE)
}

/// So many ports, from `first` on, on which nobody listens.
pub(super) fn free(first: u16, count: usize) -> Result<Vec<u16>, FleetError> {
    // Each is held until all are found, so that none is found twice.
    let mut held = Vec::with_capacity(count);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in first..first.saturating_add(TRIED_MAX) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => held.push((port, listener)),
            Err(error) => last = error,
        }
        if held.len() == count {
            return Ok(held.into_iter().map(|(port, _)| port).collect());
        }
    }
    Err(FleetError::NoPorts(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_free_and_different() {
        let mut ports = free(20_000, 6).expect("some are free");
        assert!(ports.iter().all(|port| *port >= 20_000));
        ports.dedup();
        assert_eq!(ports.len(), 6);
    }
}

//! Ports for the page and for the nodes: low and easy to remember where they are free, and below the range that systems give to outgoing connections, so that a node that was
//! killed finds its port free when it comes back.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use rand::RngExt as _;

use super::DemoError;
use crate::dice::dice;

/// Where the page is, unless it is told otherwise.
pub(super) const PAGE_PORT: u16 = 7480;
/// The first port of the nodes of the demo whose page is there: beside it. Only one demo can have that page, so no other one takes the port of a node that is dead for a while.
const NODE_PORTS: u16 = PAGE_PORT + 1;
/// Where the nodes of other demos are.
const OTHER_PORTS: std::ops::Range<u16> = 10_000..30_000;
/// So many ports are looked at before giving up.
const TRIED_MAX: u16 = 10_000;

/// Takes the port of the page: the one that was asked for, and no other; else the usual one, else a free one.
pub(super) fn listen(wished: Option<u16>) -> Result<TcpListener, DemoError> {
    let port = wished.unwrap_or(PAGE_PORT);
    match (bind(port), wished) {
        (Ok(listener), _) => Ok(listener),
        (Err(error), Some(port)) => Err(DemoError::Port { port, error }),
        (Err(_), None) => bind(0).map_err(DemoError::NoPorts),
    }
}

/// Where to look first for the ports of the nodes of a demo whose page is on this one.
pub(super) fn beside(page: u16) -> u16 {
    if page == PAGE_PORT { NODE_PORTS } else { elsewhere() }
}

/// Where else to look.
pub(super) fn elsewhere() -> u16 {
    dice().random_range(OTHER_PORTS)
}

/// So many ports, from `first` on, on which nobody listens.
pub(super) fn free(first: u16, count: usize) -> Result<Vec<u16>, DemoError> {
    // Each is held until all are found, so that none is found twice.
    let mut held = Vec::with_capacity(count);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in (first..first.saturating_add(TRIED_MAX)).filter(|port| *port != PAGE_PORT) {
        match bind(port) {
            Ok(listener) => held.push((port, listener)),
            Err(error) => last = error,
        }
        if held.len() == count {
            return Ok(held.into_iter().map(|(port, _)| port).collect());
        }
    }
    Err(DemoError::NoPorts(last))
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_asked_for_is_that_one_or_none() {
        let taken = bind(0).expect("a free port");
        let port = taken.local_addr().expect("an address").port();
        assert!(matches!(listen(Some(port)), Err(DemoError::Port { port: refused, .. }) if refused == port));
    }

    #[test]
    fn free_ports_are_free_and_different() {
        let mut ports = free(20_000, 6).expect("some are free");
        assert!(ports.iter().all(|port| *port >= 20_000));
        ports.dedup();
        assert_eq!(ports.len(), 6);
    }
}

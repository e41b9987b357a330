//! The port of the page: low and easy to remember where it is free.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use super::DemoError;

/// Where the page is, unless it is told otherwise.
pub(super) const PAGE_PORT: u16 = 7480;

/// Where to look first for the ports of the nodes of a demo whose page is on this one: beside the usual page. Only one demo can have that, so no other one takes the port of a node
/// that is dead for a while.
pub(super) fn beside(page: u16) -> Option<u16> {
    (page == PAGE_PORT).then_some(PAGE_PORT + 1)
}

/// Takes the port of the page: the one that was asked for, and no other; else the usual one, else a free one.
pub(super) fn listen(wished: Option<u16>) -> Result<TcpListener, DemoError> {
    let port = wished.unwrap_or(PAGE_PORT);
    match (bind(port), wished) {
        (Ok(listener), _) => Ok(listener),
        (Err(error), Some(port)) => Err(DemoError::Port { port, error }),
        (Err(_), None) => bind(0).map_err(DemoError::NoPort),
    }
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
}

//! A second handle on a connection's socket. It is the quick way to end a connection whose client doesn't read: its own task stands still then. Each takes a file
//! descriptor, so only so many connections get one; a stuck one without it is ended by the kernel, when nothing could be delivered for the write time-out.

use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use socket2::{SockRef, Socket};

/// Makes handles, up to a bound.
#[derive(Clone, Debug)]
pub struct Handles {
    in_use: Arc<AtomicUsize>,
    most: usize,
}

impl Handles {
    /// At most so many at a time.
    #[must_use]
    pub fn new(most: usize) -> Handles {
        Handles { in_use: Arc::default(), most }
    }

    /// A second handle on this socket; none, when as many are in use as may be.
    ///
    /// # Errors
    /// What the system says, such as that there are no file descriptors left.
    pub fn second(&self, socket: &SockRef<'_>) -> io::Result<Option<Handle>> {
        if self.in_use.fetch_add(1, Relaxed) >= self.most {
            self.in_use.fetch_sub(1, Relaxed);
            return Ok(None);
        }
        // Made before the handle is, so that the place is given back if there is none.
        let place = Place { in_use: Arc::clone(&self.in_use) };
        Ok(Some(Handle { socket: socket.try_clone()?, _place: place }))
    }
}

/// See the head of the file.
#[derive(Debug)]
pub struct Handle {
    socket: Socket,
    _place: Place,
}

impl Handle {
    /// Ends the connection, for everybody who holds the socket.
    pub fn shut(&self) {
        // It fails when the other end was faster, which is as good.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

#[derive(Debug)]
struct Place {
    in_use: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.in_use.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn handles_are_bounded_and_given_back() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let handles = Handles::new(1);
        let second = || handles.second(&SockRef::from(&stream)).unwrap();
        let first = second().expect("there is one");
        assert!(second().is_none());
        drop(first);
        assert!(second().is_some());
    }
}

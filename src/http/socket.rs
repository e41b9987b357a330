//! What is set on every accepted socket, before a byte of it is read.

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::rt::net::TcpStream;
use socket2::SockRef;
use std::any::Any;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tracing::debug;

use crate::actors::handle::{Handle, Handles};
use crate::actors::limits::Limits;

/// Connections that get a second handle on their socket. A node with 10,000 connections must do with 20,000 file descriptors, which some systems grant at most.
const SECOND_HANDLES_MAX: usize = 4_096;

/// What the server does with each new connection: bounds what the kernel keeps for a client that doesn't read, and gives connections a second handle on their
/// socket, by which they can be ended from outside.
pub fn on_connect(limits: &Limits) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static {
    let handles = Handles::new(SECOND_HANDLES_MAX);
    let (send_buffer_bytes, write_timeout) = (limits.send_buffer_bytes, Duration::from_millis(limits.write_timeout_ms));
    move |io, data| {
        let tcp = io.downcast_ref::<TcpStream>().or_else(|| io.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0));
        let Some(tcp) = tcp else { return };
        let prepared = prepare(tcp, send_buffer_bytes, write_timeout).and_then(|socket| handles.second(&socket));
        match prepared {
            Ok(Some(handle)) => {
                data.insert::<Arc<Handle>>(Arc::new(handle));
            }
            Ok(None) => {}
            // The client may be gone already; the connection will show it.
            Err(error) => debug!(%error, "a new socket can't be set up"),
        }
    }
}

fn prepare(tcp: &TcpStream, send_buffer_bytes: usize, write_timeout: Duration) -> io::Result<SockRef<'_>> {
    let socket = SockRef::from(tcp);
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(send_buffer_bytes)?;
    // It also ends a connection whose client keeps its window closed.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(write_timeout))?;
    #[cfg(not(target_os = "linux"))]
    let _ = write_timeout;
    Ok(socket)
}

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

use crate::actors::limits::Limits;
use crate::actors::line::Socket;

/// For `HttpServer::on_connect`: bounds what the kernel keeps for a client that doesn't read, and gives each connection a second handle on its socket, by which it can
/// be ended from outside.
pub fn on_connect(limits: &Limits) -> impl Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static {
    let (send_buffer_bytes, write_timeout) = (limits.send_buffer_bytes, Duration::from_millis(limits.write_timeout_ms));
    move |io, data| {
        let tcp = io.downcast_ref::<TcpStream>().or_else(|| io.downcast_ref::<TlsStream<TcpStream>>().map(|tls| tls.get_ref().0));
        let Some(tcp) = tcp else { return };
        match prepare(tcp, send_buffer_bytes, write_timeout) {
            Ok(socket) => {
                data.insert(socket);
            }
            // The client may be gone already; the connection will show it.
            Err(error) => debug!(%error, "a new socket can't be set up"),
        }
    }
}

fn prepare(tcp: &TcpStream, send_buffer_bytes: usize, write_timeout: Duration) -> io::Result<Socket> {
    let socket = SockRef::from(tcp);
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(send_buffer_bytes)?;
    // It also ends a connection whose client keeps its window closed.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(write_timeout))?;
    #[cfg(not(target_os = "linux"))]
    let _ = write_timeout;
    socket.try_clone().map(Arc::new)
}

//! The TCP connection below a link: made with a timeout, with the options that a link needs, and with TLS where it is configured.

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use tracing::debug;

use super::config::LinkTuning;
use super::tls::{LinkTls, server_name};

/// What the kernel may hold that it has not sent yet: what is urgent waits for no more than this.
const UNSENT_MAX_BYTES: u32 = 128 * 1024;
const KEEP_ALIVE_AFTER: Duration = Duration::from_secs(5);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(2);

pub type Reading = Box<dyn AsyncRead + Send + Unpin>;
pub type Writing = Box<dyn AsyncWrite + Send + Unpin>;

/// A connection in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {
    /// Its two halves, for two tasks.
    fn halves(self: Box<Self>) -> (Reading, Writing);
}

impl Duplex for TcpStream {
    fn halves(self: Box<Self>) -> (Reading, Writing) {
        let (reading, writing) = self.into_split();
        (Box::new(reading), Box::new(writing))
    }
}

impl Duplex for TlsStream<TcpStream> {
    fn halves(self: Box<Self>) -> (Reading, Writing) {
        let (reading, writing) = tokio::io::split(*self);
        (Box::new(reading), Box::new(writing))
    }
}

/// Connects to `host:port`, within the timeout.
///
/// # Errors
/// The address can't be found, or nothing answers there.
pub async fn connect(address: &str, timeout_ms: u64) -> io::Result<TcpStream> {
    match tokio::time::timeout(Duration::from_millis(timeout_ms), TcpStream::connect(address)).await {
        Ok(connected) => connected,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing answered in time")),
    }
}

/// Sets what a link needs. Each is for speed or for noticing a dead peer sooner: where one can't be set, the link works all the same.
pub fn tune(stream: &TcpStream, tuning: &LinkTuning) {
    let socket = SockRef::from(stream);
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE_AFTER).with_interval(KEEP_ALIVE_EVERY);
    let mut set = socket.set_tcp_nodelay(true).and(socket.set_tcp_keepalive(&keep_alive));
    #[cfg(target_os = "linux")]
    {
        set = set
            .and(socket.set_tcp_user_timeout(Some(Duration::from_millis(u64::from(tuning.user_timeout_ms)))))
            .and(socket.set_tcp_notsent_lowat(UNSENT_MAX_BYTES));
    }
    if let Err(error) = set {
        debug!(%error, "a socket option of a link could not be set");
    }
}

/// Puts TLS on a connection that this node made, if it is configured.
///
/// # Errors
/// The address has no host that a certificate can name, or the other side has no fitting certificate.
pub async fn secure_dialed(stream: TcpStream, address: &str, tls: Option<&LinkTls>) -> io::Result<Box<dyn Duplex>> {
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let name = server_name(address)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no certificate can name the host of this address"))?;
    let stream = TlsConnector::from(Arc::clone(&tls.client)).connect(name, stream).await?;
    Ok(Box::new(TlsStream::from(stream)))
}

/// Puts TLS on a connection that was accepted, if it is configured.
///
/// # Errors
/// The other side speaks no TLS, or has no fitting certificate.
pub async fn secure_accepted(stream: TcpStream, tls: Option<&LinkTls>) -> io::Result<Box<dyn Duplex>> {
    let Some(tls) = tls else { return Ok(Box::new(stream)) };
    let stream = TlsAcceptor::from(Arc::clone(&tls.server)).accept(stream).await?;
    Ok(Box::new(TlsStream::from(stream)))
}

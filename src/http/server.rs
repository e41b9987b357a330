//! The HTTP server: actix-web on a thread of its own, with bounds on everything that a client can draw out. Knows no route; those are handed in.

use std::any::Any;
use std::fmt::Debug;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_http::body::BoxBody;
use actix_http::h1::{ExpectHandler, UpgradeHandler};
use actix_http::{HttpServiceBuilder, Request, Response};
use actix_service::{IntoServiceFactory as _, Service, ServiceFactory, map_config};
use actix_tls::accept::max_concurrent_tls_connect;
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{AppConfig, Extensions, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{oneshot, watch};

use super::deadline::bound_body;
use super::measure::measure;
use super::problem;
use super::succession::Succession;
use super::upgrade::{Shared, Upgrades};

/// A small buffer, so that a client that reads slowly is noticed early; an answer may be larger.
const WRITE_BUFFER_BYTES: usize = 8 * 1024;
/// After the last answer of a connection whose client still sends, what is left of it goes after this time.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// TLS handshakes of one worker that may be under way at once: a storm of reconnects must get through.
const HANDSHAKES_MAX: usize = 1_024;
/// How long a stopping server waits for answers that are under way, in seconds. Clients have gone before.
const STOP_TIMEOUT_SECS: u64 = 1;

/// How the server listens and what it puts up with.
pub struct Settings {
    pub tls: Option<rustls::ServerConfig>,
    /// Threads; 0: one for each core.
    pub workers: usize,
    /// Most connections of all kinds. Further ones wait to be accepted.
    pub sockets_max: usize,
    /// The time in which the head of a request must have come.
    pub header_timeout: Duration,
    /// The time in which its body must have come.
    pub body_timeout: Duration,
    pub keep_alive: Duration,
}

/// What is served.
pub struct Site<R, C> {
    routes: R,
    on_connect: C,
}

impl<R, C> Site<R, C>
where
    R: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    C: Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static,
{
    /// `routes` is called once on each worker's thread, inside its arbiter, before that worker serves anything; `on_connect` with each new connection.
    pub fn new(routes: R, on_connect: C) -> Self {
        Site { routes, on_connect }
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    #[error("can't listen on {listen}: {error}; hint: another process may listen there; http.listen names the address")]
    Bind { listen: SocketAddr, error: io::Error },
    #[error("the http server can't start: {0}")]
    Start(#[from] io::Error),
    #[error("the http server's thread has ended")]
    Thread,
}

/// A server that runs.
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
    thread: JoinHandle<()>,
    has_ended: watch::Receiver<bool>,
}

/// Takes the address, and accepts nothing yet: connections wait.
///
/// # Errors
/// [`ServerError::Bind`].
pub fn bind(listen: SocketAddr, backlog: u32) -> Result<TcpListener, ServerError> {
    let bound = || {
        let socket = Socket::new(Domain::for_address(listen), Type::STREAM, Some(Protocol::TCP))?;
        // A restarted node must not wait for what is left of its own connections.
        socket.set_reuse_address(true)?;
        socket.bind(&listen.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok(TcpListener::from(socket))
    };
    bound().map_err(|error| ServerError::Bind { listen, error })
}

impl Server {
    /// Starts to serve, on threads of its own.
    ///
    /// # Errors
    /// [`ServerError`].
    pub async fn start<R, C>(listener: TcpListener, settings: Settings, site: Site<R, C>) -> Result<Server, ServerError>
    where
        R: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
        C: Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static,
    {
        let address = listener.local_addr()?;
        let (started_sender, started) = oneshot::channel();
        let (ended_sender, has_ended) = watch::channel(false);
        let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
            let ended = Ended(ended_sender);
            // The workers make their arbiters in this system; it ends with the server.
            actix_rt::System::new().block_on(async move {
                match build(listener, settings, site) {
                    Ok(server) => {
                        let _ = started_sender.send(Ok(server.handle()));
                        if let Err(error) = server.await {
                            tracing::error!(%error, "the http server failed");
                        }
                    }
                    Err(error) => {
                        let _ = started_sender.send(Err(error));
                    }
                }
            });
            drop(ended);
        })?;
        let handle = started.await.map_err(|_| ServerError::Thread)??;
        Ok(Server { address, handle, thread, has_ended })
    }

    /// The address that it listens on; the real port, where the configured one was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Turns true when the server has ended, by itself or because it was stopped.
    #[must_use]
    pub fn has_ended(&self) -> watch::Receiver<bool> {
        self.has_ended.clone()
    }

    /// Accepts no connection from now on.
    pub async fn pause(&self) {
        self.handle.pause().await;
    }

    /// Lets answers that are under way end, for a second at most, and stops.
    pub async fn stop(self) {
        self.handle.stop(true).await;
        let mut has_ended = self.has_ended;
        // An error means that the thread is gone, which is what is waited for.
        let _ = has_ended.wait_for(|has_ended| *has_ended).await;
        if self.thread.join().is_err() {
            tracing::error!("the http server's thread panicked");
        }
    }
}

/// Says that the thread has ended, also when it panics.
struct Ended(watch::Sender<bool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

/// Makes the server, which runs once it is awaited.
pub(super) fn build<R, C>(listener: TcpListener, settings: Settings, site: Site<R, C>) -> Result<actix_web::dev::Server, ServerError>
where
    R: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
    C: Fn(&dyn Any, &mut Extensions) + Send + Sync + 'static,
{
    let Site { routes, on_connect } = site;
    let on_connect = Arc::new(on_connect);
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let workers = if settings.workers > 0 { settings.workers } else { cores() };
    // It counts for the process; only handshakes under way take a place.
    max_concurrent_tls_connect(HANDSHAKES_MAX);
    let (body_timeout, header_timeout, keep_alive) = (settings.body_timeout, settings.header_timeout, settings.keep_alive);
    let app = move || {
        let bound_body = from_fn(move |request, next| bound_body(body_timeout, request, next));
        // The last one wrapped is the first one called.
        let app = App::new().wrap(bound_body).wrap(from_fn(measure)).configure(routes.clone()).default_service(web::to(problem::no_route));
        Shared::new(map_config(app.into_factory(), |()| AppConfig::default()))
    };
    let builder = actix_server::Server::build()
        .disable_signals()
        .shutdown_timeout(STOP_TIMEOUT_SECS)
        .workers(workers)
        // It counts for each worker; connections go to the workers in turn.
        .max_concurrent_connections((settings.sockets_max / workers).max(1));
    let builder = match settings.tls {
        Some(mut tls) => {
            tls.alpn_protocols = vec![b"http/1.1".to_vec()];
            let service = move || {
                let (app, on_connect) = (app(), Arc::clone(&on_connect));
                let http = http(header_timeout, keep_alive).on_connect_ext(move |io: &TlsStream<TcpStream>, data| on_connect(io, data));
                Succession(http.upgrade(Upgrades::new(app.clone())).h1(app).rustls_0_23(tls.clone()))
            };
            builder.listen("https", listener, service)?
        }
        None => {
            let service = move || {
                let (app, on_connect) = (app(), Arc::clone(&on_connect));
                let http = http(header_timeout, keep_alive).on_connect_ext(move |io: &TcpStream, data| on_connect(io, data));
                Succession(http.upgrade(Upgrades::new(app.clone())).h1(app).tcp())
            };
            builder.listen("http", listener, service)?
        }
    };
    Ok(builder.run())
}

/// HTTP/1.1, over whatever kind of socket.
fn http<T, S>(header_timeout: Duration, keep_alive: Duration) -> HttpServiceBuilder<T, S, ExpectHandler, UpgradeHandler>
where
    S: ServiceFactory<Request, Config = ()>,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::InitError: Debug,
    <S::Service as Service<Request>>::Future: 'static,
{
    HttpServiceBuilder::default()
        .client_request_timeout(header_timeout)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        // A client that closed its side is gone. Else one of a stream, which never writes, would be noticed at the second heartbeat only.
        .h1_allow_half_closed(false)
        .keep_alive(keep_alive)
        .h1_write_buffer_size(WRITE_BUFFER_BYTES)
        .tcp_nodelay(true)
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;

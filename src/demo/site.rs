//! The demo's server: the page, and what the page asks of the demo, under `/demo/`. On loopback, on one thread, with small bounds: it serves one person.

use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

use super::answer::Refusal;
use super::assets::{ASSETS, Asset};
use super::guard::{self, Guard};
use super::lines::Lines;
use super::{DemoError, control, publisher};
use crate::fleet::Fleet;

/// The largest publish: above what a node takes, whose own answer shall be seen.
const BODY_MAX_BYTES: usize = 128 * 1024;
const CONNECTIONS_MAX: usize = 256;

/// What the routes act on.
pub(super) struct Shared {
    pub(super) nodes: Fleet,
    pub(super) lines: Lines,
    /// The shard that the user is on, once it is known.
    pub(super) shard: OnceLock<u32>,
    /// When the user was last forgotten, ms since the epoch. Outcomes of before are still in the feed, and no longer of interest.
    pub(super) forgotten_at: AtomicU64,
}

/// A server on this listener, which runs while it is awaited.
pub(super) fn serve(listener: TcpListener, shared: web::Data<Shared>, guard: Guard) -> Result<Server, DemoError> {
    let guard = web::Data::new(guard);
    let app = move || App::new().app_data(shared.clone()).app_data(guard.clone()).wrap(from_fn(guard::stand)).configure(routes);
    let server = HttpServer::new(app).disable_signals().workers(1).max_connections(CONNECTIONS_MAX).shutdown_timeout(0);
    Ok(server.listen(listener).map_err(DemoError::Site)?.run())
}

fn routes(app: &mut web::ServiceConfig) {
    app.app_data(web::PayloadConfig::new(BODY_MAX_BYTES));
    for asset in ASSETS {
        app.route(asset.path, web::get().to(move || file(asset)));
    }
    app.route("/demo/state", web::get().to(control::state))
        .route("/demo/devices/{device}/token", web::post().to(control::token))
        .route("/demo/devices/{device}/{what}", web::post().to(control::wire))
        .route("/demo/nodes/{node}/{what}", web::post().to(control::node))
        .route("/demo/engagements", web::post().to(publisher::publish))
        .route("/demo/engagements", web::get().to(publisher::deliveries))
        .route("/demo/engagements/{id}", web::get().to(publisher::delivery))
        .route("/demo/engagements/{id}", web::delete().to(publisher::withdraw))
        .route("/demo/outcomes", web::get().to(publisher::outcomes))
        .route("/demo/forget", web::post().to(publisher::forget))
        .default_service(web::to(nothing));
}

async fn file(asset: &'static Asset) -> HttpResponse {
    HttpResponse::Ok().content_type(asset.content_type).body(asset.body)
}

async fn nothing(request: HttpRequest) -> Result<HttpResponse, Refusal> {
    Err(Refusal::unknown(&format!("{} {}", request.method(), request.path())))
}

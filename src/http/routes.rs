//! The table of the API's routes: each path and method, and who may call it. Nothing reaches a handler that this table doesn't let through.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::{Error, HttpMessage, Resource, ResponseError as _, Route, web};

use crate::protocol::code::Code;

use super::limits::Place;
use super::problem::{self, Problem};
use super::state::Api;
use super::{asyncapi, backup, cluster, figures, many, openapi, outcomes, publish, replicas, users};
use crate::config::Role;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone: it shows nothing of any user.
    Anyone,
    /// A key with one of these roles; `admin` always may.
    Roles(&'static [Role]),
}

/// One method of one path.
pub struct Entry {
    pub path: &'static str,
    pub method: Method,
    pub access: Access,
    /// Makes the route; a new one for each worker.
    handler: fn() -> Route,
}

const PUBLISHERS: Access = Access::Roles(&[Role::Publish]);
const READERS: Access = Access::Roles(&[Role::Read]);
const PUBLISHERS_AND_READERS: Access = Access::Roles(&[Role::Publish, Role::Read]);
const ADMINS: Access = Access::Roles(&[Role::Admin]);

/// The routes. Entries of one path stand together.
pub static ROUTES: &[Entry] = &[
    Entry { path: "/v1/users/{user}/engagements", method: Method::POST, access: PUBLISHERS, handler: || web::post().to(publish::publish) },
    Entry {
        path: "/v1/users/{user}/engagements",
        method: Method::GET,
        access: PUBLISHERS_AND_READERS,
        handler: || web::get().to(users::deliveries),
    },
    Entry {
        path: "/v1/users/{user}/engagements/{id}",
        method: Method::GET,
        access: PUBLISHERS_AND_READERS,
        handler: || web::get().to(users::engagement),
    },
    Entry {
        path: "/v1/users/{user}/engagements/{id}",
        method: Method::DELETE,
        access: PUBLISHERS,
        handler: || web::delete().to(users::withdraw),
    },
    Entry { path: "/v1/users/{user}", method: Method::GET, access: PUBLISHERS_AND_READERS, handler: || web::get().to(users::user) },
    Entry { path: "/v1/users/{user}", method: Method::DELETE, access: ADMINS, handler: || web::delete().to(users::forget) },
    Entry { path: "/v1/engagements", method: Method::POST, access: PUBLISHERS, handler: || web::post().to(many::publish_many) },
    Entry { path: "/v1/outcomes", method: Method::GET, access: READERS, handler: || web::get().to(outcomes::outcomes) },
    Entry { path: "/v1/cluster", method: Method::GET, access: ADMINS, handler: || web::get().to(cluster::cluster) },
    Entry { path: "/v1/cluster/backup", method: Method::GET, access: ADMINS, handler: || web::get().to(backup::shard) },
    Entry { path: "/v1/cluster/figures", method: Method::GET, access: ADMINS, handler: || web::get().to(figures::figures) },
    Entry { path: "/v1/cluster/replicas", method: Method::GET, access: ADMINS, handler: || web::get().to(replicas::replicas) },
    Entry { path: "/v1/cluster/nodes/{name}/drain", method: Method::POST, access: ADMINS, handler: || web::post().to(cluster::drain) },
    Entry { path: "/v1/cluster/nodes/{name}", method: Method::DELETE, access: ADMINS, handler: || web::delete().to(cluster::remove) },
    Entry { path: "/openapi.json", method: Method::GET, access: Access::Anyone, handler: || web::get().to(openapi::serve) },
    Entry { path: "/asyncapi.json", method: Method::GET, access: Access::Anyone, handler: || web::get().to(asyncapi::serve) },
];

/// Adds the routes to an app whose data holds a [`web::Data<Api>`].
pub fn routes(app: &mut web::ServiceConfig) {
    for entries in ROUTES.chunk_by(|one, next| one.path == next.path) {
        app.service(resource(entries));
    }
    problem::extractor_errors(app);
}

fn resource(entries: &'static [Entry]) -> Resource {
    let methods: Vec<&str> = entries.iter().map(|entry| entry.method.as_str()).collect();
    let start = web::resource(entries[0].path).default_service(problem::other_methods(methods.join(", ")));
    entries.iter().fold(start, |resource, entry| {
        let access = entry.access;
        resource.route((entry.handler)().wrap(from_fn(move |request, next| admit(access, request, next))))
    })
}

/// Lets a request in. One that may not come is answered here, and not by an error: an error would let go of its body before it is answered (see `deadline`).
async fn admit<B: MessageBody + 'static>(
    access: Access,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match judge(access, &request) {
        Ok(_place) => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Err(problem) => Ok(request.into_response(problem.error_response()).map_into_right_body()),
    }
}

/// Counts the request in, finds out who calls, and asks whether that caller may.
fn judge(access: Access, request: &ServiceRequest) -> Result<Place, Problem> {
    let api = request.app_data::<web::Data<Api>>().ok_or_else(|| Problem::new(Code::Internal, "the node has no API"))?;
    let place = api.limits.requests.enter()?;
    if let Access::Roles(roles) = access {
        let caller = api.keys.caller(request.headers())?;
        caller.require(roles)?;
        request.extensions_mut().insert(caller);
    }
    Ok(place)
}

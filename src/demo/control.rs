//! What the page's buttons do to nodes and lines, and the tokens of its devices. Who may press them is the guard's business.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::DemoError;
use super::answer::Refusal;
use super::person;
use super::site::Shared;
use super::view::{self, View};

/// `GET /demo/state`
pub(super) async fn state(shared: web::Data<Shared>) -> web::Json<View> {
    web::Json(view::look(&shared).await)
}

/// `POST /demo/devices/{device}/token`
pub(super) async fn token(shared: web::Data<Shared>, device: web::Path<String>) -> Result<HttpResponse, Refusal> {
    let device = shared.lines.of(&device).ok_or_else(|| Refusal::unknown("such device"))?;
    Ok(HttpResponse::Ok().json(json!({ "token": person::token(&shared.nodes, device.name)? })))
}

/// `POST /demo/devices/{device}/{what}`: `cut` its wire, `mend` it, or `tear` off what goes over it now.
pub(super) async fn wire(shared: web::Data<Shared>, path: web::Path<(String, String)>) -> Result<HttpResponse, Refusal> {
    let (device, what) = path.into_inner();
    let wire = &shared.lines.of(&device).ok_or_else(|| Refusal::unknown("such device"))?.wire;
    match what.as_str() {
        "cut" => wire.cut(),
        "mend" => wire.mend(),
        "tear" => wire.tear(),
        _ => return Err(Refusal::unknown("such thing to do to a wire")),
    }
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /demo/nodes/{node}/{what}`: `kill` it, as a crash does, or `start` it again on its disk.
pub(super) async fn node(shared: web::Data<Shared>, path: web::Path<(String, String)>) -> Result<HttpResponse, Refusal> {
    let (node, what) = path.into_inner();
    let process = shared.nodes.named(&node).ok_or_else(|| Refusal::unknown("such node"))?;
    match what.as_str() {
        "kill" => process.kill(),
        "start" => process.start(&["serve"]).map_err(DemoError::from)?,
        _ => return Err(Refusal::unknown("such thing to do to a node")),
    }
    Ok(HttpResponse::NoContent().finish())
}

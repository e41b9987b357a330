//! `POST /v1/stream`: the hello as a body, the connection as server-sent events.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use std::sync::Arc;

use super::client_edge::{ClientEdge, refuse};
use super::origin;
use super::problem::Problem;
use crate::actors::admission::{self, Arrival};
use crate::actors::attached::Attached;
use crate::actors::handle::Handle;
use crate::actors::line::Kind;
use crate::actors::stream::Events;
use crate::clock;
use crate::protocol::client_message::{self, ClientMessage};
use crate::protocol::code::Code;
use crate::protocol::hello::Hello;

pub(super) async fn stream(request: HttpRequest, payload: web::Payload, edge: web::Data<ClientEdge>) -> Result<HttpResponse, Problem> {
    let origin = origin::check(&request, &edge.allowed_origins)?;
    let events = match open(&request, payload, &edge).await {
        Ok(events) => events,
        Err(problem) => return Ok(origin.allow_error(&problem)),
    };
    let mut answer = HttpResponse::Ok();
    origin.allow(&mut answer);
    answer.content_type("text/event-stream").insert_header((header::CACHE_CONTROL, "no-store"));
    // Or a proxy would keep events back.
    answer.insert_header(("X-Accel-Buffering", "no"));
    Ok(answer.streaming(events))
}

async fn open(request: &HttpRequest, payload: web::Payload, edge: &ClientEdge) -> Result<Events, Problem> {
    let bearer = edge.bearer(request)?;
    let hello = read_hello(&edge.body(payload).await?)?;
    let handle = request.conn_data::<Arc<Handle>>().cloned();
    let open = edge.edge.connections.open(Kind::Stream, handle)?;
    let arrival = Arrival { connection: open.line.id, bearer: bearer.as_ref(), wall_ms: clock::wall_ms() };
    let admitted = admission::admit(&edge.edge.verifier, hello, &arrival).map_err(refuse)?;
    let attached = Attached::attach(&edge.edge.sessions, &open.line, admitted);
    Ok(Events::new(open, attached))
}

fn read_hello(body: &[u8]) -> Result<Hello, Problem> {
    let bad = |what: &str| Problem::new(Code::BadMessage, what);
    let text = std::str::from_utf8(body).map_err(|_| bad("the body is not UTF-8"))?;
    match client_message::parse(text) {
        Ok(Ok(ClientMessage::Hello(hello))) => Ok(*hello),
        Ok(Ok(_)) => Err(bad("the body must be a hello")),
        Ok(Err(refusal)) => Err(refusal.into()),
        Err(_) => Err(bad("the body is not JSON")),
    }
}

//! `GET /v1/connect`: the upgrade to a WebSocket. A token comes in the `Authorization` header or in the hello, never in the URL, which is logged everywhere.

use actix::StreamHandler;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{self, WsResponseBuilder};
use futures_util::stream;
use std::sync::Arc;

use super::client_edge::ClientEdge;
use super::origin;
use super::problem::Problem;
use crate::actors::connection::Connection;
use crate::actors::conversation::Conversation;
use crate::actors::handle::Handle;
use crate::actors::line::Kind;
use crate::actors::socket::Socket;
use crate::protocol::code::Code;

/// The one subprotocol.
pub const SUBPROTOCOL: &str = "engage.v1.json";

pub(super) async fn connect(request: HttpRequest, payload: web::Payload, edge: web::Data<ClientEdge>) -> Result<HttpResponse, Problem> {
    origin::check(&request, &edge.allowed_origins)?;
    check_subprotocol(&request)?;
    let bearer = edge.bearer(&request)?;
    let handle = request.conn_data::<Arc<Handle>>().cloned();
    let open = edge.edge.connections.open(Kind::WebSocket, handle)?;
    let connection = Connection::new(Conversation::new(Arc::clone(&edge.edge), open, bearer), payload);
    upgrade(connection, &request)
}

/// Answers the handshake, and starts the actor, which reads the body of the request by itself.
///
/// # Errors
/// [`Code::BadRequest`], where this is no handshake.
pub fn upgrade<S>(socket: S, request: &HttpRequest) -> Result<HttpResponse, Problem>
where
    S: Socket + StreamHandler<Result<ws::Message, ws::ProtocolError>>,
{
    let no_upgrade = |error| Problem::new(Code::BadRequest, format!("this is no WebSocket handshake: {error}"));
    WsResponseBuilder::new(socket, request, stream::empty()).protocols(&[SUBPROTOCOL]).start().map_err(no_upgrade)
}

/// A client that offers subprotocols must offer ours; one that offers none gets it all the same.
fn check_subprotocol(request: &HttpRequest) -> Result<(), Problem> {
    let offered: Vec<&str> = request
        .headers()
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .map(str::trim)
        .collect();
    if offered.is_empty() || offered.contains(&SUBPROTOCOL) {
        return Ok(());
    }
    Err(Problem::new(Code::BadRequest, format!("there is one subprotocol here; hint: offer {SUBPROTOCOL}")))
}

//! `GET /v1/connect`: the upgrade to a WebSocket. A token comes in the `Authorization` header or in the hello, never in the URL, which is logged everywhere.

use actix::StreamHandler;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use actix_web_actors::ws::{self, WebsocketContext};
use futures_util::stream;
use std::sync::Arc;

use super::client_edge::ClientEdge;
use super::origin;
use super::problem::Problem;
use super::takeover::Takeover;
use crate::actors::connection::Connection;
use crate::actors::conversation::Conversation;
use crate::actors::frames::Received;
use crate::actors::handle::Handle;
use crate::actors::line::Kind;
use crate::actors::socket::Socket;
use crate::protocol::code::Code;

/// The one subprotocol.
pub const SUBPROTOCOL: &str = "engage.v1.json";

pub(super) async fn connect(request: HttpRequest, edge: web::Data<ClientEdge>) -> Result<HttpResponse, Problem> {
    origin::check(&request, &edge.allowed_origins)?;
    check_subprotocol(&request)?;
    let bearer = edge.bearer(&request)?;
    let handle = request.conn_data::<Arc<Handle>>().cloned();
    let open = edge.edge.connections.open(Kind::WebSocket, handle)?;
    let conversation = Conversation::new(Arc::clone(&edge.edge), open, bearer);
    upgrade(&request, move |received| Connection::new(conversation, received))
}

/// Answers the handshake. Its socket is then the one of the actor that is made with what comes in.
///
/// # Errors
/// [`Code::BadRequest`], where this is no handshake.
pub fn upgrade<S>(request: &HttpRequest, make: impl FnOnce(Received) -> S + 'static) -> Result<HttpResponse, Problem>
where
    S: Socket + StreamHandler<Result<ws::Message, ws::ProtocolError>>,
{
    let no_upgrade = |error| Problem::new(Code::BadRequest, format!("this is no WebSocket handshake: {error}"));
    let mut response = ws::handshake_with_protocols(request, &[SUBPROTOCOL]).map_err(no_upgrade)?.finish();
    Takeover::add(&mut response, |received| Box::pin(WebsocketContext::create(make(received), stream::empty())));
    Ok(response)
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

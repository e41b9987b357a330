//! What the routes of the client protocol share, and the table of them. These routes know tokens only, no API keys.

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, web};
use bytes::Bytes;
use metrics::counter;
use std::sync::Arc;

use super::problem::{self, Problem};
use super::{connect, messages, origin, stream};
use crate::actors::admission;
use crate::actors::connections::NoRoom;
use crate::actors::edge::Edge;
use crate::actors::rate::Buckets;
use crate::clock;
use crate::ports::calls::Users;
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;
use crate::protocol::token::{Claims, TokenError};
use crate::telemetry::names;

/// The state of these routes, one for all workers; handlers get it as `web::Data<ClientEdge>`.
pub struct ClientEdge {
    pub(super) edge: Arc<Edge>,
    /// Origins of pages that may connect, beside the node's own: `https://app.example.com`, exactly.
    pub(super) allowed_origins: Vec<String>,
    /// Where posted acks go.
    pub(super) users: Arc<dyn Users>,
    pub(super) posts: Buckets,
}

impl ClientEdge {
    /// Puts the parts together.
    #[must_use]
    pub fn new(edge: Arc<Edge>, users: Arc<dyn Users>, allowed_origins: Vec<String>) -> ClientEdge {
        let posts = Buckets::new(edge.limits.messages_per_second);
        ClientEdge { edge, allowed_origins, users, posts }
    }

    /// What the `Authorization` header says, if there is one.
    pub(super) fn bearer(&self, request: &HttpRequest) -> Result<Option<Claims>, Problem> {
        let mut values = request.headers().get_all(header::AUTHORIZATION);
        let Some(value) = values.next() else { return Ok(None) };
        // Of two, nobody could say which one counts.
        let value = if values.next().is_none() { value.to_str().unwrap_or_default() } else { "" };
        let claims = match value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
            Some((_, token)) => self.edge.verifier.verify(token.trim(), clock::wall_ms()),
            None => Err(TokenError::Invalid),
        };
        claims.map(Some).map_err(|error| refuse(admission::refusal(error)))
    }

    /// Reads a body of a client.
    pub(super) async fn body(&self, payload: web::Payload) -> Result<Bytes, Problem> {
        let most = self.edge.limits.frame_max_bytes;
        match payload.to_bytes_limited(most).await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(error)) => Err(Problem::new(Code::BadMessage, format!("the body can't be read: {error}"))),
            Err(_) => Err(Problem::new(Code::TooLarge, format!("the body has more than {most} bytes"))),
        }
    }
}

/// Refuses a client for its token, and counts it.
pub(super) fn refuse(refusal: Refusal) -> Problem {
    counter!(names::REFUSED_CREDENTIALS_TOTAL, "kind" => "token").increment(1);
    refusal.into()
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        Problem::new(refusal.code, refusal.message)
    }
}

impl From<NoRoom> for Problem {
    fn from(error: NoRoom) -> Problem {
        let code = if error == NoRoom::Draining { Code::Draining } else { Code::Unavailable };
        Problem::new(code, error.to_string())
    }
}

/// The routes of the client protocol (CONTRACT §8). They need a `web::Data<ClientEdge>`.
pub fn routes(app: &mut web::ServiceConfig) {
    let resource = |path: &str, allow: &str| web::resource(path).default_service(problem::other_methods(allow));
    let preflight = || web::method(Method::OPTIONS).to(origin::preflight);
    app.service(resource("/v1/connect", "GET").route(web::get().to(connect::connect)))
        .service(resource("/v1/stream", "POST, OPTIONS").route(web::post().to(stream::stream)).route(preflight()))
        .service(resource("/v1/messages", "POST, OPTIONS").route(web::post().to(messages::messages)).route(preflight()));
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;

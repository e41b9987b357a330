//! Which pages may talk to the client routes. A request without an `Origin` comes from no page; one with it must come from the node's own host, or from a listed
//! origin, letter by letter.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use metrics::counter;

use super::client_edge::ClientEdge;
use super::problem::Problem;
use crate::protocol::code::Code;
use crate::telemetry::names;

/// The origin that an answer is readable for, if the request has one.
#[derive(Clone, Debug)]
pub struct Origin(Option<HeaderValue>);

/// Checks where a request comes from.
///
/// # Errors
/// [`Code::Forbidden`].
pub fn check(request: &HttpRequest, allowed: &[String]) -> Result<Origin, Problem> {
    let mut origins = request.headers().get_all(header::ORIGIN);
    let Some(value) = origins.next() else { return Ok(Origin(None)) };
    // A browser sends one. Of two, nobody could say which page asks.
    let origin = if origins.next().is_none() { value.to_str().unwrap_or_default() } else { "" };
    // Not through a proxy's headers, which a page may set too.
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let is_own = authority.zip(host).is_some_and(|(authority, host)| !host.is_empty() && authority.eq_ignore_ascii_case(host));
    if is_own || allowed.iter().any(|allowed| allowed == origin) {
        return Ok(Origin(Some(value.clone())));
    }
    counter!(names::REFUSED_CREDENTIALS_TOTAL, "kind" => "origin").increment(1);
    Err(Problem::new(Code::Forbidden, "pages of this origin may not connect; hint: list it in http.allowed_origins"))
}

impl Origin {
    /// Lets the page read the answer.
    pub fn allow(&self, answer: &mut HttpResponseBuilder) {
        answer.insert_header((header::VARY, "Origin"));
        if let Some(origin) = &self.0 {
            answer.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone()));
        }
    }

    /// The same, for an error.
    pub fn allow_error(&self, problem: &Problem) -> HttpResponse {
        use actix_web::ResponseError as _;
        let mut answer = problem.error_response();
        let headers = answer.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = &self.0 {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        answer
    }
}

/// Answers a browser that asks whether a page may post here.
///
/// # Errors
/// [`Code::Forbidden`].
pub async fn preflight(request: HttpRequest, edge: web::Data<ClientEdge>) -> Result<HttpResponse, Problem> {
    let origin = check(&request, &edge.allowed_origins)?;
    let mut answer = HttpResponse::NoContent();
    origin.allow(&mut answer);
    answer.insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "POST"));
    answer.insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"));
    answer.insert_header((header::ACCESS_CONTROL_MAX_AGE, "600"));
    Ok(answer.finish())
}

//! Counts and times every request by its route's pattern: never by its path, which holds ids of users.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use metrics::{counter, histogram};

use crate::clock;
use crate::telemetry::names;

/// What paths without a route are counted as.
const NO_ROUTE: &str = "none";

/// The outermost middleware.
///
/// # Errors
/// Those of the request, which it counts too.
pub async fn measure<B: MessageBody>(request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    let started = clock::monotonic();
    let route = request.match_pattern().unwrap_or_else(|| NO_ROUTE.to_owned());
    let method = word(request.method());
    let answer = next.call(request).await;
    let status = match &answer {
        Ok(response) => response.status(),
        Err(error) => error.as_response_error().status_code(),
    };
    histogram!(names::HTTP_REQUEST_SECONDS, "route" => route.clone()).record(clock::monotonic().saturating_duration_since(started));
    counter!(names::HTTP_REQUESTS_TOTAL, "route" => route, "method" => method, "status" => digits(status)).increment(1);
    answer
}

/// A method as a label. A client can make up any number of others.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

fn digits(status: StatusCode) -> String {
    status.as_str().to_owned()
}

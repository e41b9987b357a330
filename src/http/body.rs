//! Request bodies: read whole, within a bound and a time, and only when they say that they are JSON.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

use crate::protocol::code::Code;

use super::problem::Problem;

/// The buffer that a body starts with when it doesn't say its length, or says a great one.
const FIRST_BUFFER_BYTES: usize = 64 * 1024;

/// How long a body may be, and may take.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub max_bytes: usize,
    pub timeout: Duration,
}

/// Reads a JSON body.
///
/// # Errors
/// [`Code::UnsupportedMediaType`], [`Code::TooLarge`], or [`Code::BadRequest`] when it ends early or does not come in time.
pub async fn read_json(request: &HttpRequest, payload: web::Payload, bound: Bound) -> Result<Bytes, Problem> {
    check_type(request)?;
    let told = content_length(request);
    if told.is_some_and(|bytes| bytes > bound.max_bytes) {
        return Err(too_large(bound));
    }
    let buffer = BytesMut::with_capacity(told.unwrap_or(FIRST_BUFFER_BYTES).min(FIRST_BUFFER_BYTES));
    match tokio::time::timeout(bound.timeout, collect(payload, buffer, bound)).await {
        Ok(body) => body,
        Err(_) => Err(Problem::new(Code::BadRequest, format!("the body did not come within {:?}", bound.timeout))),
    }
}

async fn collect(mut payload: web::Payload, mut buffer: BytesMut, bound: Bound) -> Result<Bytes, Problem> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| match error {
            PayloadError::Overflow => too_large(bound),
            _ => Problem::new(Code::BadRequest, format!("the body can't be read: {error}")),
        })?;
        if buffer.len() + chunk.len() > bound.max_bytes {
            return Err(too_large(bound));
        }
        buffer.extend_from_slice(&chunk);
    }
    Ok(buffer.freeze())
}

fn too_large(bound: Bound) -> Problem {
    Problem::new(Code::TooLarge, format!("the body may have up to {} bytes", bound.max_bytes))
}

fn content_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body without a type is taken as JSON; one that says that it is something else is not.
fn check_type(request: &HttpRequest) -> Result<(), Problem> {
    let refuse = |detail: String| Err(Problem::new(Code::UnsupportedMediaType, detail));
    if let Some(encoding) = request.headers().get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return refuse("the body is encoded; hint: send it without Content-Encoding".to_owned());
    }
    let Some(value) = request.headers().get(CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    // The last is what curl and others say of any body when they are not told otherwise.
    let is_unsaid = essence == "application/x-www-form-urlencoded";
    if is_unsaid || essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    refuse("the body says that it is something else; hint: send `Content-Type: application/json`".to_owned())
}

//! Bounds the time that a client may take to send a body, on every route: a body that drips in would hold a place for ever. That goes on after the answer, too: a connection whose
//! request was answered before its body had come is closed.

use std::cell::RefCell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::BoxedPayloadStream;
use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, RequestHead, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::middleware::Next;
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Sleep, sleep};

/// A middleware: the body must have come `timeout` after the head. Not for WebSockets, whose bytes are the connection itself.
///
/// # Errors
/// Those of the request.
pub async fn bound_body<B: MessageBody + 'static>(
    timeout: Duration,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Held>, Error> {
    let (request, payload) = request.into_parts();
    let (payload, rest) = match payload {
        Payload::None => (Payload::None, None),
        payload if is_websocket(request.head()) => (payload, None),
        payload => {
            let rest = Rest(Rc::new(RefCell::new(payload)));
            let bounded: BoxedPayloadStream = Box::pin(Bounded { rest: rest.clone(), deadline: Box::pin(sleep(timeout)) });
            (Payload::from(bounded), Some(rest))
        }
    };
    let response = next.call(ServiceRequest::from_parts(request, payload)).await?;
    Ok(response.map_into_boxed_body().map_body(|_, body| Held { body, _rest: rest }))
}

/// A handshake has no body: who sends one along is no WebSocket, and bounded.
fn is_websocket(head: &RequestHead) -> bool {
    let has_body = head.headers.contains_key(TRANSFER_ENCODING) || head.headers.contains_key(CONTENT_LENGTH);
    head.upgrade() && head.method == Method::GET && !has_body
}

/// What of a body has not come yet.
#[derive(Clone)]
struct Rest(Rc<RefCell<Payload>>);

/// An answer that holds on to what it did not read of the request until it is sent. Once nobody holds a chunked body, actix-http reads on for as long as the client sends, without
/// a timeout, to use the connection again; while it is held, the connection is closed after the answer.
pub struct Held {
    body: BoxBody,
    _rest: Option<Rest>,
}

impl MessageBody for Held {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(task)
    }
}

/// A body that fails when its time is up.
struct Bounded {
    rest: Rest,
    deadline: Pin<Box<Sleep>>,
}

impl Stream for Bounded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(chunk) = Pin::new(&mut *self.rest.0.borrow_mut()).poll_next(task) {
            return Poll::Ready(chunk);
        }
        match self.deadline.as_mut().poll(task) {
            Poll::Ready(()) => Poll::Ready(Some(Err(PayloadError::Io(io::Error::new(io::ErrorKind::TimedOut, "it did not come in time"))))),
            Poll::Pending => Poll::Pending,
        }
    }
}

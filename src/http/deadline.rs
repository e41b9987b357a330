//! Bounds the time that a client may take to send a body, on every route: a body that drips in would hold a place for ever.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::BoxedPayloadStream;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Sleep, sleep};

/// A middleware: the body must have come `timeout` after the head. Not for WebSockets, whose bytes are the connection itself.
///
/// # Errors
/// Those of the request.
pub async fn bound_body<B: MessageBody>(timeout: Duration, request: ServiceRequest, next: Next<B>) -> Result<ServiceResponse<B>, Error> {
    if request.head().upgrade() {
        return next.call(request).await;
    }
    let (request, payload) = request.into_parts();
    let payload = match payload {
        Payload::None => Payload::None,
        payload => {
            let bounded: BoxedPayloadStream = Box::pin(Bounded { payload, deadline: Box::pin(sleep(timeout)) });
            Payload::from(bounded)
        }
    };
    next.call(ServiceRequest::from_parts(request, payload)).await
}

/// A body that fails when its time is up.
struct Bounded {
    payload: Payload,
    deadline: Pin<Box<Sleep>>,
}

impl Stream for Bounded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(chunk) = Pin::new(&mut self.payload).poll_next(task) {
            return Poll::Ready(chunk);
        }
        match self.deadline.as_mut().poll(task) {
            Poll::Ready(()) => Poll::Ready(Some(Err(PayloadError::Io(io::Error::new(io::ErrorKind::TimedOut, "it did not come in time"))))),
            Poll::Pending => Poll::Pending,
        }
    }
}

//! Requests that ask for a WebSocket. The app answers them as it does all others; where its answer is a 101 that says who takes the socket, the socket changes hands
//! (`takeover`), and what HTTP needed for it goes.

use std::convert::Infallible;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

use actix_codec::{Encoder as _, Framed, FramedParts};
use actix_http::body::{BodySize, MessageBody, to_bytes_limited};
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, Request, Response};
use actix_service::{Service, ServiceFactory};
use actix_web::body::BoxBody;
use bytes::{Bytes, BytesMut};
use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::succession;
use super::takeover::{Pump, Takeover};

/// What an answer other than a 101 may be long, and how long it may take: nobody asks for a stream in this way.
const ANSWER_MAX_BYTES: usize = 256 * 1024;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// An app of which a worker makes one service, for all requests.
pub(super) struct Shared<F: ServiceFactory<Request>> {
    factory: Rc<F>,
    made: Rc<OnceCell<Rc<F::Service>>>,
}

impl<F: ServiceFactory<Request>> Shared<F> {
    pub(super) fn new(factory: F) -> Self {
        Shared { factory: Rc::new(factory), made: Rc::default() }
    }
}

impl<F: ServiceFactory<Request>> Clone for Shared<F> {
    fn clone(&self) -> Self {
        Shared { factory: Rc::clone(&self.factory), made: Rc::clone(&self.made) }
    }
}

impl<F> ServiceFactory<Request> for Shared<F>
where
    F: ServiceFactory<Request, Config = ()> + 'static,
{
    type Response = F::Response;
    type Error = F::Error;
    type Config = ();
    type Service = Rc<F::Service>;
    type InitError = F::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let shared = self.clone();
        Box::pin(async move { shared.made.get_or_try_init(async || shared.factory.new_service(()).await.map(Rc::new)).await.cloned() })
    }
}

/// For `HttpServiceBuilder::upgrade`.
pub(super) struct Upgrades<F: ServiceFactory<Request>, B> {
    app: Shared<F>,
    body: PhantomData<fn() -> B>,
}

impl<F: ServiceFactory<Request>, B> Upgrades<F, B> {
    pub(super) fn new(app: Shared<F>) -> Self {
        Upgrades { app, body: PhantomData }
    }
}

impl<F, T, B> ServiceFactory<(Request, Framed<T, Codec>)> for Upgrades<F, B>
where
    F: ServiceFactory<Request, Config = ()> + 'static,
    F::Response: Into<Response<B>>,
    F::Error: Into<Response<BoxBody>>,
    F::InitError: Debug,
    B: MessageBody + 'static,
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    type Response = ();
    type Error = Never;
    type Config = ();
    type Service = Upgrade<F::Service, B>;
    type InitError = F::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, Self::InitError>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let app = self.app.new_service(());
        Box::pin(async move { Ok(Upgrade { app: app.await?, body: PhantomData }) })
    }
}

/// Nothing goes wrong that anybody could be told.
#[derive(Debug)]
pub(super) struct Never(Infallible);

impl std::fmt::Display for Never {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {}
    }
}

impl From<Never> for Response<BoxBody> {
    fn from(never: Never) -> Self {
        match never.0 {}
    }
}

/// What is done with one such request.
pub(super) struct Upgrade<S, B> {
    app: Rc<S>,
    body: PhantomData<fn() -> B>,
}

impl<S, T, B> Service<(Request, Framed<T, Codec>)> for Upgrade<S, B>
where
    S: Service<Request> + 'static,
    S::Response: Into<Response<B>>,
    S::Error: Into<Response<BoxBody>>,
    B: MessageBody + 'static,
    T: AsyncRead + AsyncWrite + Unpin + 'static,
{
    type Response = ();
    type Error = Never;
    type Future = LocalBoxFuture<'static, Result<(), Never>>;

    actix_service::always_ready!();

    fn call(&self, (request, framed): (Request, Framed<T, Codec>)) -> Self::Future {
        let answer = self.app.call(request);
        Box::pin(async move {
            let response = match answer.await {
                Ok(response) => response.into().map_body(|_, body| BoxBody::new(body)),
                Err(error) => error.into(),
            };
            let parts = framed.into_parts();
            let taker = response.extensions().get::<Takeover>().and_then(Takeover::taker);
            let Some(taker) = taker else {
                // A client that is gone needs no answer.
                let _ = timeout(ANSWER_TIMEOUT, answer_and_close(response, parts)).await;
                return Ok(());
            };
            let (socket, first, rest) = head(response, parts);
            let pump = Pump::new(socket, (first, rest), taker);
            // A client that broke off is known to whoever took the socket.
            succession::then(Box::pin(async move { drop(pump.await) }));
            Ok(())
        })
    }
}

/// The head of a 101 as bytes, and what came in behind the request.
fn head<T>(response: Response<BoxBody>, parts: FramedParts<T, Codec>) -> (T, Bytes, Bytes) {
    let FramedParts { io, mut codec, read_buf, .. } = parts;
    let mut out = BytesMut::new();
    let (head, _) = response.into_parts();
    // It writes into memory.
    let _ = codec.encode(Message::Item((head, BodySize::Stream)), &mut out);
    // Copies, so that the buffers that they stand in can go.
    (io, Bytes::copy_from_slice(&out), Bytes::copy_from_slice(&read_buf))
}

async fn answer_and_close<T: AsyncWrite + Unpin>(response: Response<BoxBody>, parts: FramedParts<T, Codec>) -> std::io::Result<()> {
    let FramedParts { mut io, mut codec, .. } = parts;
    let (mut head, body) = response.into_parts();
    let body = to_bytes_limited(body, ANSWER_MAX_BYTES).await.ok().and_then(Result::ok).unwrap_or_default();
    head.head_mut().set_connection_type(ConnectionType::Close);
    let mut out = BytesMut::new();
    codec.encode(Message::Item((head, BodySize::Sized(body.len() as u64))), &mut out)?;
    codec.encode(Message::Chunk(Some(body)), &mut out)?;
    codec.encode(Message::Chunk(None), &mut out)?;
    io.write_all(&out).await?;
    io.shutdown().await
}

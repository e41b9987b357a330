//! A server that says back what it hears on `/v1/connect`, for WebSocket test suites, which talk to echo servers only. The server, the handshake, the reading, the
//! closing and the writing are the node's own; the actor on top is this one instead of the node's connection, and takes binary messages, which the client protocol has not.

use std::io::Read as _;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix::{Actor, ActorContext as _, AsyncContext as _, StreamHandler};
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use actix_web_actors::ws::{Message, ProtocolError, WebsocketContext};
use bytes::Bytes;
use engage::actors::connections::{Closing, Connections, OpenLine};
use engage::actors::frames::{Frames, Incoming, Received};
use engage::actors::handle::Handle;
use engage::actors::limits::Limits;
use engage::actors::line::{Kind, Outgoing};
use engage::actors::socket::{self, Socket, Writer};
use engage::actors::wire::Violation;
use engage::http::connect::upgrade;
use engage::http::problem::Problem;
use engage::http::server::{Server, Settings, Site, bind};
use engage::http::socket::on_connect;
use engage::ledger::ids::EdgeId;

use crate::Failures;

/// The longest messages of the Autobahn suite have 16 MiB.
const MESSAGE_MAX_BYTES: usize = 16 * 1024 * 1024;

struct Echo {
    open: OpenLine,
    received: Option<Received>,
}

impl Actor for Echo {
    type Context = WebsocketContext<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // It is greeted by the first byte: a suite knows no hello.
        self.open.line.greeted();
        if let Some(received) = self.received.take() {
            context.add_stream(Frames::new(received, MESSAGE_MAX_BYTES).taking_binary());
        }
        context.spawn(Writer);
    }
}

impl Socket for Echo {
    fn heard(&self) {
        self.open.line.heard();
    }

    fn is_closing(&self) -> bool {
        self.open.line.is_closing()
    }

    fn text(&mut self, text: String, context: &mut Self::Context) {
        if !self.is_closing() {
            context.text(text);
        }
    }

    fn binary(&mut self, bytes: Bytes, context: &mut Self::Context) {
        if !self.is_closing() {
            context.binary(bytes);
        }
    }

    fn bad(&mut self, violation: Violation) {
        self.open.bad(violation, MESSAGE_MAX_BYTES);
    }

    fn closed_by_client(&mut self) -> Closing {
        self.open.closed_by_client()
    }

    fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<Outgoing> {
        self.open.poll_next(task)
    }
}

impl StreamHandler<Incoming> for Echo {
    fn handle(&mut self, incoming: Incoming, context: &mut Self::Context) {
        socket::take(self, incoming, context);
    }

    fn finished(&mut self, context: &mut Self::Context) {
        context.stop();
    }
}

/// Not used, as in the node's own connection.
impl StreamHandler<Result<Message, ProtocolError>> for Echo {
    fn handle(&mut self, _: Result<Message, ProtocolError>, _: &mut Self::Context) {}

    fn finished(&mut self, _: &mut Self::Context) {}
}

async fn connect(request: HttpRequest, connections: web::Data<Arc<Connections>>) -> Result<HttpResponse, Problem> {
    let handle = request.conn_data::<Arc<Handle>>().cloned();
    let open = connections.open(Kind::WebSocket, handle)?;
    upgrade(&request, |received| Echo { open, received: Some(received) })
}

/// Serves until standard input closes, which it does when whoever started this ends.
pub async fn run() -> Failures {
    let limits = Limits::default();
    let connections = Connections::new(EdgeId(1), Arc::new(limits.clone()));
    let settings = Settings {
        tls: None,
        workers: 0,
        sockets_max: 1_000,
        header_timeout: Duration::from_secs(5),
        body_timeout: Duration::from_secs(30),
        keep_alive: Duration::from_secs(75),
    };
    let data = web::Data::new(Arc::clone(&connections));
    let routes = move |app: &mut web::ServiceConfig| {
        app.app_data(data.clone()).route("/v1/connect", web::get().to(connect));
    };
    let listener = bind("127.0.0.1:0".parse().expect("an address"), 1_024).expect("a port is free");
    let server = Server::start(listener, settings, Site::new(routes, on_connect(&limits))).await.expect("it starts");
    tokio::spawn(Connections::sweep(Arc::downgrade(&connections)));
    println!("{}", server.address());
    // What comes is thrown away; an error is an end too.
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    server.stop().await;
    Failures::new()
}

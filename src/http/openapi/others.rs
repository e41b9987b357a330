//! The routes that the client protocol and the node itself serve, as the document describes them. These functions are never called.
#![expect(dead_code, reason = "they describe, and are not called")]

use super::schemas;

/// Opens a WebSocket of the client protocol, subprotocol `engage.v1.json`. The first message is a hello.
#[utoipa::path(get, path = "/v1/connect", tag = "clients", operation_id = "connect", responses((status = 101, description = "The connection is open.")))]
pub fn connect() {}

/// Opens a connection of the client protocol for clients that can't hold a WebSocket: server-sent events, each with one server message or a list of them as its data.
#[utoipa::path(
    post, path = "/v1/stream", tag = "clients", operation_id = "stream",
    request_body(content = ref("#/components/schemas/Hello")),
    responses((status = 200, description = "The connection is open.", body = schemas::ClientEvent, content_type = "text/event-stream")),
)]
pub fn stream() {}

/// Takes messages of a client, with or without an open connection.
#[utoipa::path(
    post, path = "/v1/messages", tag = "clients", operation_id = "messages",
    request_body(content = ref("#/components/schemas/Post")),
    responses((status = 200, description = "Their confirms, errors and pongs, in order.", body = ref("#/components/schemas/Answers"))),
)]
pub fn messages() {}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "node", operation_id = "healthz", responses((status = 200, description = "It lives.", body = schemas::Health)))]
pub fn healthz() {}

/// The node is ready to serve.
#[utoipa::path(
    get, path = "/readyz", tag = "node", operation_id = "readyz",
    responses((status = 200, description = "It is ready.", body = schemas::Health), (status = 503, description = "It has not joined, knows no leaders, or is draining.")),
)]
pub fn readyz() {}

/// The metrics, for Prometheus. They hold no user's data.
#[utoipa::path(
    get, path = "/metrics", tag = "node", operation_id = "metrics",
    responses((status = 200, description = "The text format.", body = String, content_type = "text/plain")),
)]
pub fn metrics() {}

/// The console, a page for operators. It asks for a key of role `admin`, and shows nothing without one.
#[utoipa::path(
    get, path = "/console", tag = "node", operation_id = "console",
    responses((status = 200, description = "The page; its parts lie under it.", body = String, content_type = "text/html")),
)]
pub fn console() {}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "node", operation_id = "openapi",
    responses((status = 200, description = "OpenAPI 3.1.", content_type = "application/json", body = Object)),
)]
pub fn openapi() {}

/// The client protocol, message for message.
#[utoipa::path(
    get, path = "/asyncapi.json", tag = "node", operation_id = "asyncapi",
    responses((status = 200, description = "AsyncAPI 3.0.", content_type = "application/json", body = Object)),
)]
pub fn asyncapi() {}

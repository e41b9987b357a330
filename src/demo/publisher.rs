//! The publisher's calls, made for the page with the key that the page must not have. A call goes to any node that runs, and to the next one when that dies over it: every call is safe to send
//! again (G3).

use std::sync::atomic::Ordering;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use serde::Deserialize;

use super::answer::Refusal;
use super::person::USER;
use super::site::Shared;
use crate::client::{Answer, ApiError, OutcomesQuery, Verb};
use crate::clock;

/// Says which node answered.
const NODE_HEADER: &str = "engage-demo-node";
/// How long a call for outcomes waits for the first.
const OUTCOMES_WAIT: &str = "10s";
const OUTCOMES_MAX: u32 = 500;

/// `POST /demo/engagements`
pub(super) async fn publish(shared: web::Data<Shared>, body: Bytes) -> Result<HttpResponse, Refusal> {
    forward(&shared, Verb::Post, &["v1", "users", USER, "engagements"], Some(body)).await
}

/// `GET /demo/engagements`
pub(super) async fn deliveries(shared: web::Data<Shared>) -> Result<HttpResponse, Refusal> {
    forward(&shared, Verb::Get, &["v1", "users", USER, "engagements"], None).await
}

/// `GET /demo/engagements/{id}`
pub(super) async fn delivery(shared: web::Data<Shared>, id: web::Path<String>) -> Result<HttpResponse, Refusal> {
    forward(&shared, Verb::Get, &["v1", "users", USER, "engagements", &id], None).await
}

/// `DELETE /demo/engagements/{id}`
pub(super) async fn withdraw(shared: web::Data<Shared>, id: web::Path<String>) -> Result<HttpResponse, Refusal> {
    forward(&shared, Verb::Delete, &["v1", "users", USER, "engagements", &id], None).await
}

/// `POST /demo/forget`: forgets the user, and with them all that was published.
pub(super) async fn forget(shared: web::Data<Shared>) -> Result<HttpResponse, Refusal> {
    let answer = forward(&shared, Verb::Delete, &["v1", "users", USER], None).await?;
    shared.forgotten_at.store(clock::wall_ms(), Ordering::Relaxed);
    Ok(answer)
}

/// Where the reader of outcomes is.
#[derive(Deserialize)]
pub(super) struct After {
    after: Option<String>,
}

/// `GET /demo/outcomes?after=…`: the next outcomes; waits for one.
pub(super) async fn outcomes(shared: web::Data<Shared>, query: web::Query<After>) -> Result<HttpResponse, Refusal> {
    let query = OutcomesQuery { after: query.into_inner().after, limit: Some(OUTCOMES_MAX), wait: Some(OUTCOMES_WAIT.to_owned()) };
    let mut last = Refusal::unavailable("no node runs");
    for (_, api) in shared.nodes.running() {
        match api.outcomes(&query).await {
            Ok(outcomes) => return Ok(HttpResponse::Ok().json(outcomes)),
            Err(error @ ApiError::NoAnswer { .. }) => last = error.into(),
            Err(error) => return Err(error.into()),
        }
    }
    Err(last)
}

async fn forward(shared: &Shared, verb: Verb, path: &[&str], body: Option<Bytes>) -> Result<HttpResponse, Refusal> {
    let mut last = Refusal::unavailable("no node runs");
    for (process, api) in shared.nodes.running() {
        match api.call(verb, path, body.clone()).await {
            Ok(answer) => return hand_on(answer, &process.settings().name),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

fn hand_on(answer: Answer, node: &str) -> Result<HttpResponse, Refusal> {
    let status = StatusCode::from_u16(answer.status).map_err(Refusal::unavailable)?;
    let mut handed = HttpResponse::build(status);
    handed.insert_header((NODE_HEADER, node));
    if !answer.content_type.is_empty() {
        handed.insert_header((header::CONTENT_TYPE, answer.content_type));
    }
    Ok(handed.body(answer.body))
}

//! Publishing to one user: the request becomes a command, the ledger's reply an answer. A publish that isn't known to be committed is never answered as if it were.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use metrics::{counter, histogram};

use crate::clock;
use crate::ledger::ids::{EngagementId, UserId};
use crate::ledger::reply::{Bound, PublishReply, Reply, State};
use crate::ledger::{Applied, Command};
use crate::protocol::api::publish::{Notice, Publish};
use crate::protocol::code::Code;
use crate::telemetry::names::{PUBLISH_SECONDS, PUBLISHES_TOTAL};

use super::answers::Published;
use super::auth::Caller;
use super::openapi::schemas;
use super::problem::Problem;
use super::state::Api;
use super::{body, input};

/// Publishes an engagement to a user.
///
/// The key is (user, engagement id, window): a second publish of a key changes nothing and reports the first one's state, so that it is always safe to publish again.
#[utoipa::path(
    post, path = "/v1/users/{user}/engagements", tag = "publish", operation_id = "publish",
    params(schemas::UserPath),
    request_body(content = schemas::Publish),
    responses(
        (status = 201, description = "It is committed, and will be offered until it settles.", body = Published),
        (status = 200, description = "The key is known; nothing changed.", body = Published),
        (status = 202, description = "Fire-and-forget: it was sent to so many devices.", body = Published),
        (status = 409, description = "`different_engagement`: the key is known with other content; the first stays."),
        (status = 507, description = "`buffer_full`: a bound is reached; the detail names its configuration key."),
    ),
)]
pub async fn publish(api: web::Data<Api>, caller: Caller, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let user = input::user(&request)?;
    let bounds = &api.limits.bounds;
    let bound = body::Bound { max_bytes: bounds.body_max_bytes, timeout: bounds.body_timeout };
    let body = body::read_json(&request, payload, bound).await?;
    let published = match Publish::read(&body) {
        Ok(publish) => publish_one(&api, &caller, user, publish).await,
        Err(error) => counted(Err(error.into()), Duration::ZERO),
    }?;
    let status = match published.status {
        "queued" => StatusCode::CREATED,
        "sent" => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    Ok(HttpResponse::build(status).json(published))
}

/// Publishes to one user, and counts what came of it.
pub(super) async fn publish_one(api: &Api, caller: &Caller, user: UserId, publish: Publish) -> Result<Published, Problem> {
    let started = clock::monotonic();
    let published = match (api.limits.publish(caller), publish) {
        (Err(problem), _) => Err(problem),
        (Ok(()), Publish::Standard(engagement)) => {
            let id = engagement.id.clone();
            let applied = api.call(Command::Publish { user: user.clone(), engagement }).await;
            applied.and_then(|applied| worded(user, id, applied))
        }
        (Ok(()), Publish::FireAndForget(Notice { id, payload, targets })) => {
            let devices = api.notice(user, id, payload, targets).await;
            devices.map(|devices| Published { status: "sent", devices: Some(devices), ..Published::default() })
        }
    };
    counted(published, clock::monotonic().saturating_duration_since(started))
}

/// Counts what came of a publish, and hands it on.
pub(super) fn counted(published: Result<Published, Problem>, took: Duration) -> Result<Published, Problem> {
    let status = match &published {
        Ok(published) => published.status,
        Err(problem) => problem.code().name(),
    };
    counter!(PUBLISHES_TOTAL, "status" => status).increment(1);
    if published.is_ok() {
        histogram!(PUBLISH_SECONDS).record(took.as_secs_f64());
    }
    published
}

fn worded(user: UserId, id: EngagementId, applied: Applied) -> Result<Published, Problem> {
    let Reply::Publish(reply) = applied.reply else {
        return Err(Problem::new(Code::Internal, "the ledger answered a publish with something else"));
    };
    match reply {
        PublishReply::Queued { window, state, closes_at } => Ok(Published {
            user: Some(user),
            id: Some(id),
            status: "queued",
            window: Some(window.to_string()),
            state: Some(state),
            closes_at: Some(closes_at.0),
            ..Published::default()
        }),
        PublishReply::Duplicate { window, state, step, closes_at } => Ok(Published {
            user: Some(user),
            id: Some(id),
            status: "duplicate",
            window: Some(window.to_string()),
            state: Some(state),
            step: Some(step),
            closes_at: Some(closes_at.0),
            ..Published::default()
        }),
        PublishReply::Different { window, state } => Err(different(&user, &id, &window.to_string(), state)),
        PublishReply::Full(bound) => Err(full(&user, bound)),
    }
}

fn different(user: &UserId, id: &EngagementId, window: &str, state: State) -> Problem {
    let detail = format!("engagement {id:?} of user {user:?} was published with other content; the first stays");
    let state = serde_json::to_value(state).expect("a state is a word");
    Problem::new(Code::DifferentEngagement, detail)
        .with("user", user.as_str())
        .with("id", id.as_str())
        .with("window", window)
        .with("state", state)
}

fn full(user: &UserId, bound: Bound) -> Problem {
    let (what, key) = match bound {
        Bound::BufferDeliveries => (format!("user {user:?} has as many unsettled deliveries as may be"), "buffer.max_deliveries"),
        Bound::BufferBytes => (format!("the unsettled deliveries of user {user:?} take as many bytes as may be"), "buffer.max_bytes"),
        Bound::Records => (format!("user {user:?} has as many deliveries in open windows as are remembered"), "limits.records_per_user"),
        Bound::Ledger => ("the ledger of this user's shard is full".to_owned(), "limits.ledger_bytes_per_shard"),
    };
    Problem::new(Code::BufferFull, format!("{what}; hint: the bound is {key}")).with("bound", key)
}

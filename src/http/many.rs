//! Publishing to many: one body, up to 10,000 items, each of which succeeds or fails alone. A bounded number is under way at once, started in their order.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use futures_util::stream;

use crate::protocol::api::many::{Item, Many};

use super::answers::{ItemOutcome, ItemResult, Published, Results};
use super::auth::Caller;
use super::body;
use super::openapi::schemas;
use super::problem::Problem;
use super::publish::{counted, publish_one};
use super::state::Api;

/// Most items of one body that are under way at once. Each is a place in a queue of its user and its shard, so this bounds what one caller can fill.
const UNDER_WAY_MAX: usize = 512;

/// Publishes to many users.
///
/// The results stand in the order of the items; each item succeeds or fails alone, with the answer or the error that it would have had by itself.
#[utoipa::path(
    post, path = "/v1/engagements", tag = "publish", operation_id = "publishMany",
    request_body(content = schemas::PublishMany),
    responses((status = 200, description = "A result for each item, in order.", body = Results)),
)]
pub async fn publish_many(
    api: web::Data<Api>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let _place = api.limits.batches.enter()?;
    let bounds = &api.limits.bounds;
    let bound = body::Bound { max_bytes: bounds.batch_max_bytes, timeout: bounds.body_timeout };
    let body = body::read_json(&request, payload, bound).await?;
    let many = Many::read(&body)?;
    let (api, caller) = (&api, &caller);
    let results = stream::iter(many.items()).map(|item| publish_item(api, caller, item)).buffered(UNDER_WAY_MAX).collect().await;
    Ok(HttpResponse::Ok().json(Results { results }))
}

async fn publish_item(api: &Api, caller: &Caller, item: Item) -> ItemResult {
    let published = match item.publish {
        Ok((user, publish)) => publish_one(api, caller, user, publish).await,
        Err(error) => counted(Err(Problem::from(error)), Duration::ZERO),
    };
    let outcome = match published {
        // The result names the user and the id by itself.
        Ok(published) => ItemOutcome::Published(Published { user: None, id: None, ..published }),
        Err(problem) => ItemOutcome::Refused {
            status: "error",
            code: problem.code().name(),
            detail: problem.detail().to_owned(),
            field: problem.named_field().map(ToOwned::to_owned),
        },
    };
    ItemResult { user: item.user, id: item.id, outcome }
}

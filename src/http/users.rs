//! One user: what the ledger knows, the deliveries, withdrawing one, forgetting all. Reads are linearizable: they show whatever was confirmed before.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::ledger::Command;
use crate::ledger::engagement::Scope;
use crate::ledger::ids::UserId;
use crate::ledger::reply::Reply;
use crate::ledger::view::{DeliveryView, DeviceView, EngagementView, UserView};
use crate::protocol::code::Code;

use super::answers::{Buffered, DeviceAnswer, UserAnswer, WindowAnswer, Withdrawn};
use super::delivery_answers::{Deliveries, DeliveryAnswer, EngagementAnswer, Event};
use super::input::{self, Query};
use super::openapi::schemas;
use super::problem::Problem;
use super::state::Api;

/// Deliveries in a page, when none are asked for, and at most.
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1_000;

/// Shows a user.
#[utoipa::path(
    get, path = "/v1/users/{user}", tag = "users", operation_id = "getUser",
    params(schemas::UserPath),
    responses(
        (status = 200, description = "What the ledger knows of the user.", body = UserAnswer),
        (status = 404, description = "`not_found`: the ledger knows nothing of the user, and no device is connected."),
    ),
)]
pub async fn user(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let user = input::user(&request)?;
    match api.read.user(&user).await? {
        Some(view) => Ok(HttpResponse::Ok().json(user_answer(&api, user, view))),
        None => Err(Problem::new(Code::NotFound, format!("the ledger knows nothing of user {user:?}"))),
    }
}

fn user_answer(api: &Api, user: UserId, view: UserView) -> UserAnswer {
    let shard = api.read.shard_of(&user);
    let device_answer = |device: DeviceView| DeviceAnswer {
        device: device.device.to_string(),
        node: api.owners.name_of_edge(device.connection.edge),
        visible: device.visible,
        connected_at: device.connected_at.0,
        lease_until: device.lease_until.map(|at| at.0),
    };
    UserAnswer {
        user,
        shard: shard.0,
        owner: api.owners.owner_of(shard).and_then(|owner| api.owners.name_of(owner.node)),
        window: view.window.map(WindowAnswer::from),
        devices: view.devices.into_iter().map(device_answer).collect(),
        buffered: Buffered { deliveries: view.buffered_count, bytes: view.buffered_bytes },
    }
}

/// Forgets a user: the ledger, the buffer; connections are closed.
#[utoipa::path(
    delete, path = "/v1/users/{user}", tag = "users", operation_id = "forgetUser",
    params(schemas::UserPath),
    responses((status = 204, description = "Nothing is known of the user any more.")),
)]
pub async fn forget(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let user = input::user(&request)?;
    match api.call(Command::Forget { user }).await?.reply {
        Reply::Done => Ok(HttpResponse::NoContent().finish()),
        _ => Err(Problem::new(Code::Internal, "the ledger answered a forget with something else")),
    }
}

/// Lists the deliveries of a user's open windows, newest last.
#[utoipa::path(
    get, path = "/v1/users/{user}/engagements", tag = "users", operation_id = "listDeliveries",
    params(
        schemas::UserPath,
        ("limit" = Option<u64>, Query, description = "Deliveries of the page, not counting further devices of its last engagement; 100 when left out.", minimum = 1, maximum = 1000),
        ("after" = Option<String>, Query, description = "The `cursor` of the page before.", pattern = "^[0-9]{1,19}$"),
    ),
    responses((status = 200, description = "A page of deliveries; none when the user isn't known.", body = Deliveries)),
)]
pub async fn deliveries(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let user = input::user(&request)?;
    let query = Query::read(&request, &["limit", "after"])?;
    let limit = query.number("limit", 1..=PAGE_MAX)?.unwrap_or(PAGE);
    let after = query.number("after", 0..=u64::MAX)?.unwrap_or(0);
    let limit = usize::try_from(limit).expect("PAGE_MAX fits");
    let views = api.read.deliveries(&user, after, limit).await?;
    // A full page is looked behind: a cursor is given where there is more, and nowhere else. A page may pass its limit by the devices of its last engagement, which
    // share a place in the order.
    let cursor = match views.last() {
        Some(last) if views.len() >= limit && !api.read.deliveries(&user, last.sequence, 1).await?.is_empty() => {
            Some(last.sequence.to_string())
        }
        _ => None,
    };
    Ok(HttpResponse::Ok().json(Deliveries { deliveries: views.iter().map(DeliveryAnswer::from).collect(), cursor }))
}

/// Shows one engagement of a user, with its timeline.
#[utoipa::path(
    get, path = "/v1/users/{user}/engagements/{id}", tag = "users", operation_id = "getEngagement",
    params(schemas::EngagementPath),
    responses(
        (status = 200, description = "Its newest delivery, and what happened.", body = EngagementAnswer),
        (status = 404, description = "`not_found`: the ledger knows no such delivery."),
    ),
)]
pub async fn engagement(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (user, id) = (input::user(&request)?, input::engagement(&request)?);
    let view = api.read.engagement(&user, &id).await?;
    match view.as_ref().and_then(engagement_answer) {
        Some(answer) => Ok(HttpResponse::Ok().json(answer)),
        None => Err(no_delivery(&user, id.as_str())),
    }
}

fn engagement_answer(view: &EngagementView) -> Option<EngagementAnswer> {
    let newest = view.deliveries.last()?;
    let are_several = |views: &[DeliveryView]| newest.scope == Scope::Device || views.len() > 1;
    Some(EngagementAnswer {
        newest: DeliveryAnswer::from(newest),
        deliveries: are_several(&view.deliveries).then(|| view.deliveries.iter().map(DeliveryAnswer::from).collect()),
        timeline: view.timeline.iter().map(Event::from).collect(),
    })
}

/// Withdraws an engagement.
///
/// When it is answered, nobody is offered it any more; the answer says in which state it ended: withdrawn, or settled before.
#[utoipa::path(
    delete, path = "/v1/users/{user}/engagements/{id}", tag = "publish", operation_id = "withdraw",
    params(schemas::EngagementPath),
    responses(
        (status = 200, description = "In which state it ended.", body = Withdrawn),
        (status = 404, description = "`not_found`: the ledger knows no such delivery."),
    ),
)]
pub async fn withdraw(api: web::Data<Api>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (user, id) = (input::user(&request)?, input::engagement(&request)?);
    match api.call(Command::Withdraw { user: user.clone(), id: id.clone() }).await?.reply {
        Reply::Withdraw(Some(ended)) => Ok(HttpResponse::Ok().json(Withdrawn::from(ended))),
        Reply::Withdraw(None) => Err(no_delivery(&user, id.as_str())),
        _ => Err(Problem::new(Code::Internal, "the ledger answered a withdraw with something else")),
    }
}

fn no_delivery(user: &UserId, id: &str) -> Problem {
    Problem::new(Code::NotFound, format!("the ledger knows no engagement {id:?} of user {user:?}"))
}

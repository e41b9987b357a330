//! The bodies of the API's answers on deliveries and what became of them, made of what the ledger shows. `openapi` describes them from here.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::ledger::engagement::{Payload, Scope, Targets};
use crate::ledger::ids::{DeviceId, EngagementId, UserId, WindowId};
use crate::ledger::outcome::{Outcome, Reason};
use crate::ledger::reply::State;
use crate::ledger::view::DeliveryView;

use super::openapi::words;

/// A delivery. What is not known, or no longer, is left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeliveryAnswer {
    #[schema(value_type = String)]
    pub id: EngagementId,
    pub window: String,
    /// With scope `device`, once a device has connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    #[schema(schema_with = words::scope)]
    pub scope: Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::targets)]
    pub targets: Option<Targets>,
    #[schema(schema_with = words::state)]
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::reason)]
    pub reason: Option<Reason>,
    /// The highest confirmed step.
    pub step: u32,
    pub steps: u8,
    /// What was confirmed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::any_json)]
    pub data: Option<Box<RawValue>>,
    /// How often it was offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offers: Option<u32>,
    /// The devices that have it on their screens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holders: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// It is not offered before then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<u64>,
}

impl From<&DeliveryView> for DeliveryAnswer {
    fn from(view: &DeliveryView) -> DeliveryAnswer {
        let open = view.open.as_ref();
        DeliveryAnswer {
            id: view.id.clone(),
            window: view.window.to_string(),
            device: view.device.as_ref().map(ToString::to_string),
            scope: view.scope,
            targets: open.filter(|_| view.scope == Scope::User).map(|open| open.targets),
            state: view.state,
            reason: view.reason,
            step: view.step,
            steps: view.steps,
            data: open.and_then(|open| open.data.as_ref()).and_then(raw_json),
            offers: open.map(|open| open.offers),
            holders: open.map(|open| open.holders.iter().map(ToString::to_string).collect()),
            priority: open.map(|open| open.priority),
            published_at: open.map(|open| open.published_at.0),
            expires_at: open.map(|open| open.expires_at.0),
            waits_until: open.and_then(|open| open.waits_until).map(|at| at.0),
            settled_at: view.settled_at.map(|at| at.0),
        }
    }
}

/// The text as it is. It was JSON when it came in; should it not be, it is left out and not sent on.
fn raw_json(payload: &Payload) -> Option<Box<RawValue>> {
    let Payload(bytes) = payload;
    serde_json::from_slice::<&RawValue>(bytes).ok().map(ToOwned::to_owned)
}

/// A page of deliveries.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Deliveries {
    pub deliveries: Vec<DeliveryAnswer>,
    /// `after` of the next page; `null` when this is the last one.
    pub cursor: Option<String>,
}

/// One engagement of a user: its newest delivery, and what happened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EngagementAnswer {
    #[serde(flatten)]
    pub newest: DeliveryAnswer,
    /// All its deliveries, where there may be several: one for each device, or one for each of its windows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deliveries: Option<Vec<DeliveryAnswer>>,
    /// Oldest first, as far as it is kept.
    pub timeline: Vec<Event>,
}

/// A line of a timeline.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Event {
    pub at: u64,
    #[schema(schema_with = words::outcome)]
    pub outcome: &'static str,
    pub device: Option<String>,
    pub step: u32,
    #[schema(schema_with = words::reason)]
    pub reason: Option<Reason>,
}

impl From<&Outcome> for Event {
    fn from(outcome: &Outcome) -> Event {
        Event {
            at: outcome.at.0,
            outcome: outcome.what.as_str(),
            device: outcome.device.as_ref().map(ToString::to_string),
            step: outcome.step,
            reason: outcome.reason,
        }
    }
}

/// A line of the outcome feed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OutcomeLine<'a> {
    /// Where to go on from; the part before the dot names this outcome.
    pub cursor: String,
    pub at: u64,
    #[schema(schema_with = words::outcome)]
    pub outcome: &'static str,
    #[schema(value_type = String)]
    pub user: &'a UserId,
    pub device: Option<&'a str>,
    #[schema(value_type = String)]
    pub id: &'a EngagementId,
    /// `null` for a notice.
    pub window: Option<String>,
    pub step: u32,
    #[schema(schema_with = words::reason)]
    pub reason: Option<Reason>,
}

impl<'a> OutcomeLine<'a> {
    /// The line of an outcome.
    #[must_use]
    pub fn new(cursor: String, outcome: &'a Outcome) -> OutcomeLine<'a> {
        OutcomeLine {
            cursor,
            at: outcome.at.0,
            outcome: outcome.what.as_str(),
            user: &outcome.user,
            device: outcome.device.as_ref().map(DeviceId::as_str),
            id: &outcome.id,
            window: outcome.window.as_ref().map(WindowId::to_string),
            step: outcome.step,
            reason: outcome.reason,
        }
    }
}

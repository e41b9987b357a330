//! The bodies of the API's answers, made of what the ledger replies and shows. `openapi` describes them from here.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::ledger::engagement::{Payload, Scope, Targets};
use crate::ledger::ids::{EngagementId, UserId, WindowId};
use crate::ledger::outcome::{Outcome, Reason};
use crate::ledger::reply::{Ended, State};
use crate::ledger::view::DeliveryView;
use crate::ledger::window::Window;

use super::openapi::words;

/// What became of one publish.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Published {
    /// `null` in the answer to an item whose user can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub user: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub id: Option<EngagementId>,
    /// `queued`: it is committed. `duplicate`: it was before, nothing changed. `sent`: it was handed to connected devices. `error`: see `code`.
    #[schema(schema_with = words::publish_status)]
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = words::state)]
    pub state: Option<State>,
    /// The highest confirmed step, of a duplicate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// When its window closes, in ms since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<u64>,
    /// To how many devices a fire-and-forget publish was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<u32>,
}

/// What became of one item of a publish to many.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ItemResult {
    /// `null`, when the item's user can't be read.
    #[schema(value_type = Option<String>)]
    pub user: Option<UserId>,
    /// `null`, when the item's id can't be read.
    #[schema(value_type = Option<String>)]
    pub id: Option<EngagementId>,
    #[serde(flatten)]
    pub outcome: ItemOutcome,
}

/// An item stands for itself: it has its own answer, or its own error.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ItemOutcome {
    Published(Published),
    Refused {
        /// Always `error`.
        status: &'static str,
        /// The stable word, as in a problem document.
        code: &'static str,
        detail: String,
        /// The field that it is about, by its path in the body.
        #[serde(skip_serializing_if = "Option::is_none")]
        field: Option<String>,
    },
}

/// The answer to a publish to many: a result for each item, in order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Results {
    pub results: Vec<ItemResult>,
}

/// In which state a withdrawn delivery ended.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Withdrawn {
    #[schema(schema_with = words::state)]
    pub state: State,
    #[schema(schema_with = words::reason)]
    pub reason: Option<Reason>,
    pub step: u32,
}

impl From<Ended> for Withdrawn {
    fn from(ended: Ended) -> Withdrawn {
        Withdrawn { state: ended.state, reason: ended.reason, step: ended.step }
    }
}

/// A session window.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WindowAnswer {
    pub id: String,
    pub opened_at: u64,
    pub closes_at: u64,
}

impl From<Window> for WindowAnswer {
    fn from(window: Window) -> WindowAnswer {
        WindowAnswer { id: window.id.to_string(), opened_at: window.opened_at.0, closes_at: window.closes_at.0 }
    }
}

/// A user, as the ledger knows it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UserAnswer {
    #[schema(value_type = String)]
    pub user: UserId,
    pub shard: u16,
    /// The node that owns the user, if one is known to.
    pub owner: Option<String>,
    /// The session window, while one is open.
    pub window: Option<WindowAnswer>,
    pub devices: Vec<DeviceAnswer>,
    pub buffered: Buffered,
}

/// A device that is connected, or that lost its connection a moment ago and has a lease.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceAnswer {
    pub device: String,
    /// The node that holds its connection.
    pub node: Option<String>,
    pub visible: bool,
    pub connected_at: u64,
    /// It lost its connection, and keeps what it holds until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<u64>,
}

/// What waits in the replay buffer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Buffered {
    pub deliveries: u64,
    pub bytes: u64,
}

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
            device: outcome.device.as_ref().map(crate::ledger::ids::DeviceId::as_str),
            id: &outcome.id,
            window: outcome.window.as_ref().map(WindowId::to_string),
            step: outcome.step,
            reason: outcome.reason,
        }
    }
}

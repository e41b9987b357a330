//! The bodies of the API's answers on publishes and users, made of what the ledger replies and shows; `delivery_answers` holds those on deliveries. `openapi`
//! describes them from here.

use serde::Serialize;
use utoipa::ToSchema;

use crate::ledger::ids::{EngagementId, UserId};
use crate::ledger::outcome::Reason;
use crate::ledger::reply::{Ended, State};
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

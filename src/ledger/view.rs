//! What a reader may see of the ledger: plain copies, made under the reader's own time, for status calls.

use serde::{Deserialize, Serialize};

use super::engagement::{Payload, Scope, Targets};
use super::ids::{ConnectionId, DeviceId, EngagementId, UserId, WindowId};
use super::outcome::{Outcome, OutcomeLog, Reason};
use super::reply::State;
use super::time::LedgerTime;
use super::window::Window;

/// A user, as `GET /v1/users/{user}` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserView {
    /// The session window, while one is open.
    pub window: Option<Window>,
    /// Attached devices, and those on a lease.
    pub devices: Vec<DeviceView>,
    /// Unsettled deliveries, and their bytes.
    pub buffered_count: u64,
    pub buffered_bytes: u64,
}

/// A device of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceView {
    pub device: DeviceId,
    pub connection: ConnectionId,
    pub visible: bool,
    pub connected_at: LedgerTime,
    /// It lost its connection and keeps what it holds until then.
    pub lease_until: Option<LedgerTime>,
}

/// A delivery, as the delivery routes show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// The order of publishes within a user; the cursor of a listing.
    pub sequence: u64,
    pub id: EngagementId,
    pub window: WindowId,
    /// The device of a delivery of `scope: "device"`; none while no device has connected.
    pub device: Option<DeviceId>,
    pub scope: Scope,
    pub state: State,
    pub reason: Option<Reason>,
    pub step: u32,
    pub steps: u8,
    /// These are gone once it is settled.
    pub open: Option<OpenView>,
    /// When it settled.
    pub settled_at: Option<LedgerTime>,
}

/// What is known of a delivery that is not settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenView {
    pub targets: Targets,
    pub priority: i8,
    pub data: Option<Payload>,
    pub offers: u32,
    pub holders: Vec<DeviceId>,
    pub published_at: LedgerTime,
    pub expires_at: LedgerTime,
    /// It is not offered before then (`not_before`, or a snooze).
    pub waits_until: Option<LedgerTime>,
}

/// All deliveries of one engagement id, with what happened to them as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngagementView {
    /// One, or one for each device; in order of publish.
    pub deliveries: Vec<DeliveryView>,
    /// Oldest first.
    pub timeline: Vec<Outcome>,
}

impl EngagementView {
    /// Looks the timeline up: that of the deliveries shown, so that what came before a user was forgotten is not shown again.
    #[must_use]
    pub fn new(deliveries: Vec<DeliveryView>, outcomes: &OutcomeLog, user: &UserId, id: &EngagementId) -> EngagementView {
        let is_shown = |outcome: &&Outcome| deliveries.iter().any(|delivery| outcome.window == Some(delivery.window));
        let timeline = outcomes.of(user, id).filter(is_shown).cloned().collect();
        EngagementView { deliveries, timeline }
    }
}

/// How much a shard holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub users: u64,
    /// Attached, or on a lease.
    pub devices: u64,
    pub buffered_deliveries: u64,
    pub buffered_bytes: u64,
    /// About what all of it takes.
    pub ledger_bytes: u64,
}

//! What the ledger wants done. Every replica computes the effects; only the owner carries them out, in order.

use serde::{Deserialize, Serialize};

use super::engagement::{Payload, Scope, SettleOn};
use super::ids::{ConnectionId, EngagementId, UserId, WindowId};
use super::time::{LedgerTime, Millis};
use super::window::Window;

/// One effect, for one connection of one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    pub user: UserId,
    pub connection: ConnectionId,
    pub action: Action,
}

/// What to tell a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Here is a delivery; the device holds it from now on.
    Offer(Box<Offer>),
    /// Another device went on with what this one shows.
    Progress { id: EngagementId, window: WindowId, step: u32, data: Option<Payload> },
    /// Take it off the screen.
    Withdraw { id: EngagementId, window: WindowId, reason: WithdrawReason, at: LedgerTime },
    /// A new session window is open.
    Window(Window),
    /// All that was waiting at the hello has been offered.
    CaughtUp,
    /// The connection is to be closed.
    Close(CloseReason),
}

/// An offer of a delivery, as one device gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub id: EngagementId,
    pub window: WindowId,
    pub scope: Scope,
    /// How often this key was offered, this time included.
    pub offer: u32,
    /// The step to show next, 1 when none is done.
    pub step: u32,
    pub steps: u8,
    pub settle_on: SettleOn,
    /// What was confirmed last.
    pub data: Option<Payload>,
    pub payload: Payload,
    pub priority: i8,
    pub expires_in: Millis,
    pub at: LedgerTime,
}

/// Why a device is told to take a delivery off its screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawReason {
    /// It goes (or may go) to another device, or is put off.
    Moved,
    /// It was settled on another device.
    DoneElsewhere,
    /// The publisher took it back.
    Withdrawn,
    /// It expired or was dropped.
    Expired,
}

/// Why the ledger ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// Another connection of the same device took its place.
    Replaced,
    /// The user was forgotten.
    Forgotten,
}

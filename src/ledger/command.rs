//! What a shell asks of the ledger. Every command is safe to send again: its key makes a second one a no-op.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::engagement::{Engagement, Payload};
use super::ids::{ConnectionId, DeviceId, EdgeId, EngagementId, UserId, WindowId};
use super::limits::Settings;
use super::outcome::NoticeOutcome;

/// One command. All but the last three concern one user and touch nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A publisher's engagement for a user. Replies [`super::reply::Reply::Publish`].
    Publish { user: UserId, engagement: Arc<Engagement> },
    /// A device's hello. Replies [`super::reply::Reply::Attach`].
    Attach { user: UserId, attach: Attach },
    /// A connection ended. Replies [`super::reply::Reply::Done`].
    Detach { user: UserId, device: DeviceId, connection: ConnectionId, departure: Departure },
    /// A device shows or hides itself. Replies [`super::reply::Reply::Done`].
    Visible { user: UserId, device: DeviceId, connection: ConnectionId, visibility: Visibility },
    /// A device shown an engagement, or done with a step. Replies [`super::reply::Reply::Ack`].
    Ack { user: UserId, by: By, ack: Ack },
    /// A device dismisses an engagement. Replies [`super::reply::Reply::Ack`].
    Dismiss { user: UserId, by: By, id: EngagementId, window: WindowId },
    /// A publisher takes an engagement back. Replies [`super::reply::Reply::Withdraw`].
    Withdraw { user: UserId, id: EngagementId },
    /// Everything about a user is forgotten. Replies [`super::reply::Reply::Done`].
    Forget { user: UserId },
    /// What became of a notice (fire-and-forget), for the outcome feed alone. Replies [`super::reply::Reply::Done`].
    Notice { user: UserId, id: EngagementId, device: Option<DeviceId>, outcome: NoticeOutcome },
    /// Time passes: what is due is done, for at most [`super::ledger::ADVANCE_USERS_MAX`] users. Replies [`super::reply::Reply::Done`].
    Advance,
    /// First entry of a leader: the settings in force, and the edges that live. Connections of other edges get a lease to report in; who is on a lease gets
    /// a new one, by this leader's clock.
    Takeover { settings: Settings, edges: Vec<EdgeId> },
    /// The clock that time is stamped from has jumped ahead: leases that run begin anew, before time passes for who is on them. Replies
    /// [`super::reply::Reply::Done`].
    RenewLeases,
}

impl Command {
    /// The user whom it concerns; none for the shard's own commands.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Command::Publish { user, .. }
            | Command::Attach { user, .. }
            | Command::Detach { user, .. }
            | Command::Visible { user, .. }
            | Command::Ack { user, .. }
            | Command::Dismiss { user, .. }
            | Command::Withdraw { user, .. }
            | Command::Forget { user }
            | Command::Notice { user, .. } => Some(user),
            Command::Advance | Command::Takeover { .. } | Command::RenewLeases => None,
        }
    }
}

/// What a hello says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attach {
    /// The device that connects; an earlier connection of it is replaced.
    pub device: DeviceId,
    /// The connection that effects go to.
    pub connection: ConnectionId,
    /// Whether a person can see it.
    pub visibility: Visibility,
    /// Most unsettled offers that this connection holds at once; 1 to 256.
    pub max_in_flight: u16,
    /// Acks that the client has no confirm for; taken before anything is offered (G9).
    pub acks: Vec<Ack>,
    /// What the client has on its screen.
    pub open: Vec<Key>,
    /// Whether the client says hello, or its edge reports it again.
    pub greeting: Greeting,
}

/// Who speaks in an attach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Greeting {
    /// The client, on a new connection.
    Hello,
    /// The edge, of a connection that goes on: the owner changed, or the way to it was broken. What was written to the connection is known exactly, so only what is missing is told.
    Again {
        /// The last session window that the connection was told of.
        window: Option<WindowId>,
        /// The highest step that it was told of, for each key in `open`.
        steps: Vec<u32>,
        /// It was told that all that waited at its hello has been offered.
        is_caught_up: bool,
    },
}

/// A delivery, as a device names it (the user and the device are known).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub id: EngagementId,
    pub window: WindowId,
}

/// Who acks or dismisses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    pub device: DeviceId,
    /// The connection that it came on, and is answered on; `None`: it was posted, or is said in a hello. A later connection of the device must be told what became of what it shows.
    pub connection: Option<ConnectionId>,
}

impl By {
    /// An ack or a dismiss that did not come on the device's connection, and is answered by itself.
    #[must_use]
    pub fn posted(device: DeviceId) -> By {
        By { device, connection: None }
    }
}

/// A device's word that something was shown, or done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    pub id: EngagementId,
    pub window: WindowId,
    /// 0: shown. k: the steps 1 to k are done.
    pub step: u32,
    /// JSON text that replaces the delivery's data; `None`: the data stays.
    pub data: Option<Payload>,
}

/// Whether a device is in front of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Visibility {
    Visible,
    Hidden,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Departure {
    /// The client closed it: what the device holds is free at once.
    Closed,
    /// It broke, or the server cut it: the device keeps what it holds for the lease.
    Lost,
}

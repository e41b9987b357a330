//! What the ledger answers to the one who asked. A reply is sent before the effects of its command.

use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::ids::{EngagementId, WindowId};
use super::outcome::Reason;
use super::time::LedgerTime;
use super::window::Window;

/// All that came of one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Ledger time of the command.
    pub at: LedgerTime,
    pub reply: Reply,
    /// In the order in which they are to be carried out.
    pub effects: Vec<Effect>,
}

/// One variant for each kind of question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    Publish(PublishReply),
    Attach(AttachReply),
    Ack(AckReply),
    /// `None`: the ledger knows no such delivery.
    Withdraw(Option<Ended>),
    Done,
}

/// What became of a publish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PublishReply {
    /// It is the first of its key.
    Queued { window: WindowId, state: State, closes_at: LedgerTime },
    /// The key is known; nothing changed. `window` is the first one's.
    Duplicate { window: WindowId, state: State, step: u32, closes_at: LedgerTime },
    /// The key is known, with other content; the first stays.
    Different { window: WindowId, state: State },
    /// Some bound is reached.
    Full(Bound),
}

/// Which bound was reached, by the name of its configuration key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// `buffer.max_deliveries`
    BufferDeliveries,
    /// `buffer.max_bytes`
    BufferBytes,
    /// `limits.records_per_user`
    Records,
    /// `limits.ledger_bytes_per_shard`
    Ledger,
}

/// What became of a hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttachReply {
    /// The device is attached. `acks` answers the hello's, in their order.
    Attached { window: Window, acks: Vec<AckReply> },
    /// `limits.connections_per_user` is reached; `acks` were taken all the same.
    TooManyDevices { acks: Vec<AckReply> },
    /// `limits.ledger_bytes_per_shard` is reached.
    Full,
    /// An edge reported a connection again, and a later one of the device has taken its place.
    Replaced,
}

/// What became of an ack or a dismiss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AckReply {
    /// It is recorded, or was before.
    Confirm(Confirm),
    /// The ledger knows no such delivery.
    Unknown { id: EngagementId, window: WindowId },
    /// Steps go from 0 to `steps`.
    OutOfRange { id: EngagementId, window: WindowId, steps: u8 },
}

/// The server's word that the ack is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    pub id: EngagementId,
    pub window: WindowId,
    pub step: u32,
    pub steps: u8,
    pub state: State,
    /// Whether this device's ack settled it.
    pub yours: bool,
    pub at: LedgerTime,
}

/// In which state a delivery ended, or ended before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub state: State,
    pub reason: Option<Reason>,
    pub step: u32,
}

/// The states of a delivery, in the order in which they are passed (CONTRACT §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Queued,
    Offered,
    Shown,
    InProgress,
    Completed,
    Dismissed,
    Expired,
    Withdrawn,
    Dropped,
}

impl State {
    /// Whether it is final.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self >= State::Completed
    }
}

//! The entries of a history. `docs/history.md` says what each means; this file decides nothing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::fault::Fault;
pub use super::key::Key;

/// One connection of one device.
pub type Session = u64;

/// How a client ended its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// With a Close frame.
    Closed,
    /// Without a word.
    Lost,
}

/// Whom an engagement is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    #[default]
    Active,
    All,
}

/// For whom there is a delivery of an engagement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    #[default]
    User,
    Device,
}

/// How a client is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    #[default]
    Websocket,
    /// By server-sent events. What it says goes out by posts of their own, whose answers have no order with what is streamed.
    Stream,
}

/// What a full replay buffer does with a publish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    #[default]
    Reject,
    DropOldest,
}

/// Whether wall clocks can be compared: those of the processes that note, and those of the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clocks {
    /// To the ms, as on one machine.
    #[default]
    Agree,
    Apart,
}

/// Something that somebody saw or did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// Microseconds since the start.
    pub t: u64,
    /// Which process noted it: the place of its file among those that were merged. Entries of one process are ordered by their place; those of two only as well as
    /// their clocks agree.
    #[serde(skip)]
    pub process: u16,
    #[serde(flatten)]
    pub what: What,
}

impl Entry {
    /// One of a history that one process has noted.
    #[must_use]
    pub fn at(t: u64, what: What) -> Entry {
        Entry { t, process: 0, what }
    }
}

/// The first entry: what the cluster was told, and when time began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The wall clock at `t` = 0.
    pub wall_ms: u64,
    pub lease_ms: u64,
    pub request_timeout_ms: u64,
    pub seed: u64,
    /// How far this process's times may be from those of the others, beside the rounding of `wall_ms`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub clock_error_us: u64,
    /// Of this process and the nodes.
    #[serde(default)]
    pub clocks: Clocks,
    /// `buffer.max_deliveries`; none where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_max: Option<u64>,
    #[serde(default)]
    pub overflow: Overflow,
    /// `window.carry`; none where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry_ms: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_websocket(transport: &Transport) -> bool {
    *transport == Transport::Websocket
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A call of a publisher.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    pub call: u64,
    pub user: String,
    pub id: String,
    pub targets: Targets,
    #[serde(default)]
    pub scope: Scope,
    pub payload: Value,
    /// The length of a window of its own; none in the session window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
    /// How often it may be offered; 0 without a limit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_offers: u64,
    /// Put off, instead of settled, by a dismiss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snooze_ms: Option<u64>,
}

/// A window, as a client was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub id: String,
    pub opened_at: u64,
    pub closes_at: u64,
}

/// What it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "snake_case", deny_unknown_fields)]
pub enum What {
    Run(Run),
    Publish(Publish),
    Published {
        call: u64,
        status: u16,
        key: Option<Key>,
        state: Option<String>,
        step: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        closes_at: Option<u64>,
    },
    Refused {
        call: u64,
        code: String,
    },
    Unanswered {
        call: u64,
        why: String,
    },
    GaveUp {
        call: u64,
        why: String,
    },
    TakeBack {
        call: u64,
        user: String,
        id: String,
    },
    TakenBack {
        call: u64,
        user: String,
        id: String,
        state: String,
    },
    Hello {
        session: Session,
        user: String,
        device: String,
        node: String,
        visible: bool,
        max_in_flight: usize,
        open: Vec<Key>,
        #[serde(default, skip_serializing_if = "is_websocket")]
        transport: Transport,
    },
    Welcome {
        session: Session,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<Window>,
    },
    CaughtUp {
        session: Session,
    },
    Window {
        session: Session,
        window: Window,
    },
    Offer {
        session: Session,
        key: Key,
        offer: u64,
        step: u64,
        at: u64,
        data: Value,
        payload: Value,
    },
    Withdraw {
        session: Session,
        key: Key,
        reason: String,
        at: u64,
    },
    Ack {
        session: Session,
        key: Key,
        step: Option<u64>,
        data: Value,
        reference: Option<i64>,
    },
    Confirm {
        session: Session,
        key: Key,
        step: u64,
        state: String,
        yours: bool,
        at: u64,
        reference: Option<i64>,
    },
    Error {
        session: Session,
        code: String,
        retry: bool,
        reference: Option<i64>,
    },
    Visible {
        session: Session,
        visible: bool,
    },
    End {
        session: Session,
        leave: Leave,
    },
    Ended {
        session: Session,
        code: Option<u16>,
    },
    Fault {
        node: String,
        kind: Fault,
    },
    Outcome {
        key: Key,
        outcome: String,
        state: Option<String>,
        cursor: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    Last {
        key: Key,
        state: String,
    },
    Replica {
        node: String,
        shard: u16,
        applied_index: u64,
        state_hash: String,
    },
}

impl What {
    /// The word for it in the history.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            What::Run(_) => "run",
            What::Publish(_) => "publish",
            What::Published { .. } => "published",
            What::Refused { .. } => "refused",
            What::Unanswered { .. } => "unanswered",
            What::GaveUp { .. } => "gave_up",
            What::TakeBack { .. } => "take_back",
            What::TakenBack { .. } => "taken_back",
            What::Hello { .. } => "hello",
            What::Welcome { .. } => "welcome",
            What::CaughtUp { .. } => "caught_up",
            What::Window { .. } => "window",
            What::Offer { .. } => "offer",
            What::Withdraw { .. } => "withdraw",
            What::Ack { .. } => "ack",
            What::Confirm { .. } => "confirm",
            What::Error { .. } => "error",
            What::Visible { .. } => "visible",
            What::End { .. } => "end",
            What::Ended { .. } => "ended",
            What::Fault { .. } => "fault",
            What::Outcome { .. } => "outcome",
            What::Last { .. } => "last",
            What::Replica { .. } => "replica",
        }
    }

    /// The delivery that it is about, where it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match self {
            What::Published { key, .. } => key.as_ref(),
            What::Offer { key, .. }
            | What::Withdraw { key, .. }
            | What::Ack { key, .. }
            | What::Confirm { key, .. }
            | What::Outcome { key, .. }
            | What::Last { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// Whether a state is final.
#[must_use]
pub fn is_settled(state: &str) -> bool {
    matches!(state, "completed" | "dismissed" | "expired" | "withdrawn" | "dropped")
}

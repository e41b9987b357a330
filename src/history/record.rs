//! The entries of a history. See the room's own words for what each means.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A delivery's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    pub user: String,
    pub id: String,
    pub window: String,
}

impl Key {
    /// The key that a message to or from a user, or an answer, names.
    pub fn of(user: &str, message: &Value) -> Key {
        let text = |field: &str| message[field].as_str().unwrap_or_else(|| panic!("no {field} in {message}")).to_owned();
        Key { user: user.to_owned(), id: text("id"), window: text("window") }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.user, self.id, self.window)
    }
}

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    Active,
    All,
}

/// What was done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is ended at once.
    Kill,
    /// It is stopped in its tracks.
    Pause,
    /// It goes on after a pause.
    Resume,
    /// It is told to stop.
    Stop,
    /// It was started again, and is ready.
    Start,
    /// It is told to give its leaders and connections away.
    Drain,
    /// It is cut off from some or all of the others.
    Cut,
    /// The last cut was healed.
    Heal,
    /// So many nodes are about to be lost that no majority is left. Named for the cluster as a whole.
    NoMajority,
    /// There is a majority again.
    Majority,
}

/// Something that somebody saw or did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Microseconds since the start.
    pub t: u64,
    #[serde(flatten)]
    pub what: What,
}

/// What it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "e", rename_all = "snake_case")]
pub enum What {
    Run { wall_ms: u64, lease_ms: u64, request_timeout_ms: u64, seed: u64 },
    Publish { call: u64, user: String, id: String, targets: Targets, payload: Value },
    Published { call: u64, status: u16, key: Option<Key>, state: Option<String>, step: Option<u64> },
    Unanswered { call: u64, why: String },
    GaveUp { call: u64, why: String },
    TakeBack { call: u64, user: String, id: String },
    TakenBack { call: u64, user: String, id: String, state: String },
    Hello { session: Session, user: String, device: String, node: String, visible: bool, max_in_flight: usize, open: Vec<Key> },
    Welcome { session: Session },
    CaughtUp { session: Session },
    Offer { session: Session, key: Key, offer: u64, step: u64, at: u64, data: Value, payload: Value },
    Withdraw { session: Session, key: Key, reason: String, at: u64 },
    Ack { session: Session, key: Key, step: Option<u64>, data: Value, reference: Option<i64> },
    Confirm { session: Session, key: Key, step: u64, state: String, yours: bool, at: u64, reference: Option<i64> },
    Error { session: Session, code: String, retry: bool, reference: Option<i64> },
    Visible { session: Session, visible: bool },
    End { session: Session, leave: Leave },
    Ended { session: Session, code: Option<u16> },
    Fault { node: String, kind: Fault },
    Outcome { key: Key, outcome: String, state: Option<String>, cursor: String },
    Last { key: Key, state: String },
}

impl What {
    /// The word for it in the history.
    pub fn kind(&self) -> String {
        let value = serde_json::to_value(self).expect("an entry is representable as JSON");
        value["e"].as_str().expect("its tag").to_owned()
    }

    /// The delivery that it is about, where it is about one.
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
pub fn is_settled(state: &str) -> bool {
    matches!(state, "completed" | "dismissed" | "expired" | "withdrawn" | "dropped")
}

#[test]
fn an_entry_is_one_line_and_reads_back() {
    let key = Key { user: "u".to_owned(), id: "x".to_owned(), window: "w".to_owned() };
    let data = serde_json::json!({"q": 1});
    for what in [
        What::Confirm { session: 1, key: key.clone(), step: 2, state: "shown".to_owned(), yours: true, at: 3, reference: Some(4) },
        What::Ack { session: 1, key, step: None, data, reference: None },
        What::Fault { node: "n1".to_owned(), kind: Fault::NoMajority },
    ] {
        let entry = Entry { t: 7, what };
        let line = serde_json::to_string(&entry).unwrap();
        assert!(!line.contains('\n') && line.starts_with(r#"{"t":7,"e":"#), "{line}");
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry);
    }
}

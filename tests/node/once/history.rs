//! What clients saw and did, in the order in which one host saw it. Written by many tasks, judged by `judge.rs` and `holders.rs`.

use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A delivery's key within the test: user, engagement, window.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub user: String,
    pub id: String,
    pub window: String,
}

impl Key {
    /// The key that a message to or from a user names.
    pub fn of(user: &str, message: &Value) -> Key {
        let text = |field: &str| message[field].as_str().unwrap_or_else(|| panic!("no {field} in {message}")).to_owned();
        Key { user: user.to_owned(), id: text("id"), window: text("window") }
    }
}

/// One connection of one device.
pub type Session = u64;

/// How a client ended its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// With a Close frame.
    Closed,
    /// Without a word.
    Lost,
}

/// Something that a client or a publisher saw or did. `at` is ledger time, `wall` the host's wall clock, which ledger time is stamped from.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A publish was answered 201, or 200 as a duplicate of one whose answer was lost.
    Accepted { key: Key },
    /// A publish got no answer: it may have happened.
    Unanswered { user: String, id: String },
    /// A hello is about to be sent.
    Hello { session: Session, user: String, device: String, wall: u64 },
    /// A device was offered a step.
    Offer { session: Session, key: Key, step: u64, at: u64, payload: Value },
    /// A device was told to take it off the screen.
    Withdraw { session: Session, key: Key, at: u64 },
    /// An ack is about to be sent.
    Ack { key: Key, step: u64 },
    /// A confirm came.
    Confirm { session: Session, key: Key, step: u64, state: String, at: u64 },
    /// A client is about to end its connection.
    End { session: Session, leave: Leave, wall: u64 },
    /// A client is about to say that it is hidden.
    Hide { session: Session, wall: u64 },
    /// The node is about to be killed.
    Kill { wall: u64 },
    /// The node is about to be told to stop.
    Stop { wall: u64 },
}

impl Entry {
    /// The delivery that it is about, where it is about one.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Entry::Accepted { key }
            | Entry::Offer { key, .. }
            | Entry::Withdraw { key, .. }
            | Entry::Ack { key, .. }
            | Entry::Confirm { key, .. } => Some(key),
            Entry::Unanswered { .. }
            | Entry::Hello { .. }
            | Entry::End { .. }
            | Entry::Hide { .. }
            | Entry::Kill { .. }
            | Entry::Stop { .. } => None,
        }
    }
}

impl Entry {
    /// The session that it is about, where it is about one.
    pub fn session(&self) -> Option<Session> {
        match self {
            Entry::Hello { session, .. }
            | Entry::Offer { session, .. }
            | Entry::Withdraw { session, .. }
            | Entry::Confirm { session, .. }
            | Entry::End { session, .. }
            | Entry::Hide { session, .. } => Some(*session),
            Entry::Accepted { .. } | Entry::Unanswered { .. } | Entry::Ack { .. } | Entry::Kill { .. } | Entry::Stop { .. } => None,
        }
    }
}

/// The shared record.
#[derive(Clone, Default)]
pub struct History(Arc<Mutex<Vec<Entry>>>);

impl History {
    /// Appends an entry: its place is its time.
    pub fn note(&self, entry: Entry) {
        self.0.lock().expect("no writer panics").push(entry);
    }

    /// All of it so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().expect("no writer panics").clone()
    }
}

/// Whether a state is final.
pub fn is_settled(state: &str) -> bool {
    matches!(state, "completed" | "dismissed" | "expired" | "withdrawn" | "dropped")
}

//! A promise that was broken, and what to show beside it.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::record::{Entry, Key, Session, What};

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// `G1`, or the name of a rule that has no number in the contract.
    pub rule: &'static str,
    /// When, in microseconds of the history.
    pub t: u64,
    /// The delivery that it is about, where it is about one.
    pub key: Option<Key>,
    /// The connection that it is about, where it is about one.
    pub session: Option<Session>,
    pub text: String,
}

impl Violation {
    #[must_use]
    pub fn new(rule: &'static str, t: u64, text: String) -> Violation {
        Violation { rule, t, key: None, session: None, text }
    }

    /// It is about this delivery.
    #[must_use]
    pub fn of(self, key: &Key) -> Violation {
        Violation { key: Some(key.clone()), ..self }
    }

    /// It is about this connection.
    #[must_use]
    pub fn on(self, session: Session) -> Violation {
        Violation { session: Some(session), ..self }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:.3} s: {}", self.rule, self.t as f64 / 1e6, self.text)
    }
}

/// What is known of the key or the connection of a violation: its entries, the calls for it, how the connections that saw it came and went, and all faults.
#[must_use]
pub fn about<'a>(entries: &'a [Entry], violation: &Violation) -> Vec<&'a Entry> {
    let Some(key) = &violation.key else {
        let is_meant =
            |entry: &&Entry| is_fault(&entry.what) || (violation.session.is_some() && session_of(&entry.what) == violation.session);
        return entries.iter().filter(is_meant).collect();
    };
    let names = |user: &str, id: &str| user == key.user && id == key.id;
    let is_of_key = |what: &What| what.key().is_some_and(|other| names(&other.user, &other.id));
    let seen_by: HashSet<Session> =
        entries.iter().filter(|entry| is_of_key(&entry.what)).filter_map(|entry| session_of(&entry.what)).collect();
    let calls: HashSet<u64> = entries
        .iter()
        .filter_map(|entry| match &entry.what {
            What::Publish(publish) if names(&publish.user, &publish.id) => Some(publish.call),
            What::TakeBack { call, user, id } if names(user, id) => Some(*call),
            _ => None,
        })
        .collect();
    let is_of_line = |what: &What| match what {
        What::Hello { session, .. }
        | What::Welcome { session, .. }
        | What::Visible { session, .. }
        | What::End { session, .. }
        | What::Ended { session, .. } => seen_by.contains(session),
        _ => false,
    };
    let is_meant = |entry: &&Entry| {
        let what = &entry.what;
        is_fault(what) || is_of_key(what) || call_of(what).is_some_and(|call| calls.contains(&call)) || is_of_line(what)
    };
    entries.iter().filter(is_meant).collect()
}

fn is_fault(what: &What) -> bool {
    matches!(what, What::Fault { .. } | What::Run(_))
}

/// The connection that an entry belongs to.
#[must_use]
pub fn session_of(what: &What) -> Option<Session> {
    match what {
        What::Hello { session, .. }
        | What::Welcome { session, .. }
        | What::CaughtUp { session }
        | What::Window { session, .. }
        | What::Offer { session, .. }
        | What::Withdraw { session, .. }
        | What::Ack { session, .. }
        | What::Confirm { session, .. }
        | What::Error { session, .. }
        | What::Visible { session, .. }
        | What::End { session, .. }
        | What::Ended { session, .. } => Some(*session),
        _ => None,
    }
}

/// The call that an entry belongs to.
#[must_use]
pub fn call_of(what: &What) -> Option<u64> {
    match what {
        What::Publish(publish) => Some(publish.call),
        What::Published { call, .. }
        | What::Refused { call, .. }
        | What::Unanswered { call, .. }
        | What::GaveUp { call, .. }
        | What::TakeBack { call, .. }
        | What::TakenBack { call, .. } => Some(*call),
        _ => None,
    }
}

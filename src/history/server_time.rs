//! G6: no guarantee depends on a client's clock, nor on nodes' clocks agreeing. What a history shows of that is ledger time itself, which is all that clients are told:
//!
//! - it never runs back for a user: what is told on a connection, or confirmed of an ack, is stamped no earlier than anything of that user that the same process had read before the hello, or before the ack;
//!   and on one connection no offer or confirm is stamped earlier than one before it (but for the answers to posts, which came on connections of their own). A withdraw may be its node's own, which only guesses ledger time, and is left out;
//! - windows are spans of it: one id is one span, the session windows of a user don't overlap, no offer is stamped at or after the close of its window, and the feed expires nothing for
//!   `window_closed` before that.
//!
//! A `clock_jump` changes nothing of this, and excuses nothing. That a history has jumps and no violation is the test of G6; that time passes at the right speed no history can show.

use std::collections::HashMap;

use super::Violation;
use super::facts::Facts;
use super::record::{Entry, Key, Session, What, Window};

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = runs_back(facts);
    found.extend(windows(facts));
    found
}

/// What ledger time was known to have reached.
#[derive(Default)]
struct Reached<'a> {
    /// By user and process.
    users: HashMap<(&'a str, u16), u64>,
    /// On a connection: at its hello, and since.
    sessions: HashMap<Session, u64>,
    /// When an ack was sent.
    acks: HashMap<(Session, i64), u64>,
}

fn runs_back(facts: &Facts<'_>) -> Vec<Violation> {
    let mut reached = Reached::default();
    let mut found = Vec::new();
    for Entry { t, process, what } in facts.entries {
        match what {
            What::Hello { session, user, .. } => {
                let by_now = reached.users.get(&(user.as_str(), *process)).copied().unwrap_or(0);
                reached.sessions.insert(*session, by_now);
            }
            What::Ack { session, key, reference: Some(reference), .. } => {
                let by_now = reached.users.get(&(key.user.as_str(), *process)).copied().unwrap_or(0);
                reached.acks.insert((*session, *reference), by_now);
            }
            What::Offer { session, key, at, .. } | What::Confirm { session, key, at, .. } => {
                let (asked, is_posted) = match what {
                    What::Confirm { reference: Some(reference), .. } => {
                        let asked = reached.acks.get(&(*session, *reference)).copied().unwrap_or(0);
                        (asked, facts.connection(*session).is_some_and(|connection| connection.is_posted(Some(*reference))))
                    }
                    _ => (0, false),
                };
                // The answer to a post stands in no order with what is streamed, or with other posts'.
                let mut apart = 0;
                let floor = if is_posted { &mut apart } else { reached.sessions.entry(*session).or_default() };
                let least = (*floor).max(asked);
                if *at < least {
                    let text = format!("session {session} was told of {key} with time {at}, after {least} had been reached");
                    found.push(Violation::new("G6", *t, text).of(key).on(*session));
                }
                *floor = (*floor).max(*at);
                let of_user = reached.users.entry((key.user.as_str(), *process)).or_default();
                *of_user = (*of_user).max(*at);
            }
            _ => {}
        }
    }
    found
}

/// Session windows by user and id, as clients were told; and closes of all windows, as publishers were.
#[derive(Default)]
struct Windows<'a> {
    sessions: HashMap<(&'a str, &'a str), (u64, &'a Window)>,
    closes: HashMap<(&'a str, &'a str), u64>,
}

fn windows(facts: &Facts<'_>) -> Vec<Violation> {
    let mut windows = Windows::default();
    let mut found = Vec::new();
    for Entry { t, what, .. } in facts.entries {
        match what {
            What::Welcome { session, window: Some(window) } | What::Window { session, window } => {
                let Some(connection) = facts.connection(*session) else { continue };
                let place = (connection.user, window.id.as_str());
                let (_, known) = windows.sessions.entry(place).or_insert((*t, window));
                if *known != window || window.closes_at <= window.opened_at {
                    let text = format!("session {session} was told of {window:?}, which is not {known:?}");
                    found.push(Violation::new("G6", *t, text).on(*session));
                }
                windows.closes.entry(place).or_insert(window.closes_at);
            }
            What::Published { key: Some(key), closes_at: Some(closes_at), .. } => {
                let known = windows.closes.entry(place(key)).or_insert(*closes_at);
                if known != closes_at {
                    found.push(Violation::new("G6", *t, format!("{key} was said to close at {closes_at}, and before at {known}")).of(key));
                }
            }
            _ => {}
        }
    }
    found.extend(overlaps(&windows));
    found.extend(outlived(facts, &windows));
    found
}

fn place(key: &Key) -> (&str, &str) {
    (&key.user, &key.window)
}

fn overlaps(windows: &Windows<'_>) -> Vec<Violation> {
    let mut all: Vec<(&str, u64, &Window)> = windows.sessions.iter().map(|((user, _), (t, window))| (*user, *t, *window)).collect();
    all.sort_by_key(|(user, _, window)| (*user, window.opened_at, &window.id));
    let overlapping = all.windows(2).filter(|pair| pair[0].0 == pair[1].0 && pair[1].2.opened_at < pair[0].2.closes_at);
    let say = |pair: &[(&str, u64, &Window)]| {
        let text = format!("{} had two session windows at once: {:?} and {:?}", pair[0].0, pair[0].2, pair[1].2);
        Violation::new("G6", pair[0].1.max(pair[1].1), text)
    };
    overlapping.map(say).collect()
}

/// What goes on after its window has closed, or ends with it before.
fn outlived(facts: &Facts<'_>, windows: &Windows<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for delivery in &facts.keys {
        let key = delivery.key;
        let Some(closes_at) = windows.closes.get(&place(key)) else { continue };
        for entry in delivery.seen.iter().map(|place| &facts.entries[*place]) {
            let mut say = |text| found.push(Violation::new("G6", entry.t, text).of(key));
            match &entry.what {
                What::Offer { session, at, .. } if at >= closes_at => {
                    say(format!("{key} was offered to session {session} with time {at}, after its window had closed at {closes_at}"));
                }
                What::Outcome { at: Some(at), reason: Some(reason), .. } if reason == "window_closed" && at < closes_at => {
                    say(format!("{key} ended with its window at {at}, before that closes at {closes_at}"));
                }
                _ => {}
            }
        }
    }
    found
}

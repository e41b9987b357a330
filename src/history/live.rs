//! On one live connection nothing is offered twice without a withdraw in between, what the client says it has on its screen included; and never more than
//! `max_in_flight` at once.

use std::collections::{BTreeSet, HashMap};

use super::Violation;
use super::record::{Entry, Key, Session, What, is_settled};

/// One connection.
#[derive(Default)]
struct Screen {
    holds: BTreeSet<Key>,
    max: usize,
}

pub fn violations(entries: &[Entry]) -> Vec<Violation> {
    let mut screens: HashMap<Session, Screen> = HashMap::new();
    let mut found = Vec::new();
    for Entry { t, what, .. } in entries {
        match what {
            What::Hello { session, max_in_flight, open, .. } => {
                screens.insert(*session, Screen { holds: open.iter().cloned().collect(), max: *max_in_flight });
            }
            What::Offer { session, key, .. } => {
                let screen = screens.entry(*session).or_default();
                if !screen.holds.insert(key.clone()) {
                    found.push(Violation::new("twice", *t, format!("{key} was offered to session {session}, which holds it")));
                }
                if screen.holds.len() > screen.max {
                    let text = format!("session {session} holds {} with {key}, more than {}", screen.holds.len(), screen.max);
                    found.push(Violation::new("in flight", *t, text));
                }
            }
            What::Withdraw { session, key, .. } => forget(&mut screens, *session, key),
            What::Confirm { session, key, state, .. } if is_settled(state) => forget(&mut screens, *session, key),
            _ => {}
        }
    }
    found
}

fn forget(screens: &mut HashMap<Session, Screen>, session: Session, key: &Key) {
    if let Some(screen) = screens.get_mut(&session) {
        screen.holds.remove(key);
    }
}

//! G1: what was settled by a confirm is never offered again: not on the same connection, not to a later hello, nor with a later time on any connection. G10: nor is what
//! was withdrawn. And a claim has one winner: no two devices are told that their ack settled a key.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Violation;
use super::record::{Entry, Key, Session, What, is_settled};

#[derive(Default)]
struct Settled {
    /// The place of the first confirm that says so.
    place: Option<usize>,
    /// The earliest ledger time of any that says so.
    at: Option<u64>,
    /// The connections that were told.
    told: BTreeSet<Session>,
    /// The devices that were told that they did it.
    winners: BTreeSet<String>,
}

#[derive(Default)]
struct Judge {
    /// Place and device of each hello.
    hellos: HashMap<Session, (usize, String)>,
    settled: BTreeMap<Key, Settled>,
    /// The place where a withdrawal was answered, by user and id.
    taken_back: BTreeMap<(String, String), usize>,
    found: Vec<Violation>,
}

pub fn violations(entries: &[Entry]) -> Vec<Violation> {
    let mut judge = Judge::default();
    for (place, entry) in entries.iter().enumerate() {
        judge.take(place, entry);
    }
    judge.found
}

impl Judge {
    fn take(&mut self, place: usize, Entry { t, what, .. }: &Entry) {
        match what {
            What::Hello { session, device, .. } => {
                self.hellos.insert(*session, (place, device.clone()));
            }
            What::Confirm { session, key, state, yours, at, .. } if is_settled(state) => {
                let device = self.hellos[session].1.clone();
                let settled = self.settled.entry(key.clone()).or_default();
                settled.place.get_or_insert(place);
                settled.at = Some(settled.at.map_or(*at, |earlier| earlier.min(*at)));
                settled.told.insert(*session);
                if *yours && settled.winners.insert(device) && settled.winners.len() > 1 {
                    let text = format!("{key} was settled by each of {:?}", settled.winners);
                    self.found.push(Violation::new("one winner", *t, text));
                }
            }
            What::TakenBack { user, id, .. } => {
                self.taken_back.entry((user.clone(), id.clone())).or_insert(place);
            }
            What::Offer { session, key, at, .. } => self.offered(*t, *session, key, *at),
            _ => {}
        }
    }

    fn offered(&mut self, t: u64, session: Session, key: &Key, at: u64) {
        let hello = self.hellos[&session].0;
        let mut say = |rule, text| self.found.push(Violation::new(rule, t, text));
        if let Some(settled) = self.settled.get(key) {
            if settled.place.is_some_and(|place| place < hello) {
                say("G1", format!("{key} was offered to session {session}, whose hello came after its confirm"));
            }
            if settled.at.is_some_and(|settled| settled < at) {
                say("G1", format!("{key} was offered to session {session} with time {at}, after its confirm with {:?}", settled.at));
            }
            if settled.told.contains(&session) {
                say("G1", format!("{key} was offered to session {session}, which had its confirm"));
            }
        }
        let taken_back = self.taken_back.get(&(key.user.clone(), key.id.clone()));
        if taken_back.is_some_and(|place| *place < hello) {
            say("G10", format!("{key} was offered to session {session}, whose hello came after it was withdrawn"));
        }
    }
}

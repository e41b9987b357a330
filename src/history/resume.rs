//! G4: an offer goes on after the highest step confirmed, with the data confirmed with it. Steps never fall, and what is settled stays as it is. G9 is part of it: what
//! was confirmed on a connection, also in its welcome, is not offered on it again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::Violation;
use super::record::{Entry, Key, Session, What, is_settled};

/// What is known of a key so far.
#[derive(Default)]
struct Known {
    /// Place, session and step of each confirm.
    confirmed: Vec<(usize, Session, u64)>,
    /// Ledger time and step of each confirm.
    confirmed_at: BTreeMap<u64, u64>,
    /// The state that it settled in, and the earliest ledger time of a confirm that says so.
    settled: Option<(u64, String)>,
    /// The highest step that any device ever acked.
    acked: u64,
    /// The data sent with acks of each step.
    data: BTreeMap<u64, Vec<Value>>,
    /// Ledger time and step of each offer.
    offered_at: BTreeMap<u64, u64>,
    /// The connections that were offered it.
    offered_to: BTreeSet<Session>,
}

#[derive(Default)]
struct Judge {
    hellos: HashMap<Session, usize>,
    keys: BTreeMap<Key, Known>,
    found: Vec<Violation>,
}

/// An offer, taken apart.
struct Offer<'a> {
    t: u64,
    session: Session,
    key: &'a Key,
    step: u64,
    at: u64,
    data: &'a Value,
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
            What::Hello { session, .. } => {
                self.hellos.insert(*session, place);
            }
            What::Ack { key, step: Some(step), data, .. } => {
                let known = self.keys.entry(key.clone()).or_default();
                known.acked = known.acked.max(*step);
                known.data.entry(*step).or_default().push(data.clone());
            }
            What::Offer { session, key, step, at, data, .. } => {
                self.offered(&Offer { t: *t, session: *session, key, step: *step, at: *at, data });
            }
            What::Confirm { .. } => self.confirmed(place, *t, what),
            _ => {}
        }
    }

    fn offered(&mut self, offer: &Offer) {
        let Offer { t, session, key, step, at, data } = *offer;
        let hello = self.hellos[&session];
        let known = self.keys.entry(key.clone()).or_default();
        let mut say = |rule, text| self.found.push(Violation::new(rule, t, text));
        let counts = |(place, on, _): &&(usize, Session, u64)| *place < hello || *on == session;
        let confirmed = known.confirmed.iter().filter(counts).map(|(_, _, step)| *step).max().unwrap_or(0);
        if known.offered_to.insert(session) && (step < confirmed + 1 || step > known.acked + 1) {
            let acked = known.acked;
            say("G4", format!("{key} went on with step {step} on session {session}; {confirmed} was confirmed and {acked} acked"));
        }
        let is_theirs = match known.data.get(&step.saturating_sub(1)) {
            Some(sent) if step > 1 => sent.contains(data),
            _ => step > 1 || data.is_null() || known.data.contains_key(&0),
        };
        if !is_theirs {
            say("G4", format!("{key} was offered at step {step} with data that nobody sent for the step before: {data}"));
        }
        let earlier = known.offered_at.range(..at).next_back().map_or(1, |(_, step)| *step);
        if step < earlier {
            say("step fell", format!("{key} was offered at step {earlier}, later at step {step}"));
        }
        known.offered_at.entry(at).and_modify(|highest| *highest = step.max(*highest)).or_insert(step);
    }

    fn confirmed(&mut self, place: usize, t: u64, what: &What) {
        let What::Confirm { session, key, step, state, at, .. } = what else { return };
        let known = self.keys.entry(key.clone()).or_default();
        let mut say = |rule, text| self.found.push(Violation::new(rule, t, text));
        // Confirms of two connections may cross on the wire: ledger time tells their order.
        let earlier = known.confirmed_at.range(..at).next_back().map_or(0, |(_, step)| *step);
        if *step < earlier {
            say("step fell", format!("{key} was confirmed at step {earlier}, and with time {at} at step {step}"));
        }
        known.confirmed_at.entry(*at).and_modify(|highest| *highest = (*step).max(*highest)).or_insert(*step);
        known.confirmed.push((place, *session, *step));
        match &mut known.settled {
            Some((settled, _)) if !is_settled(state) && *settled < *at => {
                say("unsettled", format!("{key} is {state} with time {at}, but was settled with time {settled}"));
            }
            Some((settled, word)) if is_settled(state) => {
                if word != state {
                    say("unsettled", format!("{key} was {word}, and is {state}"));
                }
                *settled = (*settled).min(*at);
            }
            None if is_settled(state) => known.settled = Some((*at, state.clone())),
            _ => {}
        }
    }
}

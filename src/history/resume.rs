//! G4: an offer goes on after the highest step confirmed, with the data confirmed with it. Steps never fall, and what is settled stays as it is.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::Violation;
use super::facts::{Delivery, Facts};
use super::order::Highest;
use super::record::{Session, What, is_settled};

/// What is known of a key so far.
#[derive(Default)]
struct Known<'a> {
    /// The highest step confirmed by a moment.
    confirmed: Highest,
    /// The same, on each connection by now.
    confirmed_on: HashMap<Session, u64>,
    /// The highest step by each ledger time, as confirms say.
    confirmed_at: BTreeMap<u64, u64>,
    /// The state that it settled in, and the earliest ledger time of a confirm that says so.
    settled: Option<(u64, &'a str)>,
    /// The highest step that any device ever acked.
    acked: u64,
    /// The data sent with acks of each step.
    data: BTreeMap<u64, HashSet<&'a Value>>,
    /// The highest step by each ledger time, as offers say.
    offered_at: BTreeMap<u64, u64>,
    /// The connections that were offered it.
    offered_to: HashSet<Session>,
}

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for delivery in &facts.keys {
        let mut judge = Judge { facts, delivery, known: Known::default(), found: &mut found };
        // Where clocks don't tell what came first, an ack that is noted after the offer may have come before it.
        if facts.order.is_loose() {
            delivery.seen.iter().for_each(|place| judge.acked(*place));
        }
        for place in &delivery.seen {
            match &facts.entries[*place].what {
                What::Ack { .. } => judge.acked(*place),
                What::Offer { .. } => judge.offered(*place),
                What::Confirm { .. } => judge.confirmed(*place),
                _ => {}
            }
        }
    }
    found
}

struct Judge<'f, 'a> {
    facts: &'f Facts<'a>,
    delivery: &'f Delivery<'a>,
    known: Known<'a>,
    found: &'f mut Vec<Violation>,
}

impl Judge<'_, '_> {
    fn say(&mut self, rule: &'static str, place: usize, text: String) {
        self.found.push(Violation::new(rule, self.facts.entries[place].t, text).of(self.delivery.key));
    }

    fn acked(&mut self, place: usize) {
        if let What::Ack { step: Some(step), data, .. } = &self.facts.entries[place].what {
            self.known.acked = self.known.acked.max(*step);
            self.known.data.entry(*step).or_default().insert(data);
        }
    }

    fn offered(&mut self, place: usize) {
        let What::Offer { session, step, at, data, .. } = &self.facts.entries[place].what else { return };
        let Some(connection) = self.facts.connection(*session) else { return };
        let (key, known) = (self.delivery.key, &mut self.known);
        let before_hello = known.confirmed.before(self.facts.order, self.facts.moment(connection.place)).unwrap_or(0);
        let confirmed = before_hello.max(known.confirmed_on.get(session).copied().unwrap_or(0));
        let acked = known.acked;
        let is_first = known.offered_to.insert(*session);
        let is_theirs = match known.data.get(&step.saturating_sub(1)) {
            Some(sent) if *step > 1 => sent.contains(data),
            _ => *step > 1 || data.is_null() || known.data.contains_key(&0),
        };
        let earlier = known.offered_at.range(..at).next_back().map_or(1, |(_, step)| *step);
        known.offered_at.entry(*at).and_modify(|highest| *highest = (*step).max(*highest)).or_insert(earlier.max(*step));
        if is_first && (*step <= confirmed || *step > acked.saturating_add(1)) {
            self.say(
                "G4",
                place,
                format!("{key} went on with step {step} on session {session}; {confirmed} was confirmed and {acked} acked"),
            );
        }
        if !is_theirs {
            self.say("G4", place, format!("{key} was offered at step {step} with data that nobody sent for the step before: {data}"));
        }
        if *step < earlier {
            self.say("step fell", place, format!("{key} was offered at step {earlier}, later at step {step}"));
        }
    }

    fn confirmed(&mut self, place: usize) {
        let facts = self.facts;
        let What::Confirm { session, step, state, at, reference, .. } = &facts.entries[place].what else { return };
        let (key, known) = (self.delivery.key, &mut self.known);
        // Confirms of two connections may cross on the wire: ledger time tells their order.
        let earlier = known.confirmed_at.range(..at).next_back().map_or(0, |(_, step)| *step);
        known.confirmed_at.entry(*at).and_modify(|highest| *highest = (*step).max(*highest)).or_insert(earlier.max(*step));
        known.confirmed.push(facts.moment(place), *step);
        // What was streamed before a posted answer may be read after it.
        if facts.connection(*session).is_some_and(|connection| !connection.is_posted(*reference)) {
            let on_session = known.confirmed_on.entry(*session).or_default();
            *on_session = (*on_session).max(*step);
        }
        let settled = known.settled;
        if is_settled(state) {
            known.settled = Some(settled.map_or((*at, state), |(earlier, word)| (earlier.min(*at), word)));
        }
        if *step < earlier {
            self.say("step fell", place, format!("{key} was confirmed at step {earlier}, and with time {at} at step {step}"));
        }
        match settled {
            Some((since, _)) if !is_settled(state) && since < *at => {
                self.say("unsettled", place, format!("{key} is {state} with time {at}, but was settled with time {since}"));
            }
            Some((_, word)) if is_settled(state) && word != state => {
                self.say("unsettled", place, format!("{key} was {word}, and is {state}"));
            }
            _ => {}
        }
    }
}

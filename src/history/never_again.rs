//! G1: what was settled by a confirm is never offered again: not to a later hello, not on a connection that had the confirm, and with no later ledger time on any. And a claim has one winner:
//! no two devices are told that their ack settled a key.

use std::collections::{BTreeSet, HashMap};

use super::Violation;
use super::facts::{Delivery, Facts};
use super::order::Moment;
use super::record::{Entry, Session, What, is_settled};

/// What the confirms say that settle a key.
#[derive(Default)]
struct Settled<'a> {
    /// The first one that anybody read.
    first: Option<Moment>,
    /// The earliest ledger time of any.
    at: Option<u64>,
    /// The connections that were told, and at which place.
    told: HashMap<Session, usize>,
    /// The devices that were told that they did it.
    winners: BTreeSet<&'a str>,
}

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    facts.keys.iter().flat_map(|delivery| of_key(facts, delivery)).collect()
}

fn of_key(facts: &Facts<'_>, delivery: &Delivery<'_>) -> Vec<Violation> {
    let mut settled = Settled::default();
    let mut found = Vec::new();
    for place in &delivery.seen {
        let Entry { t, what, .. } = &facts.entries[*place];
        let What::Confirm { session, state, yours, at, reference, .. } = what else { continue };
        let Some(connection) = facts.connection(*session).filter(|_| is_settled(state)) else { continue };
        settled.first.get_or_insert(facts.moment(*place));
        settled.at = Some(settled.at.map_or(*at, |earlier| earlier.min(*at)));
        // What was streamed before a posted answer may be read after it.
        if !connection.is_posted(*reference) {
            settled.told.entry(*session).or_insert(*place);
        }
        if *yours && settled.winners.insert(connection.device) && settled.winners.len() > 1 {
            let text = format!("{} was settled by each of {:?}", delivery.key, settled.winners);
            found.push(Violation::new("one winner", *t, text).of(delivery.key));
        }
    }
    if settled.first.is_some() {
        let offers = delivery.seen.iter().filter_map(|place| offered(facts, delivery, *place, &settled));
        found.extend(offers);
    }
    found
}

fn offered(facts: &Facts<'_>, delivery: &Delivery<'_>, place: usize, settled: &Settled<'_>) -> Option<Violation> {
    let Entry { t, what: What::Offer { session, at, .. }, .. } = &facts.entries[place] else { return None };
    let hello = facts.moment(facts.connection(*session)?.place);
    let why = if settled.first.is_some_and(|first| facts.order.is_before(first, hello)) {
        "whose hello came after its confirm".to_owned()
    } else if settled.told.get(session).is_some_and(|told| *told < place) {
        "which had its confirm".to_owned()
    } else if settled.at.is_some_and(|settled| settled < *at) {
        format!("with time {at}, after its confirm with {:?}", settled.at)
    } else {
        return None;
    };
    let text = format!("{} was offered to session {session}, {why}", delivery.key);
    Some(Violation::new("G1", *t, text).of(delivery.key).on(*session))
}

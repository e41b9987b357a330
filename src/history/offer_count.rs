//! Offers are counted: none beyond `max_offers`, and a key that one device at a time holds is never offered with a lower count than before. (Of what several devices hold, each is offered again with the
//! count of its own.)

use super::Violation;
use super::facts::{Delivery, Facts};
use super::record::{Entry, Targets, What};

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    facts.keys.iter().flat_map(|delivery| of_key(facts, delivery)).collect()
}

fn of_key(facts: &Facts<'_>, delivery: &Delivery<'_>) -> Vec<Violation> {
    let name = &facts.names[delivery.name];
    // Another publish of that name may have brought another limit: the highest is one that no offer may pass.
    let limits = facts.publishes(name).map(|(_, publish)| publish.max_offers);
    let limit = limits.map(|limit| if limit == 0 { u64::MAX } else { limit }).max().unwrap_or(u64::MAX);
    let mut offers: Vec<(u64, u64, u64)> = delivery
        .seen
        .iter()
        .filter_map(|place| match &facts.entries[*place] {
            Entry { t, what: What::Offer { offer, at, .. }, .. } => Some((*at, *offer, *t)),
            _ => None,
        })
        .collect();
    offers.sort_unstable();
    let (key, mut earlier) = (delivery.key, 0);
    let mut found = Vec::new();
    for (at, offer, t) in offers {
        if offer > limit {
            found.push(Violation::new("max offers", t, format!("{key} was offered as number {offer}, of {limit} at most")).of(key));
        }
        if offer < earlier && name.targets == Targets::Active {
            let text = format!("{key} was offered as number {earlier}, and with time {at} as number {offer}");
            found.push(Violation::new("max offers", t, text).of(key));
        }
        earlier = earlier.max(offer);
    }
    found
}

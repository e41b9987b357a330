//! G10: what a withdrawal was answered for is offered to no later hello, and the answer says in which state it ended. A later window may bring a new delivery of the same name: what was
//! published again meanwhile or afterwards, and seen by nobody before, is not what was withdrawn.

use super::Violation;
use super::facts::{Call, Facts, Name};
use super::order::Moment;
use super::record::{Entry, What, is_settled};

#[must_use]
pub fn violations(facts: &Facts<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    for name in &facts.names {
        let withdrawals = name.calls.iter().map(|call| &facts.calls[*call]).filter(|call| call.publish.is_none());
        // The first answer forbids the most, and each is asked for what it says.
        let mut first = None;
        for call in withdrawals {
            let Some(answered) = call.answered.filter(|_| call.refused.is_none()) else { continue };
            found.extend(says_otherwise(facts, name, answered));
            first = first.or(Some((call, answered)));
        }
        if let Some((call, answered)) = first {
            found.extend(offered_later(facts, name, call, facts.moment(answered)));
        }
    }
    found
}

fn offered_later(facts: &Facts<'_>, name: &Name<'_>, withdrawal: &Call<'_>, answered: Moment) -> Vec<Violation> {
    let began = facts.moment(withdrawal.place);
    // Whatever was published when the withdrawal was under way, or later, may have made a new delivery.
    let may_be_new = facts.publishes(name).any(|(call, _)| {
        let ended = call.answered.map(|place| facts.moment(place));
        call.is_unknown || ended.is_none_or(|ended| !facts.order.is_before(ended, began))
    });
    let mut found = Vec::new();
    for delivery in name.keys.iter().map(|key| &facts.keys[*key]) {
        let was_seen = delivery.seen.first().is_some_and(|place| facts.order.is_before(facts.moment(*place), began));
        if may_be_new && !was_seen {
            continue;
        }
        for place in &delivery.seen {
            let Entry { t, what: What::Offer { session, .. }, .. } = &facts.entries[*place] else { continue };
            let Some(connection) = facts.connection(*session) else { continue };
            if facts.order.is_before(answered, facts.moment(connection.place)) {
                let text = format!("{} was offered to session {session}, whose hello came after it was withdrawn", delivery.key);
                found.push(Violation::new("G10", *t, text).of(delivery.key).on(*session));
            }
        }
    }
    found
}

/// What the answer says against what the feed says, where only one delivery can be meant.
fn says_otherwise(facts: &Facts<'_>, name: &Name<'_>, answered: usize) -> Option<Violation> {
    let Entry { t, what: What::TakenBack { call, state, .. }, .. } = &facts.entries[answered] else { return None };
    let say = |text: String| Some(Violation::new("G10", *t, text));
    if !is_settled(state) {
        return say(format!("call {call} withdrew {}/{} and was told that it is {state}", name.user, name.id));
    }
    let [only] = name.keys.as_slice() else { return None };
    let delivery = &facts.keys[*only];
    let told = delivery.seen.iter().find_map(|place| match &facts.entries[*place].what {
        What::Outcome { state: Some(settled), .. } => Some(settled),
        _ => None,
    })?;
    if told == state || !facts.is_delivery(delivery) {
        return None;
    }
    say(format!("call {call} withdrew {} and was told that it is {state}; the feed says {told}", delivery.key))
        .map(|found| found.of(delivery.key))
}

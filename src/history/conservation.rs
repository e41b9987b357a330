//! Conservation: what was published is what has settled, by reason, and what is open. By the feed, which tells both ends of each delivery, and by what the API said at the end; so it holds of
//! histories with a whole feed alone. Engagements of scope device are published once and settle on each device: of those only the reasons are judged.

use std::collections::BTreeMap;

use super::Violation;
use super::facts::{Delivery, Facts};
use super::record::{What, is_settled};

/// What the feed and the API say of one delivery.
#[derive(Default)]
struct Ends<'a> {
    is_published: bool,
    settled: Option<(&'a str, Option<&'a str>)>,
    is_open: bool,
}

/// How many deliveries ended how: `completed`, `expired/ttl`, and `open`.
pub type Balance = BTreeMap<String, usize>;

#[must_use]
pub fn violations(facts: &Facts<'_>) -> (Vec<Violation>, Balance) {
    let (mut found, mut balance) = (Vec::new(), Balance::new());
    if !facts.has_end {
        return (found, balance);
    }
    for delivery in &facts.keys {
        let ends = ends(facts, delivery);
        let mut say = |text| found.push(Violation::new("conservation", facts.last, text).of(delivery.key));
        let key = delivery.key;
        if let Some((state, reason)) = ends.settled {
            let word = reason.map_or_else(|| state.to_owned(), |reason| format!("{state}/{reason}"));
            if !may_be(state, reason) {
                say(format!("{key} settled as {word}, which is no state with its reason"));
            }
            *balance.entry(word).or_default() += 1;
        } else if ends.is_open {
            *balance.entry("open".to_owned()).or_default() += 1;
        }
        let is_single = delivery.key.device.is_none() && facts.is_delivery(delivery);
        match (ends.is_published, ends.settled.is_some() || ends.is_open) {
            (true, false) if is_single => say(format!("{key} was published, and has neither settled nor is it open")),
            (false, true) if is_single => say(format!("{key} has settled or is open, and was never published")),
            _ => {}
        }
    }
    (found, balance)
}

fn ends<'a>(facts: &Facts<'a>, delivery: &Delivery<'a>) -> Ends<'a> {
    let mut ends = Ends::default();
    for place in &delivery.seen {
        match &facts.entries[*place].what {
            What::Outcome { state: Some(state), reason, .. } => ends.settled = Some((state, reason.as_deref())),
            What::Outcome { outcome, .. } if outcome == "published" => ends.is_published = true,
            What::Last { state, .. } if !is_settled(state) => ends.is_open = true,
            _ => {}
        }
    }
    ends
}

/// Whether the contract knows this reason of this state. A history may leave reasons out.
fn may_be(state: &str, reason: Option<&str>) -> bool {
    match reason {
        None => is_settled(state),
        Some("window_closed" | "ttl" | "max_offers") => state == "expired",
        Some("publisher") => state == "withdrawn",
        Some("buffer_full" | "user_forgotten") => state == "dropped",
        Some(_) => false,
    }
}

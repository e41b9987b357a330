//! G5: a second device is offered what a first one holds only after the first was sent a `withdraw` for it, or closed its connection, or its lease has run out.
//!
//! When the second offer was decided: where the wall clocks of clients and nodes agree, its ledger time says so to the ms. Where a clock jumped, or clocks were apart from the start, ledger time orders
//! offers and withdraws, and nothing else: then an offer counts as decided when it was read, which excuses the time that it was under way. A lease is a span of ledger time: where clocks jump, the
//! lease of a *lost* connection may be over as soon as the ledger says so. A connection that goes on at a node which can't reach the owner is measured in real time, whatever clocks do (G6).

use super::Violation;
use super::connection::Connection;
use super::facts::{Delivery, Facts};
use super::order::Highest;
use super::record::{Clocks, Entry, Fault, Key, Leave, Session, Targets, What};

/// By how much a wall clock that is read in ms may seem to lag.
const ROUNDING_US: u64 = 2_000;

/// So long may a message or a Close frame be under way; on a line that went dead in that time, nobody saw it.
const UNDER_WAY_US: u64 = 500_000;

/// An offer, as it was read.
#[derive(Clone, Copy, Debug)]
struct Offer {
    session: Session,
    t: u64,
    at: u64,
}

/// All offers that broke the promise, and how many times a delivery moved from one device to another at all.
#[must_use]
pub fn violations(facts: &Facts<'_>) -> (Vec<Violation>, usize) {
    let (mut found, mut moves) = (Vec::new(), 0);
    for delivery in &facts.keys {
        if delivery.key.device.is_some() || facts.names[delivery.name].targets == Targets::All {
            continue;
        }
        let offers = offers(facts, delivery);
        let mut stamps = None;
        for pair in offers.windows(2) {
            let (Some(old), Some(new)) = (facts.connection(pair[0].session), facts.connection(pair[1].session)) else { continue };
            if old.device == new.device {
                continue;
            }
            moves += 1;
            let stamps = stamps.get_or_insert_with(|| stamps_of(facts, delivery));
            let way = Move { facts, stamps, key: delivery.key, old: pair[0], new: pair[1] };
            // Within one ms nobody can tell which of two offers was the first.
            let is_other_way_round = || pair[0].at == pair[1].at && Move { old: pair[1], new: pair[0], ..way }.was_free();
            if !way.was_free() && !is_other_way_round() {
                found.push(way.violation(old, new));
            }
        }
    }
    (found, moves)
}

/// In the order of ledger time.
fn offers(facts: &Facts<'_>, delivery: &Delivery<'_>) -> Vec<Offer> {
    let read = delivery.seen.iter().filter_map(|place| match &facts.entries[*place] {
        Entry { t, what: What::Offer { session, at, .. }, .. } => Some(Offer { session: *session, t: *t, at: *at }),
        _ => None,
    });
    let mut offers: Vec<Offer> = read.collect();
    offers.sort_by_key(|offer| offer.at);
    offers
}

/// How far ledger time was when, as far as anybody read of this delivery.
fn stamps_of(facts: &Facts<'_>, delivery: &Delivery<'_>) -> Highest {
    let mut stamps = Highest::default();
    for place in &delivery.seen {
        let Entry { t, what, .. } = &facts.entries[*place];
        if let What::Offer { at, .. } | What::Confirm { at, .. } | What::Withdraw { at, .. } = what {
            stamps.push(*t, *at);
        }
    }
    stamps
}

/// A delivery that went from one device to another.
#[derive(Clone, Copy)]
struct Move<'m, 'a> {
    facts: &'m Facts<'a>,
    stamps: &'m Highest,
    key: &'m Key,
    old: Offer,
    new: Offer,
}

impl Move<'_, '_> {
    fn violation(&self, holder: &Connection<'_>, second: &Connection<'_>) -> Violation {
        let (key, Offer { session, t, at }) = (self.key, self.new);
        let text = format!(
            "{key} was offered to {} (session {session}) with time {at}, while {} (session {} on {}) held it since {}",
            second.device, holder.device, holder.session, holder.node, self.old.at
        );
        Violation::new("G5", t, text).of(key).on(session)
    }

    /// Whether the old holder had given it up when the new one was offered it. A device may have held it over several connections.
    fn was_free(&self) -> bool {
        let Some(holder) = self.facts.connection(self.old.session) else { return true };
        let all = self.facts.connections_of(holder.user, holder.device);
        for (index, place) in all.iter().enumerate().skip(holder.index) {
            let connection = &self.facts.connections[*place];
            let is_later = index > holder.index;
            if is_later && !self.before_new(connection.hello) {
                break;
            }
            // A device that connects again without the key in `open` no longer shows it.
            if self.was_withdrawn(connection) || self.was_put_off(connection) || (is_later && !connection.open.contains(self.key)) {
                return true;
            }
            // A device that connects again holds on to the key once it is welcomed: before that, what was closed is free.
            let welcomed = all[index + 1..].iter().find_map(|next| self.facts.connections[*next].welcome);
            let is_in_time = welcomed.is_none_or(|welcomed| self.decided_us() <= welcomed.saturating_add(UNDER_WAY_US));
            if is_in_time && self.was_given_up(connection) {
                return true;
            }
        }
        false
    }

    fn clocks_agree(&self) -> bool {
        self.facts.run.clocks == Clocks::Agree && !self.facts.faults.has_jumps()
    }

    /// When the new offer was decided, as far as can be told.
    fn decided_us(&self) -> u64 {
        let by_ledger = self.new.at.saturating_sub(self.facts.run.wall_ms).saturating_mul(1_000);
        if self.clocks_agree() { by_ledger } else { self.new.t }
    }

    fn before_new(&self, t: u64) -> bool {
        t <= self.decided_us().saturating_add(ROUNDING_US)
    }

    fn lease_over(&self, t: u64) -> bool {
        self.before_new(t.saturating_add(self.facts.run.lease_ms.saturating_mul(1_000)))
    }

    /// The same of a lost connection, whose lease the ledger alone measures.
    fn lost_lease_over(&self, t: u64) -> bool {
        let order = super::order::Order::of(&[]);
        let ledger = self.stamps.before(order, t).unwrap_or(self.old.at);
        let has_leapt =
            !self.clocks_agree() && self.facts.faults.has_jumps() && self.new.at >= ledger.saturating_add(self.facts.run.lease_ms);
        has_leapt || self.lease_over(t)
    }

    fn under_way(&self, t: u64) -> bool {
        t <= self.decided_us().saturating_add(UNDER_WAY_US)
    }

    fn was_withdrawn(&self, connection: &Connection<'_>) -> bool {
        let times = connection.withdraws.get(self.key).into_iter().flatten();
        let in_between = |at: u64| self.old.at <= at && at <= self.new.at;
        // An edge that withdraws by itself, when a lease is over, only guesses ledger time: what counts then is that it was read before the offer was. The move may have been
        // decided before that, and its own withdraw have met a screen that was empty by then.
        times.clone().any(|(t, at)| in_between(*at) || (*t >= self.old.t && (self.before_new(*t) || *t <= self.new.t)))
    }

    /// It dismissed what comes back: taken, that frees it at once, whether or not the answer came.
    fn was_put_off(&self, connection: &Connection<'_>) -> bool {
        let times = connection.dismisses.get(self.key).into_iter().flatten();
        times.into_iter().any(|t| *t >= self.old.t && self.before_new(*t))
    }

    fn was_given_up(&self, connection: &Connection<'_>) -> bool {
        let by_client = connection.end.is_some_and(|(t, leave)| match leave {
            // Also when it was closed after the offer was decided and before it was read: the withdraw was under way then.
            Leave::Closed => self.before_new(t) || t <= self.new.t,
            Leave::Lost => self.lost_lease_over(t),
        });
        let by_server = connection.ended.is_some_and(|(t, code)| if code.is_some() { self.under_way(t) } else { self.lost_lease_over(t) });
        by_client || by_server || self.was_free_by_fault(connection) || self.is_unseen(connection)
    }

    /// Its node fell silent a lease ago, or was told to send its clients away.
    fn was_free_by_fault(&self, connection: &Connection<'_>) -> bool {
        let over = connection.over().unwrap_or(u64::MAX);
        let of_node = self.facts.faults.since(connection.node, connection.hello).take_while(|noted| noted.t <= over);
        let frees = |kind: Fault, t: u64| (kind.silences() && self.lease_over(t)) || (kind.sends_away() && self.before_new(t));
        of_node.into_iter().any(|noted| frees(noted.kind, noted.t))
    }

    /// It had to give it up, or may have had to, and the line was dead when the withdraw was under way.
    fn is_unseen(&self, connection: &Connection<'_>) -> bool {
        // Where only the reading of the new offer is known, the word to the old holder was under way before that.
        let earliest = if self.clocks_agree() { self.decided_us() } else { self.decided_us().saturating_sub(UNDER_WAY_US) };
        let went_dead = |t: u64| t.saturating_add(1_000) > earliest && self.under_way(t);
        let lost = match (connection.end, connection.ended) {
            (Some((t, Leave::Lost)), _) | (None, Some((t, None))) => Some(t),
            _ => None,
        };
        let silenced = self.facts.faults.since(connection.node, earliest.saturating_sub(1_000)).take_while(|noted| self.under_way(noted.t));
        let node_died = silenced.into_iter().any(|noted| noted.kind.silences() && went_dead(noted.t));
        let is_hidden = connection.hidden.is_some_and(|t| self.before_new(t) && connection.over().is_none_or(|over| t <= over));
        let was_dead = lost.is_some_and(|t| self.under_way(t)) || (connection.over().is_some() && self.was_silent(connection));
        lost.is_some_and(went_dead) || node_died || (is_hidden && (was_dead || self.may_have_lost_words()))
    }

    /// The withdraw for a hidden device was lost with a link between nodes: it comes when the link is back, and no later than the lease runs out.
    fn may_have_lost_words(&self) -> bool {
        let lease_us = self.facts.run.lease_ms.saturating_mul(1_000);
        self.facts.faults.of_links().meets(self.old.t, self.new.t, lease_us)
    }

    /// Its node could not speak at that time.
    fn was_silent(&self, connection: &Connection<'_>) -> bool {
        self.facts.faults.disturbs(connection.node, (self.new.t, self.new.t), UNDER_WAY_US)
    }
}

//! G5: a second device is offered what a first one holds only after the first was sent a `withdraw` for it, or closed its connection, or its lease has run out. Ledger
//! time orders what two clients saw: the wall clock that it is stamped from is theirs too.

use super::Violation;
use super::facts::{Connection, Facts, Offer, Span};
use super::record::{Fault, Key, Leave, Session};

/// By how much a wall clock that is read in ms may seem to lag.
const ROUNDING_MS: u64 = 2;

/// So long may a message or a Close frame be under way; on a line that went dead in that time, nobody saw it.
const UNDER_WAY_MS: u64 = 500;

/// All offers that broke the promise, and how many times a delivery moved from one device to another at all.
pub fn violations(facts: &Facts) -> (Vec<Violation>, usize) {
    let (mut found, mut moves) = (Vec::new(), 0);
    for (key, offers) in &facts.offers {
        for pair in offers.windows(2) {
            let (old, new) = (&pair[0], &pair[1]);
            if device(facts, old.session) == device(facts, new.session) {
                continue;
            }
            moves += 1;
            // Within one ms nobody can tell which of two offers was the first.
            let is_other_way_round = old.at == new.at && (Move { facts, key, old: new, new: old }).was_free();
            if !(Move { facts, key, old, new }).was_free() && !is_other_way_round {
                let (holder, second) = (&facts.connections[&old.session], &facts.connections[&new.session]);
                let text = format!(
                    "{key} was offered to {} (session {}) with time {}, while {} (session {} on {}) held it since {}",
                    second.device, new.session, new.at, holder.device, old.session, holder.node, old.at
                );
                found.push(Violation::new("G5", new.t, text));
            }
        }
    }
    (found, moves)
}

fn device(facts: &Facts, session: Session) -> &str {
    &facts.connections[&session].device
}

/// A delivery that went from one device to another.
struct Move<'a> {
    facts: &'a Facts,
    key: &'a Key,
    old: &'a Offer,
    new: &'a Offer,
}

impl Move<'_> {
    /// Whether the old holder had given it up when the new one was offered it. A device may have held it over several connections.
    fn was_free(&self) -> bool {
        let holder = &self.facts.connections[&self.old.session];
        let sessions = &self.facts.devices[&(holder.user.clone(), holder.device.clone())];
        let first = sessions.iter().position(|session| *session == self.old.session).expect("it is one of its device's");
        for (place, session) in sessions.iter().enumerate().skip(first) {
            let connection = &self.facts.connections[session];
            let is_later = place > first;
            if is_later && !self.before_new(connection.hello) {
                break;
            }
            // A device that connects again without the key in `open` no longer shows it.
            if self.was_withdrawn(connection) || (is_later && !connection.open.contains(self.key)) {
                return true;
            }
            // A device that connects again holds on to the key once it is welcomed: before that, what was closed is free.
            let welcomed = sessions[place + 1..].iter().find_map(|next| self.facts.connections[next].welcome);
            let next = welcomed.map(|t| self.facts.wall(t) + UNDER_WAY_MS);
            if next.is_none_or(|next| self.new.at <= next) && self.was_given_up(connection) {
                return true;
            }
        }
        false
    }

    fn before_new(&self, t: u64) -> bool {
        self.facts.wall(t) <= self.new.at + ROUNDING_MS
    }

    fn lease_over(&self, t: u64) -> bool {
        self.facts.wall(t) + self.facts.lease_ms <= self.new.at + ROUNDING_MS
    }

    fn under_way(&self, t: u64) -> bool {
        self.facts.wall(t) <= self.new.at + UNDER_WAY_MS
    }

    fn was_withdrawn(&self, connection: &Connection) -> bool {
        let times = connection.withdraws.get(self.key).into_iter().flatten();
        let in_between = |at: u64| self.old.at <= at && at <= self.new.at;
        // An edge that withdraws by itself, when a lease is over, knows no ledger time: what counts then is when it was read.
        times.clone().any(|(t, at)| in_between(*at) || (*t >= self.old.t && self.before_new(*t)))
    }

    fn was_given_up(&self, connection: &Connection) -> bool {
        let by_client = connection.end.is_some_and(|(t, leave)| match leave {
            // Also when it was closed after the offer was decided and before it was read: the withdraw was under way then.
            Leave::Closed => self.before_new(t) || t <= self.new.t,
            Leave::Lost => self.lease_over(t),
        });
        let by_server = connection.ended.is_some_and(|(t, code)| if code.is_some() { self.under_way(t) } else { self.lease_over(t) });
        by_client || by_server || self.was_free_by_fault(connection) || self.is_unseen(connection)
    }

    /// Its node fell silent a lease ago, or was told to send its clients away.
    fn was_free_by_fault(&self, connection: &Connection) -> bool {
        let since = |t: u64| t >= connection.hello && connection.over().is_none_or(|over| t <= over);
        let silenced = self.facts.silenced(&connection.node).any(|t| since(t) && self.lease_over(t));
        let sends_away = |kind: &Fault| kind.sends_away();
        let of_node = self.facts.faults.iter().filter(|(_, node, kind)| *node == connection.node && sends_away(kind));
        silenced || of_node.into_iter().any(|(t, _, _)| since(*t) && self.before_new(*t))
    }

    /// It had to give it up, or may have had to, and the line was dead when the withdraw was under way.
    fn is_unseen(&self, connection: &Connection) -> bool {
        let went_dead = |t: u64| self.facts.wall(t) >= self.new.at && self.under_way(t);
        let lost = match (connection.end, connection.ended) {
            (Some((t, Leave::Lost)), _) | (None, Some((t, None))) => Some(t),
            _ => None,
        };
        let node_died = self.facts.silenced(&connection.node).any(went_dead);
        let is_hidden = connection.hidden.is_some_and(|t| self.before_new(t) && connection.over().is_some_and(|over| t <= over));
        let was_dead = lost.is_some_and(|t| self.under_way(t)) || (connection.over().is_some() && self.was_silent(connection));
        lost.is_some_and(went_dead) || node_died || (is_hidden && was_dead)
    }

    /// Its node could not speak at that time.
    fn was_silent(&self, connection: &Connection) -> bool {
        let spans = self.facts.disturbances(&connection.node, UNDER_WAY_MS * 1_000);
        let at = Span { from: self.new.t, to: self.new.t };
        spans.iter().any(|span| span.meets(at))
    }
}

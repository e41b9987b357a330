//! Edges as the owner of a user sees them: each knows exactly what it wrote to its connections, and reports it after the owner changed or the way to it broke.
//! Holds no ledger: it hears what an owner said, and checks what a client sees (G1, G5, nothing twice).

use engage::ledger::Command;
use engage::ledger::command::{Attach, Greeting, Key};
use engage::ledger::effect::{Action, CloseReason, Offer};
use engage::ledger::ids::{ConnectionId, DeviceId, EngagementId, WindowId};
use engage::ledger::reply::AckReply;
use std::collections::{BTreeMap, BTreeSet};

use crate::properties::number;

/// A key, as one connection knows it.
pub type Shown = (String, WindowId);

/// How far a connection knows a key to be.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub step: u32,
    /// False while only the client knows it, from an earlier connection.
    pub is_told: bool,
}

/// One connection at its edge.
pub struct Line {
    pub device: u8,
    /// The hello, with the visibility that the client said last.
    pub hello: Attach,
    /// When the hello came, among all that was heard.
    pub hello_order: u64,
    pub attempt: u32,
    /// Since when it has no owner.
    pub lost_at: Option<u64>,
    /// The client has not turned to another connection.
    pub is_current: bool,
    pub is_welcomed: bool,
    pub is_caught_up: bool,
    pub window: Option<WindowId>,
    pub screen: BTreeMap<Shown, Known>,
    /// Withdraws that an owner sent and that were lost with the link.
    pub sent: BTreeSet<Shown>,
    /// What the client said and has no answer to.
    pub pending: BTreeMap<u64, Command>,
}

/// What an owner says to a connection.
#[derive(Clone, Debug)]
pub enum Word {
    Welcome { window: WindowId, acks: Vec<AckReply> },
    Resumed,
    Refused,
    Answer { number: u64, reply: AckReply, is_dismiss: bool },
    Do(Action),
}

#[derive(Default)]
pub struct Edges {
    pub lines: BTreeMap<ConnectionId, Line>,
    /// What each device showed, and said without an answer, when its connection ended.
    pub left: BTreeMap<u8, BTreeMap<Shown, Known>>,
    /// Settled by a confirm that was heard: its ledger time, and when it was heard.
    confirmed: BTreeMap<(Option<u8>, Shown), (u64, u64)>,
    order: u64,
}

pub fn key_of(shown: &Shown) -> Key {
    Key { id: EngagementId::parse(&shown.0).unwrap(), window: shown.1 }
}

/// Whether only one device at a time may have it.
pub fn is_for_active(id: &str) -> bool {
    number(id) >= 4
}

impl Line {
    /// What its edge reports.
    pub fn attach(&self) -> Attach {
        if !self.is_welcomed {
            return self.hello.clone();
        }
        let steps = self.screen.values().map(|known| known.step).collect();
        let greeting = Greeting::Again { window: self.window, steps, is_caught_up: self.is_caught_up };
        Attach { open: self.screen.keys().map(key_of).collect(), acks: Vec::new(), greeting, ..self.hello.clone() }
    }

    fn know(&mut self, shown: &Shown, step: u32) {
        if let Some(known) = self.screen.get_mut(shown) {
            *known = Known { step: known.step.max(step), is_told: true };
        }
    }
}

impl Edges {
    pub fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub fn current(&self, device: u8) -> Option<ConnectionId> {
        self.lines.iter().find(|(_, line)| line.device == device && line.is_current).map(|(connection, _)| *connection)
    }

    /// A connection ends; the client may remember what it showed.
    pub fn end(&mut self, connection: ConnectionId) {
        if let Some(line) = self.lines.remove(&connection)
            && line.is_current
        {
            self.left.insert(line.device, line.screen);
        }
    }

    /// Edges without an owner for as long as the lease withdraw all that their connections hold, and end those whose hello has no answer. Gives how many withdrew.
    pub fn run_leases_out(&mut self, now: u64, lease: u64) -> usize {
        let is_over = |line: &Line| line.lost_at.is_some_and(|since| now >= since + lease);
        let unanswered = self.lines.iter().filter(|(_, line)| is_over(line) && !line.is_welcomed).map(|(connection, _)| *connection);
        for connection in unanswered.collect::<Vec<_>>() {
            self.end(connection);
        }
        let mut count = 0;
        for line in self.lines.values_mut().filter(|line| is_over(line)) {
            count += usize::from(!line.screen.is_empty());
            line.screen.clear();
        }
        count
    }

    /// Forgets what was confirmed: the person asked for it.
    pub fn forget(&mut self) {
        self.confirmed.clear();
    }

    fn oracle_key(&self, device: u8, shown: &Shown) -> (Option<u8>, Shown) {
        ((number(&shown.0) < 2).then_some(device), shown.clone())
    }

    /// An edge gets a word, and writes it to the connection.
    pub fn hear(&mut self, connection: ConnectionId, attempt: u32, word: &Word) {
        let Some(line) = self.lines.get_mut(&connection).filter(|line| line.attempt == attempt) else { return };
        match word {
            Word::Refused | Word::Do(Action::Close(CloseReason::Replaced | CloseReason::Forgotten)) => self.end(connection),
            Word::Welcome { window, acks } => {
                line.is_welcomed = true;
                line.window = Some(*window);
                for reply in acks {
                    self.hear_reply(connection, reply);
                }
            }
            Word::Resumed => {}
            Word::Answer { number, reply, is_dismiss } => {
                line.pending.remove(number);
                if let (AckReply::Confirm(confirm), true) = (reply, is_dismiss) {
                    line.screen.remove(&(confirm.id.to_string(), confirm.window));
                }
                self.hear_reply(connection, reply);
            }
            Word::Do(Action::CaughtUp) => {
                assert!(!line.is_caught_up, "a connection was caught up twice");
                line.is_caught_up = true;
            }
            Word::Do(Action::Window(window)) => {
                assert!(line.window < Some(window.id), "a connection was told of a window twice");
                line.window = Some(window.id);
            }
            Word::Do(Action::Progress { id, window, step, .. }) => line.know(&(id.to_string(), *window), *step),
            Word::Do(Action::Withdraw { id, window, .. }) => {
                let shown = (id.to_string(), *window);
                line.screen.remove(&shown);
                line.sent.remove(&shown);
            }
            Word::Do(Action::Offer(offer)) => self.hear_offer(connection, offer),
        }
    }

    /// A confirm, on a connection or, posted, without one.
    pub fn hear_confirm(&mut self, device: u8, reply: &AckReply) {
        let AckReply::Confirm(confirm) = reply else { return };
        if confirm.state.is_settled() {
            let key = self.oracle_key(device, &(confirm.id.to_string(), confirm.window));
            let heard = (confirm.at.0, self.next_order());
            self.confirmed.entry(key).or_insert(heard);
        }
    }

    fn hear_reply(&mut self, connection: ConnectionId, reply: &AckReply) {
        let AckReply::Confirm(confirm) = reply else { return };
        let line = self.lines.get_mut(&connection).expect("it hears something");
        let shown = (confirm.id.to_string(), confirm.window);
        line.know(&shown, confirm.step);
        if confirm.state.is_settled() {
            line.screen.remove(&shown);
        }
        let device = line.device;
        self.hear_confirm(device, reply);
    }

    fn hear_offer(&mut self, connection: ConnectionId, offer: &Offer) {
        let shown = (offer.id.to_string(), offer.window);
        let line = &self.lines[&connection];
        let device = line.device;
        if let Some((at, order)) = self.confirmed.get(&self.oracle_key(device, &shown)) {
            assert!(line.hello_order < *order, "{shown:?} was offered on a connection that came after its confirm");
            assert!(offer.at.0 <= *at, "{shown:?} was offered after its confirm");
        }
        if is_for_active(offer.id.as_str()) {
            // What a hello names is on a screen that the ledger may not know yet; a withdraw that was sent counts, also if the link lost it.
            let others = self.lines.iter().filter(|(other, line)| **other != connection && line.is_current && line.is_welcomed);
            let mut showing = others.filter(|(_, line)| line.screen.contains_key(&shown) && !line.sent.contains(&shown));
            assert_eq!(showing.next().map(|(other, _)| other), None, "{shown:?} is offered to {connection} and shown elsewhere");
        }
        let line = self.lines.get_mut(&connection).expect("it hears something");
        let before = line.screen.insert(shown.clone(), Known { step: offer.step - 1, is_told: true });
        assert!(before.is_none(), "{shown:?} was offered on {connection}, which shows it");
    }
}

pub fn device_number(device: &DeviceId) -> u8 {
    number(device.as_str())
}

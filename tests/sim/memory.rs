//! What a device remembers from connection to connection: what stands on its screen, and the acks that it has no confirm for. Pure; sends and notes nothing.

use std::collections::BTreeMap;

use engage::history::key::Key;
use engage::history::record::{Session, is_settled};
use serde_json::{Value, json};

/// It is left lying.
pub const NEVER: u64 = u64::MAX;

/// What stands on the screen.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The step to do next.
    pub step: u64,
    pub steps: u64,
    /// When something is done about it.
    pub due_us: u64,
    /// Whether that it was seen has been said.
    pub is_seen: bool,
}

/// An ack that has no confirm yet; without a step, a dismiss.
#[derive(Clone, Debug)]
pub struct Pending {
    pub key: Key,
    pub step: Option<u64>,
    pub data: Value,
    pub reference: i64,
    /// Where it was sent last, and when.
    pub session: Session,
    pub sent_us: u64,
    /// It was refused for now: when it is sent again.
    pub again_us: Option<u64>,
}

impl Pending {
    /// As it stands in a hello; a dismiss can't.
    pub fn in_hello(&self) -> Option<Value> {
        let step = self.step?;
        Some(json!({"id": self.key.id, "window": self.key.window, "step": step, "data": self.data}))
    }

    /// As a message of its own, without a number.
    pub fn message(&self) -> Value {
        let Key { id, window, .. } = &self.key;
        match self.step {
            Some(step) => json!({"type": "ack", "id": id, "window": window, "step": step, "data": self.data}),
            None => json!({"type": "dismiss", "id": id, "window": window}),
        }
    }

    /// As a message on a connection.
    pub fn numbered(&self, reference: i64) -> Value {
        let mut message = self.message();
        message["ref"] = json!(reference);
        message
    }
}

/// A confirm, as far as it matters here.
pub struct Confirmed<'a> {
    pub key: &'a Key,
    pub step: u64,
    pub state: &'a str,
    pub reference: Option<i64>,
}

/// See the head of the file.
#[derive(Default)]
pub struct Memory {
    pub screen: BTreeMap<Key, Shown>,
    pub outbox: Vec<Pending>,
    last_reference: i64,
}

impl Memory {
    /// The app was installed anew: nothing is on its screen, and it knows of nothing that it sent. Numbers are not used again, so that a history can be read.
    pub fn forget(&mut self) {
        self.screen.clear();
        self.outbox.clear();
    }

    pub fn next_reference(&mut self) -> i64 {
        self.last_reference += 1;
        self.last_reference
    }

    /// Whether an answer on this key is due on this connection.
    pub fn is_pending(&self, key: &Key, session: Session) -> bool {
        self.outbox.iter().any(|pending| pending.key == *key && pending.session == session)
    }

    pub fn show(&mut self, key: Key, shown: Shown) {
        self.screen.insert(key, shown);
    }

    pub fn take_off(&mut self, key: &Key) {
        self.screen.remove(key);
    }

    /// Another device went on with it.
    pub fn progressed(&mut self, key: &Key, step: u64) {
        if let Some(shown) = self.screen.get_mut(key) {
            shown.step = shown.step.max(step + 1);
        }
    }

    /// What is sent takes the place of what was sent for the same key before.
    pub fn sent(&mut self, pending: Pending) {
        self.outbox.retain(|earlier| earlier.key != pending.key);
        if let Some(shown) = self.screen.get_mut(&pending.key) {
            shown.due_us = NEVER;
            shown.is_seen = true;
        }
        self.outbox.push(pending);
    }

    /// What is next for it, if it is not over, is due then.
    pub fn confirmed(&mut self, confirmed: &Confirmed<'_>, due_us: u64) {
        let Confirmed { key, step, state, reference } = *confirmed;
        let is_over = is_settled(state);
        let is_answer = |pending: &Pending| reference == Some(pending.reference);
        let is_put_off = !is_over && self.outbox.iter().any(|pending| is_answer(pending) && pending.step.is_none());
        let is_done = |pending: &Pending| is_over || pending.step.is_some_and(|waits| waits <= step);
        self.outbox.retain(|pending| !is_answer(pending) && (pending.key != *key || !is_done(pending)));
        if is_over || is_put_off {
            self.screen.remove(key);
        } else if let Some(shown) = self.screen.get_mut(key) {
            shown.step = shown.step.max(step + 1);
            shown.due_us = due_us;
        }
    }

    /// An ack was not taken: for good, or until then.
    pub fn refused(&mut self, (reference, key): (Option<i64>, Option<&Key>), again_us: Option<u64>) {
        let is_meant = |pending: &Pending| reference == Some(pending.reference) || Some(&pending.key) == key;
        if again_us.is_some() {
            self.outbox.iter_mut().filter(|pending| is_meant(pending)).for_each(|pending| pending.again_us = again_us);
            return;
        }
        // What the ledger does not know was forgotten with its window: it is of no use on the screen.
        let gone: Vec<Key> = self.outbox.iter().filter(|pending| is_meant(pending)).map(|pending| pending.key.clone()).collect();
        self.outbox.retain(|pending| !is_meant(pending));
        gone.iter().for_each(|key| self.take_off(key));
    }

    /// The first thing to be done on this connection, and when.
    pub fn next_due(&self) -> Option<u64> {
        let shown = self.screen.values().map(|shown| shown.due_us);
        shown.chain(self.outbox.iter().filter_map(|pending| pending.again_us)).min()
    }

    /// The oldest that was sent on this connection and has no answer.
    pub fn waits_since(&self, session: Session) -> Option<u64> {
        let open = self.outbox.iter().filter(|pending| pending.session == session && pending.again_us.is_none());
        open.map(|pending| pending.sent_us).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> Key {
        Key::new("u", id, "w")
    }

    fn with(step: Option<u64>) -> Memory {
        let mut memory = Memory::default();
        memory.show(key("a"), Shown { step: 1, steps: 3, due_us: 5, is_seen: false });
        let reference = memory.next_reference();
        memory.sent(Pending { key: key("a"), step, data: Value::Null, reference, session: 1, sent_us: 7, again_us: None });
        memory
    }

    fn confirmed(memory: &mut Memory, (step, state): (u64, &str), reference: Option<i64>) {
        memory.confirmed(&Confirmed { key: &key("a"), step, state, reference }, 9);
    }

    #[test]
    fn what_was_sent_waits_for_its_confirm_and_what_comes_next_is_due() {
        let mut memory = with(Some(1));
        assert_eq!((memory.next_due(), memory.waits_since(1), memory.waits_since(2)), (Some(NEVER), Some(7), None));
        confirmed(&mut memory, (1, "in_progress"), Some(1));
        assert!(memory.outbox.is_empty());
        assert_eq!((memory.screen[&key("a")].step, memory.next_due()), (2, Some(9)));
        confirmed(&mut memory, (3, "completed"), None);
        assert!(memory.screen.is_empty());
    }

    #[test]
    fn a_confirm_of_a_lower_step_leaves_the_ack_waiting() {
        let mut memory = with(Some(2));
        confirmed(&mut memory, (1, "in_progress"), None);
        assert_eq!(memory.outbox.len(), 1);
        confirmed(&mut memory, (2, "in_progress"), None);
        assert!(memory.outbox.is_empty());
    }

    #[test]
    fn a_dismiss_that_does_not_settle_takes_it_off_the_screen() {
        let mut memory = with(None);
        assert!(memory.outbox[0].in_hello().is_none());
        confirmed(&mut memory, (0, "offered"), Some(1));
        assert!(memory.screen.is_empty() && memory.outbox.is_empty());
    }

    #[test]
    fn what_is_refused_for_now_is_sent_again_and_what_is_unknown_is_put_away() {
        let mut memory = with(Some(1));
        memory.refused((Some(1), None), Some(20));
        assert_eq!((memory.next_due(), memory.waits_since(1)), (Some(20), None));
        memory.refused((None, Some(&key("a"))), None);
        assert!(memory.screen.is_empty() && memory.outbox.is_empty());
    }
}

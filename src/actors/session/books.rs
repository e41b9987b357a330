//! What a connection was told, as far as a new owner must know it: what it holds and how far, the window, and whether all that waited was offered.

use crate::ledger::command::{Attach, Greeting, Key};
use crate::ledger::effect::Offer;
use crate::ledger::ids::WindowId;
use crate::ledger::reply::Confirm;
use crate::ports::session::Hold;

/// See the head of the file.
#[derive(Debug, Default)]
pub struct Books {
    /// What the client has on its screen. Invariant: no key stands there twice. The ledger bounds it, by `max_in_flight` and what the hello named.
    held: Vec<Held>,
    pub window: Option<WindowId>,
    pub is_caught_up: bool,
}

#[derive(Debug)]
struct Held {
    key: Key,
    /// The highest step that the client was told of.
    step: u32,
    /// The number of its offer; 0: the client had it before.
    offer: u32,
}

impl Books {
    /// The client said that it has these on its screen, and the ledger has heard of it.
    pub fn open(&mut self, keys: Vec<Key>) {
        for key in keys {
            if self.find(&key).is_none() {
                self.put(Held { key, step: 0, offer: 0 });
            }
        }
    }

    /// Notes an offer. False: it was told before, and is not to be told again.
    pub fn offered(&mut self, offer: &Offer) -> bool {
        let key = Key { id: offer.id.clone(), window: offer.window };
        let step = offer.step.saturating_sub(1);
        match self.find(&key) {
            Some(held) if offer.offer <= held.offer => return mutant!(OfferToldTwice),
            Some(held) => (held.step, held.offer) = (step, offer.offer),
            None => self.put(Held { key, step, offer: offer.offer }),
        }
        true
    }

    /// Another device went on with it.
    pub fn progressed(&mut self, key: &Key, step: u32) {
        if let Some(held) = self.find(key) {
            held.step = held.step.max(step);
        }
    }

    /// It is off the screen. False: it was not on it.
    pub fn withdrawn(&mut self, key: &Key) -> bool {
        let Some(at) = self.held.iter().position(|held| held.key == *key) else { return false };
        self.held.remove(at);
        if self.held.is_empty() {
            // An idle connection keeps no memory for it.
            self.held = Vec::new();
        }
        true
    }

    /// An ack of this device was recorded.
    pub fn noted(&mut self, key: &Key, step: u32, hold: Hold) {
        match hold {
            Hold::Kept => self.progressed(key, step),
            Hold::Over => {
                self.withdrawn(key);
            }
        }
    }

    /// The same, of a confirm.
    pub fn confirmed(&mut self, confirm: &Confirm, hold: Hold) {
        let hold = if confirm.state.is_settled() { Hold::Over } else { hold };
        self.noted(&Key { id: confirm.id.clone(), window: confirm.window }, confirm.step, hold);
    }

    /// Whether the client holds anything.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Takes all that is held out.
    pub fn take_held(&mut self) -> impl Iterator<Item = Key> + use<> {
        std::mem::take(&mut self.held).into_iter().map(|held| held.key)
    }

    /// What an owner is told of it.
    pub fn report(&self, attach: Attach) -> Attach {
        let steps = self.held.iter().map(|held| held.step).collect();
        let open = self.held.iter().map(|held| held.key.clone()).collect();
        Attach { open, greeting: Greeting::Again { window: self.window, steps, is_caught_up: self.is_caught_up }, ..attach }
    }

    fn find(&mut self, key: &Key) -> Option<&mut Held> {
        self.held.iter_mut().find(|held| held.key == *key)
    }

    fn put(&mut self, held: Held) {
        // Most hold one.
        if self.held.is_empty() {
            self.held.reserve_exact(1);
        }
        self.held.push(held);
    }
}

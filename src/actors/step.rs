//! All that one answer of the ledger has to say, sorted by connection: the words for each in order.

use crate::ledger::effect::Action;
use crate::ledger::ids::ConnectionId;
use crate::ports::session::Item;

/// What is to be said.
#[derive(Debug, Default)]
pub struct Step {
    /// Few: one for each connection of a user that is concerned.
    pub parts: Vec<Part>,
}

/// What one connection is told.
#[derive(Debug)]
pub struct Part {
    pub connection: ConnectionId,
    pub items: Vec<Item>,
}

impl Part {
    /// Whether the connection ends by it.
    pub fn is_end(&self) -> bool {
        self.items.last().is_some_and(is_end)
    }
}

impl Step {
    /// Adds words; nothing follows an end.
    pub fn tell(&mut self, connection: ConnectionId, item: Item) {
        match self.parts.iter_mut().find(|part| part.connection == connection) {
            Some(part) if part.is_end() => {}
            Some(part) => part.items.push(item),
            None => {
                // Most steps have one part with one item.
                self.parts.reserve_exact(1);
                self.parts.push(Part { connection, items: vec![item] });
            }
        }
    }
}

fn is_end(item: &Item) -> bool {
    matches!(item, Item::Refused { .. } | Item::NotNow | Item::Do(Action::Close(_)))
}

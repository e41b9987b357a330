//! What the connections are told: all of one step in one delivery to each. One that can't be told is dropped; the ledger still has what it misses.

use metrics::counter;
use tracing::{debug, error};

use super::User;
use crate::actors::desk::NotDelivered;
use crate::actors::live::Live;
use crate::actors::step::{Part, Step};
use crate::ledger::command::Departure;
use crate::ledger::effect::{Action, Effect, Offer};
use crate::ledger::ids::{ConnectionId, DeviceId};
use crate::ports::session::{Attempt, Item};
use crate::telemetry::names;

impl User {
    pub(super) fn carry_out(&mut self, step: &mut Step, effects: Vec<Effect>) {
        for Effect { connection, action, .. } in effects {
            // One whose attach is not answered is told all of it then.
            let Some(live) = self.live.get(connection).filter(|live| live.is_attached) else { continue };
            if let Action::Offer(offer) = &action {
                self.watch(&live.device, offer);
            }
            step.tell(connection, Item::Do(action));
        }
    }

    fn watch(&self, device: &DeviceId, offer: &Offer) {
        if self.settled.forbids(offer, device) {
            counter!(names::REDELIVERY_AFTER_ACK_TOTAL).increment(1);
            error!(user_device = %device, window = %offer.window, "the ledger offers what was confirmed as settled");
        }
    }

    /// Says all of a step, connection by connection. Who is gone hears nothing.
    pub(super) fn speak(&mut self, step: Step) {
        for part in step.parts {
            let (connection, is_end) = (part.connection, part.is_end());
            let Part { items, .. } = part;
            let Some(live) = self.live.get(connection) else { continue };
            match live.tell(items) {
                Ok(()) if is_end => self.leave(connection),
                Ok(()) => {}
                Err(why) => self.lose(connection, why),
            }
        }
    }

    /// The same, for one word.
    pub(super) fn tell_one(&mut self, attempt: Attempt, item: Item) {
        let mut step = Step::default();
        step.tell(attempt.connection, item);
        self.speak(step);
    }

    /// Drops a connection that the ledger does not have, or has let go of.
    fn leave(&mut self, connection: ConnectionId) {
        if let Some(live) = self.live.remove(connection) {
            live.leave();
        }
    }

    /// Drops a connection that could not be told something.
    fn lose(&mut self, connection: ConnectionId, why: NotDelivered) {
        let Some(live) = self.live.remove(connection) else { return };
        debug!(%connection, ?why, "a connection is lost");
        self.tell_gone(live.device.clone(), connection, Departure::Lost, 0);
        match why {
            NotDelivered::Cut => live.leave(),
            NotDelivered::NotSent => self.unheard.extend(live.send_back()),
        }
    }

    /// Has the edge of a connection ask anew. Until it does, the ledger has it as lost: its edge may die before.
    pub(super) fn send_back(&mut self, connection: ConnectionId) {
        if let Some(live) = self.live.remove(connection) {
            self.sent_back(live);
        }
    }

    pub(super) fn sent_back(&mut self, live: Live) {
        self.tell_gone(live.device.clone(), live.connection, Departure::Lost, 0);
        self.unheard.extend(live.send_back());
    }
}

//! What the devices are told: effects made into messages, all of one step into one frame for each connection. A device that can't take them is cut; the ledger still
//! has what it misses.

use metrics::counter;
use tracing::{debug, error};

use super::User;
use crate::actors::outbox::{Ending, OutboxError};
use crate::actors::step::{Part, Step};
use crate::ledger::command::Departure;
use crate::ledger::effect::{Action, CloseReason, Effect, Offer};
use crate::ledger::ids::ConnectionId;
use crate::protocol::code::Code;
use crate::protocol::server_message::{Bye, ServerMessage};
use crate::telemetry::names;

impl User {
    pub(super) fn carry_out(&mut self, step: &mut Step, effects: Vec<Effect>) {
        for Effect { connection, action, .. } in effects {
            let message = match &action {
                Action::Offer(offer) => {
                    self.watch(connection, offer);
                    ServerMessage::Offer(offer)
                }
                Action::Progress { id, window, step, data } => {
                    ServerMessage::Progress { id, window: *window, step: *step, data: data.as_ref() }
                }
                Action::Withdraw { id, window, reason, at } => ServerMessage::Withdraw { id, window: *window, reason: *reason, at: *at },
                Action::Window(window) => ServerMessage::Window(*window),
                Action::CaughtUp => ServerMessage::CaughtUp,
                Action::Close(reason) => {
                    step.end(connection, Ending::bye(bye(*reason)));
                    continue;
                }
            };
            step.tell(connection, &message);
        }
    }

    fn watch(&self, connection: ConnectionId, offer: &Offer) {
        counter!(names::OFFERS_TOTAL).increment(1);
        let Some(live) = self.live.get(connection) else { return };
        if self.settled.forbids(offer, &live.device) {
            counter!(names::REDELIVERY_AFTER_ACK_TOTAL).increment(1);
            error!(%connection, window = %offer.window, "the ledger offers what was confirmed as settled");
        }
    }

    /// Says all of a step, connection by connection. Who is gone hears nothing.
    pub(super) fn speak(&mut self, step: Step) {
        for Part { connection, batches, ending } in step.parts {
            let Some(live) = self.live.get(connection) else { continue };
            let is_slow = live.outbox.try_send(batches) == Err(OutboxError::Full);
            match ending {
                _ if is_slow => {
                    debug!(%connection, "the client doesn't read: it is cut");
                    self.cut(connection, Ending::slow_consumer());
                }
                Some(ending) => self.end(connection, ending),
                None => {}
            }
        }
    }

    /// Ends a connection that the ledger does not have, or has let go of.
    pub(super) fn end(&mut self, connection: ConnectionId, ending: Ending) {
        if let Some(live) = self.live.remove(connection) {
            live.outbox.close(ending);
        }
    }

    /// Ends a connection that the ledger has, or may have, and tells it.
    pub(super) fn cut(&mut self, connection: ConnectionId, ending: Ending) {
        if let Some(live) = self.live.remove(connection) {
            live.outbox.close(ending);
            self.tell_gone(live.device.clone(), connection, Departure::Lost, 0);
        }
    }
}

fn bye(reason: CloseReason) -> Bye {
    match reason {
        CloseReason::Replaced => Bye { code: Code::Replaced, reason: "another connection of this device took over", after_ms: 0 },
        CloseReason::Forgotten => Bye { code: Code::Forbidden, reason: "the user was forgotten", after_ms: 0 },
    }
}

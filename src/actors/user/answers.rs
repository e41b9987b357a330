//! What the ledger says to a command: told to who asked, before the effects. A result that isn't known is not told: all connections are sent back to their edges, which
//! ask anew with all that is not answered.

use actix::Context;

use super::User;
use crate::actors::step::Step;
use crate::actors::work::{Asker, AttachWord, Decided, Poster};
use crate::ledger::Applied;
use crate::ledger::command::{Key, Visibility};
use crate::ledger::ids::{ConnectionId, DeviceId};
use crate::ledger::reply::{AckReply, AttachReply, Reply};
use crate::ports::ProposeError;
use crate::ports::session::{AttachRefused, Attempt, Hold, Item};

impl User {
    pub(super) fn decided(&mut self, decided: Decided, context: &mut Context<Self>) {
        let Decided { reign, asker, result } = decided;
        if reign != self.reign {
            return late(asker, result);
        }
        self.in_flight -= 1;
        match result {
            Ok(applied) => self.applied(asker, applied),
            Err(error) => self.failed(asker, error, context),
        }
    }

    fn applied(&mut self, asker: Asker, applied: Applied) {
        self.last_at = applied.at;
        let mut step = Step::default();
        match (asker, applied.reply) {
            (Asker::Attach { attempt, word }, Reply::Attach(reply)) => self.attached(&mut step, attempt, word, reply),
            (Asker::Device { attempt, device, number }, Reply::Ack(reply)) => {
                self.remember(&reply, &device);
                if self.live.of_attempt(attempt).is_some() {
                    step.tell(attempt.connection, Item::Answer { number, reply });
                }
            }
            (Asker::Call { device, answer }, reply) => {
                if let (Some(poster), Reply::Ack(reply)) = (&device, &reply) {
                    self.remember(reply, &poster.device);
                    self.note(&mut step, poster, reply);
                }
                // A caller who is gone needs no answer.
                let _ = answer.send(Ok(Applied { at: applied.at, reply, effects: Vec::new() }));
            }
            (Asker::Visible { connection, visibility, .. }, _) => self.shown(connection, visibility),
            (Asker::Gone { .. } | Asker::Nobody, _) => {}
            (Asker::Attach { .. } | Asker::Device { .. }, reply) => {
                unreachable!("the ledger answers each command in its own way, not with {reply:?}")
            }
        }
        self.carry_out(&mut step, applied.effects);
        self.speak(step);
    }

    fn attached(&mut self, step: &mut Step, attempt: Attempt, word: AttachWord, reply: AttachReply) {
        // It may have gone meanwhile; then the ledger hears of that next. Or its edge has asked anew.
        if self.live.of_attempt(attempt).is_none() {
            return;
        }
        let Some(live) = self.live.get_mut(attempt.connection) else { return };
        let refused = |why, acks| Item::Refused { why, acks };
        let item = match reply {
            AttachReply::Attached { window, acks } => {
                live.is_attached = true;
                let device = live.device.clone();
                acks.iter().for_each(|reply| self.remember(reply, &device));
                match word {
                    AttachWord::Welcome => Item::Welcome { window, at: self.last_at, acks },
                    AttachWord::Resumed => Item::Resumed,
                }
            }
            AttachReply::TooManyDevices { acks } => {
                let device = live.device.clone();
                acks.iter().for_each(|reply| self.remember(reply, &device));
                refused(AttachRefused::TooManyDevices, acks)
            }
            AttachReply::Full => refused(AttachRefused::Full, Vec::new()),
            AttachReply::Replaced => refused(AttachRefused::Replaced, Vec::new()),
        };
        step.tell(attempt.connection, item);
    }

    /// Notes what was confirmed as settled.
    fn remember(&mut self, reply: &AckReply, device: &DeviceId) {
        if let AckReply::Confirm(confirm) = reply {
            self.settled.confirmed(confirm, device);
        }
    }

    /// The edge of the device that posted hears what became of it: the ledger tells the others only.
    fn note(&self, step: &mut Step, poster: &Poster, reply: &AckReply) {
        let AckReply::Confirm(confirm) = reply else { return };
        let Some(live) = self.live.of_device(&poster.device).filter(|live| live.is_attached) else { return };
        let key = Key { id: confirm.id.clone(), window: confirm.window };
        let hold = if poster.is_dismiss || confirm.state.is_settled() { Hold::Over } else { Hold::Kept };
        step.tell(live.connection, Item::Noted { key, step: confirm.step, hold });
    }

    /// The ledger knows this of the device; perhaps the device has changed its mind since.
    fn shown(&mut self, connection: ConnectionId, told: Visibility) {
        let Some(live) = self.live.get_mut(connection) else { return };
        live.is_telling = live.visibility != told;
        if live.is_telling {
            self.tell_visible(connection, 0);
        }
    }

    fn failed(&mut self, asker: Asker, error: ProposeError, context: &mut Context<Self>) {
        match asker {
            // The edge keeps what was asked, and asks again with the next attach; or gives up on it in time.
            Asker::Attach { attempt, .. } | Asker::Device { attempt, .. } => {
                if self.live.of_attempt(attempt).is_some() {
                    self.send_back(attempt.connection);
                }
            }
            Asker::Call { answer, .. } => {
                let _ = answer.send(Err(error.into()));
            }
            again @ (Asker::Gone { .. } | Asker::Visible { .. }) => self.tell_again(again, context),
            Asker::Nobody => {}
        }
        if error == ProposeError::Unknown {
            self.start_anew();
        }
    }

    /// A command whose result isn't known may have had effects that never came. Rather than guess which, all connections are attached anew: then the ledger tells each
    /// what it misses.
    fn start_anew(&mut self) {
        for live in self.live.take() {
            self.sent_back(live);
        }
    }
}

/// What was proposed when the shard was owned before. Who called is told what became of it; it means nothing to who is connected now.
fn late(asker: Asker, result: Result<Applied, ProposeError>) {
    if let Asker::Call { answer, .. } = asker {
        // A caller who is gone needs no answer.
        let _ = answer.send(result.map(|applied| Applied { effects: Vec::new(), ..applied }).map_err(Into::into));
    }
}

//! Acks and dismissals: judged by their key alone, from whichever device of the user they come.

use super::command::{Ack, By, Key};
use super::context::{About, Context};
use super::delivery::{Delivery, Ending};
use super::effect::{Action, WithdrawReason};
use super::engagement::Payload;
use super::ids::{DeviceId, EngagementId, WindowId};
use super::outcome::What;
use super::reply::{AckReply, Confirm, State};
use super::settled::Settled;
use super::user::User;

impl User {
    /// Takes an ack.
    pub fn ack(&mut self, context: &mut Context<'_>, by: &By, ack: &Ack) -> AckReply {
        let device = &by.device;
        let key = Key { id: ack.id.clone(), window: ack.window };
        let Some(index) = self.replay.find(&key, device) else {
            return self.answer_settled(context, device, &key, ack.step);
        };
        let delivery = self.replay.get(index);
        let steps = delivery.content.steps();
        let Some(step) = u8::try_from(ack.step).ok().filter(|step| *step <= steps) else {
            return AckReply::OutOfRange { id: key.id, window: key.window, steps };
        };
        if step < delivery.step && !mutant!(StepFalls) {
            return AckReply::Confirm(confirm(context, delivery, delivery.state));
        }
        self.advance(context, index, by, step, ack.data.as_ref())
    }

    fn advance(&mut self, context: &mut Context<'_>, index: usize, by: &By, step: u8, data: Option<&Payload>) -> AckReply {
        let device = &by.device;
        let delivery = self.replay.get_mut(index);
        let (state_before, step_before) = (delivery.state, delivery.step);
        let state = delivery.advance_to(step, data);
        if state_before < State::Shown {
            context.report(What::Shown, About { step: 0, ..About::delivery(delivery, Some(device)) });
        }
        if step > step_before {
            context.report(What::Step, About::delivery(delivery, Some(device)));
        }
        let mut answer = confirm(context, delivery, state);
        if state.is_settled() {
            answer.yours = true;
            self.settle(context, index, Ending::by_person(state, by));
        } else if step > step_before || data.is_some() {
            self.tell_progress(context, index, by);
        }
        AckReply::Confirm(answer)
    }

    fn tell_progress(&self, context: &mut Context<'_>, index: usize, by: &By) {
        let delivery = self.replay.get(index);
        for holder in delivery.holders() {
            if let Some(connection) = self.devices.connection_to_tell(&holder.device, Some(by)) {
                let (id, window, step, data) = (delivery.id(), delivery.window, u32::from(delivery.step), delivery.data().cloned());
                context.tell(connection, Action::Progress { id, window, step, data });
            }
        }
    }

    /// A settled state never changes: the answer is what it is.
    fn answer_settled(&self, context: &Context<'_>, device: &DeviceId, key: &Key, step: u32) -> AckReply {
        match self.settled.find(key, device) {
            None => AckReply::Unknown { id: key.id.clone(), window: key.window },
            Some(record) if step > u32::from(record.steps) => {
                AckReply::OutOfRange { id: key.id.clone(), window: key.window, steps: record.steps }
            }
            Some(record) => AckReply::Confirm(confirm_settled(context, &record, device)),
        }
    }

    /// Takes a dismissal: the end of it, or a snooze.
    pub fn dismiss(&mut self, context: &mut Context<'_>, by: &By, id: &EngagementId, window: WindowId) -> AckReply {
        let device = &by.device;
        let key = Key { id: id.clone(), window };
        let Some(index) = self.replay.find(&key, device) else {
            return self.answer_settled(context, device, &key, 0);
        };
        let delivery = self.replay.get(index);
        let reply = match delivery.content.snooze() {
            None => {
                let mut answer = confirm(context, delivery, State::Dismissed);
                answer.yours = true;
                self.settle(context, index, Ending::by_person(State::Dismissed, by));
                answer
            }
            Some(span) => {
                let answer = confirm(context, delivery, delivery.state);
                // Sent again, a dismissal does not put it off any longer.
                if !delivery.is_waiting(context.at) {
                    self.replay.get_mut(index).waits_until = context.at.plus(span);
                    self.put_off(context, index, by);
                }
                answer
            }
        };
        AckReply::Confirm(reply)
    }

    /// Nobody holds a snoozed delivery; others than the one that snoozed it are told.
    fn put_off(&mut self, context: &mut Context<'_>, index: usize, by: &By) {
        let delivery = self.replay.get_mut(index);
        let (id, window) = (delivery.id(), delivery.window);
        for holder in delivery.holders().to_vec() {
            match self.devices.connection_to_tell(&holder.device, Some(by)) {
                None if holder.device == by.device => delivery.release(&holder.device),
                None => delivery.part_from(&holder.device),
                Some(connection) => {
                    delivery.part_from(&holder.device);
                    let at = context.at;
                    context.tell(connection, Action::Withdraw { id: id.clone(), window, reason: WithdrawReason::Moved, at });
                }
            }
        }
    }
}

fn confirm(context: &Context<'_>, delivery: &Delivery, state: State) -> Confirm {
    Confirm {
        id: delivery.id(),
        window: delivery.window,
        step: u32::from(delivery.step),
        steps: delivery.content.steps(),
        state,
        yours: false,
        at: context.at,
    }
}

fn confirm_settled(context: &Context<'_>, record: &Settled, device: &DeviceId) -> Confirm {
    Confirm {
        id: record.id.clone(),
        window: record.window,
        step: u32::from(record.step),
        steps: record.steps,
        state: record.state,
        yours: record.is_settled_by(device),
        at: context.at,
    }
}

//! What time does to a user: leases and deliveries run out, windows close and open, records are forgotten.

use super::context::{About, Context};
use super::delivery::{Delivery, Ending};
use super::effect::Action;
use super::ids::DeviceId;
use super::outcome::What;
use super::reply::State;
use super::time::LedgerTime;
use super::user::User;

impl User {
    /// Does everything that is due at the context's time, but the offers: the caller fills up after it.
    pub fn pass_time(&mut self, context: &mut Context<'_>) {
        let at = context.at;
        let is_over = |lease: Option<LedgerTime>| lease.is_some_and(|until| until <= at);
        let gone: Vec<DeviceId> =
            self.devices.iter().filter(|device| is_over(device.lease_until)).map(|device| device.id.clone()).collect();
        for device in &gone {
            self.drop_device(device);
        }
        let is_spared = |delivery: &Delivery| mutant!(HeldNeverExpires) && !delivery.holders().is_empty();
        while let Some(index) = self.replay.position(|delivery| delivery.expires_at <= at && !is_spared(delivery)) {
            let reason = self.replay.get(index).expiry_reason();
            self.settle(context, index, Ending::because(State::Expired, reason));
        }
        self.end_spreads(context);
        if self.window.is_some_and(|window| window.is_closed(at)) {
            self.window = None;
            if self.devices.attached_count() > 0 {
                self.roll_over(context);
            }
        }
        self.settled.forget(at, context.settings.window_carry);
    }

    fn end_spreads(&mut self, context: &mut Context<'_>) {
        let at = context.at;
        for spread in self.spreads.iter_mut().filter(|spread| spread.ended.is_none() && spread.expires_at <= at) {
            let reason = spread.expiry_reason();
            spread.ended = Some((State::Expired, reason));
            if !spread.has_deliveries {
                let (id, window) = (spread.content.id(), Some(spread.window));
                context.report(What::Expired, About { id, window, device: None, step: 0, reason: Some(reason) });
            }
        }
        self.spreads.retain(|spread| spread.closes_at > at);
    }

    fn roll_over(&mut self, context: &mut Context<'_>) {
        let window = self.ensure_window(context);
        for device in self.devices.iter().filter(|device| device.is_attached()) {
            context.tell(device.connection, Action::Window(window));
        }
    }

    /// When something is due next. `at` is the time up to which everything was done.
    pub fn next_due(&self, at: LedgerTime) -> Option<LedgerTime> {
        let leases = self.devices.iter().filter_map(|device| device.lease_until);
        let expiries = self.replay.iter().map(|delivery| delivery.expires_at);
        let waits = self.replay.iter().map(|delivery| delivery.waits_until).filter(|until| *until > at);
        let spreads = self.spreads.iter().map(|spread| if spread.ended.is_some() { spread.closes_at } else { spread.expires_at });
        let window = self.window.map(|window| window.closes_at);
        leases.chain(expiries).chain(waits).chain(spreads).chain(window).chain(self.settled.forget_due()).min()
    }
}

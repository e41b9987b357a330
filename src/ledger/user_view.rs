//! A user as readers see it: plain copies.

use super::command::Visibility;
use super::content::Content;
use super::delivery::Delivery;
use super::engagement::Scope;
use super::ids::EngagementId;
use super::settled::Settled;
use super::spread::Spread;
use super::time::LedgerTime;
use super::user::User;
use super::view::{DeliveryView, DeviceView, OpenView, UserView};

impl User {
    pub fn view(&self) -> UserView {
        let devices = self.devices.iter().map(|device| DeviceView {
            device: device.id.clone(),
            connection: device.connection,
            visible: device.visibility == Visibility::Visible,
            connected_at: device.connected_at,
            lease_until: device.lease_until,
        });
        UserView {
            window: self.window,
            devices: devices.collect(),
            buffered_count: self.buffered_count(),
            buffered_bytes: self.buffered_bytes(),
        }
    }

    /// The deliveries of the open windows, in order of publish.
    pub fn delivery_views(&self, at: LedgerTime) -> Vec<DeliveryView> {
        self.views(at, |record| record.times.is_in_open_window(at), |_| true)
    }

    /// All that is remembered of one engagement id, in order of publish.
    pub fn engagement_views(&self, id: &EngagementId, at: LedgerTime) -> Vec<DeliveryView> {
        self.views(at, |record| record.id == *id, |content| content.is_of(id))
    }

    fn views(&self, at: LedgerTime, of_settled: impl Fn(&Settled) -> bool, of_open: impl Fn(&Content) -> bool) -> Vec<DeliveryView> {
        let settled = self.settled.iter().filter(|record| of_settled(record)).map(settled_view);
        let open = self.replay.iter().filter(|delivery| of_open(&delivery.content)).map(|delivery| open_view(delivery, at));
        // While no device has got a delivery of it, the engagement stands for itself.
        let spreads =
            self.spreads.iter().filter(|spread| !spread.has_deliveries && of_open(&spread.content)).map(|spread| spread_view(spread, at));
        let mut views: Vec<DeliveryView> = settled.chain(open).chain(spreads).collect();
        views.sort_by(|one, other| (one.sequence, &one.device).cmp(&(other.sequence, &other.device)));
        views
    }
}

fn settled_view(record: Settled) -> DeliveryView {
    DeliveryView {
        sequence: record.sequence,
        id: record.id,
        window: record.window,
        device: record.device.filter(|_| record.scope == Scope::Device),
        scope: record.scope,
        state: record.state,
        reason: record.reason,
        step: u32::from(record.step),
        steps: record.steps,
        open: None,
        settled_at: Some(record.times.settled_at),
    }
}

fn open_view(delivery: &Delivery, at: LedgerTime) -> DeliveryView {
    DeliveryView {
        sequence: delivery.sequence,
        id: delivery.id(),
        window: delivery.window,
        device: delivery.device().cloned(),
        scope: delivery.content.scope(),
        state: delivery.state,
        reason: None,
        step: u32::from(delivery.step),
        steps: delivery.content.steps(),
        open: Some(OpenView {
            targets: delivery.content.targets(),
            priority: delivery.content.priority(),
            data: delivery.data().cloned(),
            offers: delivery.offers,
            holders: delivery.holders().iter().map(|holder| holder.device.clone()).collect(),
            published_at: delivery.published_at,
            expires_at: delivery.expires_at,
            waits_until: delivery.is_waiting(at).then_some(delivery.waits_until),
        }),
        settled_at: None,
    }
}

fn spread_view(spread: &Spread, at: LedgerTime) -> DeliveryView {
    let view = open_view(&spread.clone().into_delivery(), at);
    match spread.ended {
        None => view,
        Some((state, reason)) => DeliveryView { state, reason: Some(reason), open: None, ..view },
    }
}

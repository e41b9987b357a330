//! A connection's hold on its session: made by a good hello, and given up, whatever happens, by telling that the connection is gone.

use metrics::counter;
use std::sync::Arc;

use super::admission::Admitted;
use super::line::Line;
use super::outbox::Outbox;
use super::seat::Seat;
use super::session::Heard;
use super::sessions::Sessions;
use crate::ledger::command::Departure;
use crate::ledger::ids::{DeviceId, UserId};
use crate::protocol::refusal::Refusal;
use crate::telemetry::names;

/// See the head of the file.
pub struct Attached {
    pub user: UserId,
    pub device: DeviceId,
    /// How the connection ends, if it ends now.
    pub departure: Departure,
    seat: Arc<Seat>,
    sessions: Arc<Sessions>,
}

impl Attached {
    /// Takes an admitted hello to its owner.
    #[must_use]
    pub fn attach(sessions: &Arc<Sessions>, line: &Arc<Line>, admitted: Admitted) -> Attached {
        line.renew(admitted.expires_at_ms);
        line.greeted();
        counter!(names::CONNECTIONS_OPENED_TOTAL, "kind" => line.kind.word()).increment(1);
        let (user, device) = (admitted.user.clone(), admitted.attach.device.clone());
        let outbox: Arc<dyn Outbox> = line.clone();
        let seat = sessions.open(outbox, admitted);
        Attached { user, device, departure: Departure::Lost, seat, sessions: Arc::clone(sessions) }
    }

    /// Hands on what the client said, in one frame; gives back what it is to be told at once.
    #[must_use]
    pub fn say(&self, heard: Vec<Heard>) -> Vec<Refusal> {
        self.seat.say(heard)
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.sessions.close(&self.seat, self.departure);
    }
}

//! A connection's hold on its user: made by a good hello, and given up, whatever happens, by telling the user's actor that the connection is gone.

use metrics::counter;
use std::sync::Arc;

use super::admission::Admitted;
use super::door::Door;
use super::line::Line;
use super::live::Live;
use super::outbox::Outbox;
use super::registry::{CallError, Registry};
use super::work::{Connect, ToUser};
use crate::ledger::command::Departure;
use crate::ledger::ids::{ConnectionId, DeviceId, UserId};
use crate::telemetry::names;

/// See the head of the file.
pub struct Attached {
    pub user: UserId,
    pub device: DeviceId,
    pub door: Arc<Door>,
    /// How the connection ends, if it ends now.
    pub departure: Departure,
    connection: ConnectionId,
}

impl Attached {
    /// Takes an admitted hello to the user's actor.
    ///
    /// # Errors
    /// [`CallError`]; the connection is to be closed.
    pub fn attach(registry: &Registry, line: &Arc<Line>, admitted: Admitted) -> Result<Attached, CallError> {
        let Admitted { user, attach, acks, expires_at_ms } = admitted;
        line.renew(expires_at_ms);
        let device = attach.device.clone();
        let outbox: Arc<dyn Outbox> = line.clone();
        let live = Live::new(outbox, &attach);
        let door = registry.connect(&user, Connect { live, attach, acks })?;
        line.greeted();
        counter!(names::CONNECTIONS_OPENED_TOTAL, "kind" => line.kind.word()).increment(1);
        Ok(Attached { user, device, door, departure: Departure::Lost, connection: line.id })
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.door.send(ToUser::Gone { connection: self.connection, departure: self.departure });
    }
}

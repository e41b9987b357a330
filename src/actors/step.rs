//! All that one answer of the ledger has to say, sorted by connection: the messages of each in order, put together to frames, and its end if it ends.

use metrics::counter;

use super::outbox::Ending;
use crate::ledger::ids::ConnectionId;
use crate::protocol::batch::Batch;
use crate::protocol::server_message::ServerMessage;
use crate::telemetry::names;

/// A batch is not made longer than this by another message.
const BATCH_BYTES: usize = 32 * 1024;

/// What is to be said.
#[derive(Default)]
pub struct Step {
    /// Few: one for each connection of a user that is concerned.
    pub parts: Vec<Part>,
}

/// What one connection is told.
pub struct Part {
    pub connection: ConnectionId,
    pub batches: Vec<Batch>,
    pub ending: Option<Ending>,
}

impl Step {
    /// Adds a message; nothing follows an ending.
    pub fn tell(&mut self, connection: ConnectionId, message: &ServerMessage<'_>) {
        let part = self.part(connection);
        if part.ending.is_some() {
            return;
        }
        counter!(names::MESSAGES_SENT_TOTAL, "type" => message.kind()).increment(1);
        match part.batches.last_mut() {
            Some(batch) if batch.len_bytes() < BATCH_BYTES => batch.push(message),
            _ => part.batches.push(Batch::of(message)),
        }
    }

    /// Ends a connection.
    pub fn end(&mut self, connection: ConnectionId, ending: Ending) {
        let part = self.part(connection);
        part.ending.get_or_insert(ending);
    }

    fn part(&mut self, connection: ConnectionId) -> &mut Part {
        let at = match self.parts.iter().position(|part| part.connection == connection) {
            Some(at) => at,
            None => {
                self.parts.push(Part { connection, batches: Vec::new(), ending: None });
                self.parts.len() - 1
            }
        };
        &mut self.parts[at]
    }
}

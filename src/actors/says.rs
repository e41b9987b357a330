//! All that is told to one connection in one go: messages in order, put together to frames, and its end if it ends. Makes the text; sends nothing.

use metrics::counter;

use super::outbox::Ending;
use crate::protocol::batch::Batch;
use crate::protocol::server_message::ServerMessage;
use crate::telemetry::names;

/// A batch is not made longer than this by another message.
const BATCH_BYTES: usize = 32 * 1024;

/// See the head of the file.
#[derive(Debug, Default)]
pub struct Says {
    pub batches: Vec<Batch>,
    pub ending: Option<Ending>,
    /// The client brought a token that is good until then.
    pub expires_at_ms: Option<u64>,
}

impl Says {
    /// Adds a message; nothing follows an ending.
    pub fn tell(&mut self, message: &ServerMessage<'_>) {
        if self.ending.is_some() {
            return;
        }
        counter!(names::MESSAGES_SENT_TOTAL, "type" => message.kind()).increment(1);
        match self.batches.last_mut() {
            Some(batch) if batch.len_bytes() < BATCH_BYTES => batch.push(message),
            _ => {
                // Most have one.
                self.batches.reserve_exact(1);
                self.batches.push(Batch::of(message));
            }
        }
    }

    /// Ends the connection.
    pub fn end(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
    }
}

//! The way to one client, whatever carries it. Bounded, never blocks, and can be closed from outside.

use crate::protocol::batch::Batch;
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;
use crate::protocol::server_message::{Bye, ServerMessage};

/// What a session knows of its client's connection.
pub trait Outbox: Send + Sync {
    /// Queues all messages of one step for the client, or none.
    ///
    /// # Errors
    /// [`OutboxError`]; the messages are dropped, the ledger still has them.
    fn try_send(&self, batches: Vec<Batch>) -> Result<(), OutboxError>;

    /// Queues what is not for the time before the welcome: behind the answer to the hello, if that is still to come.
    ///
    /// # Errors
    /// [`OutboxError`]; the messages are dropped.
    fn answer(&self, answers: Batch) -> Result<(), OutboxError>;

    /// Ends the connection, as [`Ending`] says. Only the first call counts.
    fn close(&self, ending: Ending);

    /// The client brought a token that is good until then (ms since the epoch, by the wall clock).
    fn renew(&self, expires_at_ms: u64);
}

/// Why messages can't be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboxError {
    /// The client doesn't read fast enough.
    #[error("the outbox is full")]
    Full,
    /// The connection is closing or gone.
    #[error("the outbox is closed")]
    Closed,
}

/// How a connection ends.
#[derive(Clone, Debug)]
pub struct Ending {
    /// The last message.
    pub last: Option<Batch>,
    /// The WebSocket close code.
    pub close: u16,
    /// The reason of the Close frame, and the word in the metrics.
    pub word: &'static str,
    /// What happens to what is queued.
    pub queued: Queued,
}

/// What happens to messages that were queued before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// They go out first.
    Sent,
    /// They are dropped: the client does not read, or is gone.
    Dropped,
}

impl Ending {
    /// With an `error`, and the close code of its code.
    #[must_use]
    pub fn refused(refusal: &Refusal) -> Ending {
        let meaning = refusal.code.meaning();
        let last = Some(Batch::of(&ServerMessage::Error(refusal)));
        Ending { last, close: meaning.close.unwrap_or(1011), word: meaning.name, queued: Queued::Sent }
    }

    /// With a `bye`.
    #[must_use]
    pub fn bye(bye: Bye) -> Ending {
        let meaning = bye.code.meaning();
        let last = Some(Batch::of(&ServerMessage::Bye(bye)));
        Ending { last, close: meaning.close.unwrap_or(1011), word: meaning.name, queued: Queued::Sent }
    }

    /// Without a word: the client broke the WebSocket protocol.
    #[must_use]
    pub fn protocol(close: u16) -> Ending {
        let word = if close == 1007 { "invalid_utf8" } else { "protocol_error" };
        Ending { last: None, close, word, queued: Queued::Sent }
    }

    /// The client doesn't read.
    #[must_use]
    pub fn slow_consumer() -> Ending {
        let refusal = Refusal::new(Code::SlowConsumer, "the client reads too slowly; hint: connect again, nothing is lost");
        Ending { queued: Queued::Dropped, ..Ending::refused(&refusal) }
    }

    /// The client is not heard any more.
    #[must_use]
    pub fn silent() -> Ending {
        Ending { last: None, close: 1011, word: "lost", queued: Queued::Dropped }
    }

    /// The shard gave no answer, or one that isn't known.
    #[must_use]
    pub fn unavailable() -> Ending {
        Ending::refused(&Refusal::new(Code::Unavailable, "the user's shard can't be reached now; hint: connect again in a second"))
    }

    /// The user's actor is gone, which must not happen.
    #[must_use]
    pub fn internal() -> Ending {
        Ending::refused(&Refusal::new(Code::Internal, "something went wrong in the server; hint: connect again"))
    }
}

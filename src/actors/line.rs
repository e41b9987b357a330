//! What a connection's writer, its user and the sweep share: the bounded queue of what goes out, and what is known of the other end. The writer (a WebSocket actor or
//! an event stream) takes; everybody else puts, from any thread, and never waits.

use bytestring::ByteString;
use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use super::handle::Handle;
use super::limits::Limits;
use super::outbox::{Ending, Outbox, OutboxError, Queued};
use crate::clock;
use crate::ledger::ids::ConnectionId;
use crate::protocol::batch::Batch;
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;

/// Batches are put together to frames of about this size.
const FRAME_BYTES: usize = 32 * 1024;
/// Heartbeats without a word from the client after which it counts as gone.
const SILENT_HEARTBEATS: u64 = 2;

/// What carries a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    WebSocket,
    Stream,
}

impl Kind {
    /// The word in the metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::WebSocket => "websocket",
            Kind::Stream => "stream",
        }
    }
}

/// One connection, as all but its writer see it. Times are ms of monotonic time, but for `expires_at_ms`.
pub struct Line {
    pub id: ConnectionId,
    pub kind: Kind,
    limits: Arc<Limits>,
    handle: Option<Arc<Handle>>,
    queue: Mutex<Queue>,
    waker: AtomicWaker,
    opened_at_ms: u64,
    heard_at_ms: AtomicU64,
    pinged_at_ms: AtomicU64,
    /// By the wall clock; the end of time when nothing is known.
    expires_at_ms: AtomicU64,
    has_greeted: AtomicBool,
    is_cut: AtomicBool,
}

#[derive(Default)]
struct Queue {
    batches: VecDeque<Batch>,
    messages_count: usize,
    bytes: usize,
    /// The hello is answered.
    is_welcomed: bool,
    /// What the connection itself has to say meanwhile: nothing goes out before the answer to the hello.
    held: Batch,
    ping_waits: bool,
    end: End,
}

#[derive(Default)]
enum End {
    #[default]
    Open,
    /// To be sent when the queue is empty.
    Closing(Box<Ending>, u64),
    /// Sent at this time.
    Sent(u64),
}

/// What a writer takes off the line.
pub enum Outgoing {
    Frame(ByteString),
    Ping,
    /// The last: end the connection in the way of its transport.
    End(Box<Ending>),
    /// Time for that is over: let go.
    Cut,
}

/// What the sweep has to do about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Ping,
    HelloTimeout,
    TokenExpired,
    Silent,
    Cut,
}

impl Line {
    /// A line that was opened now.
    #[must_use]
    pub fn new(id: ConnectionId, kind: Kind, handle: Option<Arc<Handle>>, limits: Arc<Limits>) -> Line {
        let now_ms = clock::monotonic_ms();
        Line {
            id,
            kind,
            limits,
            handle,
            queue: Mutex::default(),
            waker: AtomicWaker::new(),
            opened_at_ms: now_ms,
            heard_at_ms: AtomicU64::new(now_ms),
            pinged_at_ms: AtomicU64::new(now_ms),
            expires_at_ms: AtomicU64::new(u64::MAX),
            has_greeted: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
        }
    }

    /// The client said something.
    pub fn heard(&self) {
        self.heard_at_ms.store(clock::monotonic_ms(), Relaxed);
    }

    /// The client said a good hello.
    pub fn greeted(&self) {
        self.has_greeted.store(true, Relaxed);
    }

    /// Whether its end has been decided.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        !matches!(self.queue().end, End::Open)
    }

    /// What goes out next. One writer only.
    pub fn poll_next(&self, task: &mut Context<'_>) -> Poll<Outgoing> {
        self.waker.register(task.waker());
        if self.is_cut.load(Relaxed) {
            return Poll::Ready(Outgoing::Cut);
        }
        let mut queue = self.queue();
        if let Some(frame) = queue.take_frame() {
            return Poll::Ready(Outgoing::Frame(frame));
        }
        match std::mem::take(&mut queue.end) {
            End::Closing(ending, since_ms) => {
                queue.end = End::Sent(since_ms);
                Poll::Ready(Outgoing::End(ending))
            }
            other => {
                queue.end = other;
                if std::mem::take(&mut queue.ping_waits) { Poll::Ready(Outgoing::Ping) } else { Poll::Pending }
            }
        }
    }

    /// Lets the writer look again, once what has come is read.
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// What is due at this time, if anything.
    #[must_use]
    pub fn due(&self, now_ms: u64, wall_ms: u64) -> Option<Due> {
        let silent_ms = now_ms.saturating_sub(self.heard_at_ms.load(Relaxed));
        match self.queue().end {
            End::Closing(_, since_ms) | End::Sent(since_ms) => {
                return (now_ms.saturating_sub(since_ms) >= self.limits.close_timeout_ms).then_some(Due::Cut);
            }
            End::Open => {}
        }
        if !self.has_greeted.load(Relaxed) {
            let is_late = now_ms.saturating_sub(self.opened_at_ms) >= self.limits.hello_timeout_ms;
            return is_late.then_some(Due::HelloTimeout);
        }
        if self.expires_at_ms.load(Relaxed) <= wall_ms {
            return Some(Due::TokenExpired);
        }
        // The client of a stream has no way to answer; the kernel tells when it is gone.
        if self.kind == Kind::WebSocket && silent_ms >= SILENT_HEARTBEATS * self.limits.heartbeat_ms {
            return Some(Due::Silent);
        }
        let since_ping_ms = now_ms.saturating_sub(self.pinged_at_ms.load(Relaxed));
        (since_ping_ms >= self.limits.heartbeat_ms).then_some(Due::Ping)
    }

    /// Does what is due.
    pub fn attend(&self, due: Due, now_ms: u64) {
        match due {
            Due::Ping => {
                self.pinged_at_ms.store(now_ms, Relaxed);
                self.queue().ping_waits = true;
                self.waker.wake();
            }
            Due::HelloTimeout => self.close(Ending::refused(&Refusal::new(Code::HelloTimeout, "no hello came in time"))),
            Due::TokenExpired => {
                self.close(Ending::refused(&Refusal::new(Code::TokenExpired, "the token has expired; hint: get a new one")))
            }
            Due::Silent => self.close(Ending::silent()),
            Due::Cut => self.cut(),
        }
    }

    /// The client said that it closes too. Where that answers our farewell, nothing is left to wait for: left to itself the HTTP server would read on for a second, and a
    /// browser tells its page of the end only after it.
    pub fn closed_by_client(&self) {
        if matches!(self.queue().end, End::Sent(_)) {
            self.cut();
        }
    }

    /// Ends it at once, whatever its task does.
    pub fn cut(&self) {
        self.is_cut.store(true, Relaxed);
        if let Some(handle) = &self.handle {
            handle.shut();
        }
        self.waker.wake();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox for Line {
    fn try_send(&self, mut batches: Vec<Batch>) -> Result<(), OutboxError> {
        if batches.is_empty() {
            return Ok(());
        }
        let mut queue = self.queue();
        if !matches!(queue.end, End::Open) {
            return Err(OutboxError::Closed);
        }
        let messages_count: usize = batches.iter().map(Batch::count).sum();
        let bytes: usize = batches.iter().map(Batch::len_bytes).sum();
        let is_over =
            queue.messages_count + messages_count > self.limits.outbox_messages_max || queue.bytes + bytes > self.limits.outbox_bytes_max;
        // A step alone always fits: it is bounded by what a hello may ask for and the ledger may hold of one user. Were it refused, the client would meet the same
        // on every new connection.
        if is_over && queue.messages_count > 0 {
            return Err(OutboxError::Full);
        }
        queue.is_welcomed = true;
        let held = std::mem::take(&mut queue.held);
        batches.extend(Some(held).filter(|held| !held.is_empty()));
        batches.into_iter().for_each(|batch| queue.put(batch));
        drop(queue);
        self.waker.wake();
        Ok(())
    }

    fn answer(&self, answers: Batch) -> Result<(), OutboxError> {
        let mut queue = self.queue();
        if queue.is_welcomed || !matches!(queue.end, End::Open) {
            drop(queue);
            return self.try_send(vec![answers]);
        }
        if queue.held.count() + answers.count() > self.limits.outbox_messages_max {
            return Err(OutboxError::Full);
        }
        queue.held.append(&answers);
        Ok(())
    }

    fn close(&self, mut ending: Ending) {
        let mut queue = self.queue();
        if !matches!(queue.end, End::Open) {
            return;
        }
        if ending.queued == Queued::Dropped {
            queue.batches = VecDeque::new();
            (queue.messages_count, queue.bytes) = (0, 0);
        }
        if let Some(last) = ending.last.take() {
            queue.put(last);
        }
        queue.end = End::Closing(Box::new(ending), clock::monotonic_ms());
        drop(queue);
        self.waker.wake();
    }

    fn renew(&self, expires_at_ms: u64) {
        self.expires_at_ms.store(expires_at_ms, Relaxed);
    }
}

impl Queue {
    fn put(&mut self, mut batch: Batch) {
        batch.fit();
        self.messages_count += batch.count();
        self.bytes += batch.len_bytes();
        self.batches.push_back(batch);
    }

    /// The next batches as one frame.
    fn take_frame(&mut self) -> Option<ByteString> {
        let mut frame = self.take_batch()?;
        while self.batches.front().is_some_and(|next| frame.len_bytes() + next.len_bytes() <= FRAME_BYTES) {
            let next = self.take_batch().expect("there is a first batch");
            frame.append(&next);
        }
        if self.batches.is_empty() {
            // An idle connection keeps no memory for its queue.
            self.batches = VecDeque::new();
        }
        Some(frame.into_text())
    }

    fn take_batch(&mut self) -> Option<Batch> {
        let batch = self.batches.pop_front()?;
        self.messages_count -= batch.count();
        self.bytes -= batch.len_bytes();
        Some(batch)
    }
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;

//! What one link has to send: a bounded queue for each lane, and which fragments make the next write. Sends nothing itself.
//!
//! A write holds up to 256 KiB: what the link itself has to say, then Raft, then sessions, then snapshots, each as far as there is room. So a lane that can wait moves when the
//! earlier ones are empty; and one that got no room for eight writes puts one fragment first, so that none is starved.
//!
//! What was written lies in the kernels' buffers, megabytes of it if the other side reads slowly, and what is urgent would stand behind it. So of snapshots no more than 1 MiB is on
//! its way at a time: marks in the stream come back when the other side has handled what was before them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::config::LaneBound;
use super::frame::{FRAGMENT_MAX_BYTES, HEADER_BYTES, Header, Kind, LANES, Rest, index_of};
use crate::ports::peers::Lane;

/// About the most that one write holds; a last fragment may pass it.
pub const WRITE_BYTES: usize = 256 * 1024;
/// Writes that a lane may get no room in.
const STARVED_WRITES: u32 = 8;
/// Of snapshots, no more than this is on its way, and a fragment.
const WINDOW_BYTES: u64 = 1024 * 1024;
const MARK_EVERY_BYTES: u64 = WINDOW_BYTES / 4;
/// Pings, pongs and the like that wait.
const CONTROL_MAX: usize = 64;

/// A message on its way out.
#[derive(Clone)]
pub struct Outgoing {
    pub kind: Kind,
    pub service: u8,
    pub id: u64,
    pub body: Bytes,
}

/// A fragment of a message on its way out.
pub struct Piece {
    pub header: Header,
    pub bytes: Bytes,
}

/// The lane holds as much as it may, or the link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

struct Queue {
    waiting: VecDeque<Outgoing>,
    /// Invariant: what is left to send of all that waits, headers included.
    bytes: usize,
    /// Bytes of the first message that are sent.
    sent_bytes: usize,
    starved_writes: u32,
    bound: LaneBound,
}

/// How much of snapshots is on its way, counted from the start of the link.
#[derive(Default)]
struct Window {
    sent_bytes: u64,
    marked_bytes: u64,
    /// The other side has handled so much.
    passed_bytes: u64,
}

impl Window {
    fn is_open(&self) -> bool {
        self.sent_bytes - self.passed_bytes < WINDOW_BYTES
    }

    /// Counts a fragment; now and then, a mark has to follow it.
    fn sent(&mut self, bytes: usize) -> Option<Piece> {
        self.sent_bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        if self.sent_bytes - self.marked_bytes < MARK_EVERY_BYTES {
            return None;
        }
        self.marked_bytes = self.sent_bytes;
        Some(Piece { header: Header::bare(Kind::Mark, self.sent_bytes), bytes: Bytes::new() })
    }
}

struct State {
    window: Window,
    control: VecDeque<Header>,
    queues: [Queue; 3],
    is_closed: bool,
    /// What is said when all else has been.
    last: Option<Header>,
}

/// The queues of one link.
pub struct Lanes {
    state: Mutex<State>,
    changed: Notify,
}

impl Lanes {
    /// Bounds in the order of [`LANES`].
    #[must_use]
    pub fn new(bounds: [LaneBound; 3]) -> Lanes {
        let queues = bounds.map(|bound| Queue { waiting: VecDeque::new(), bytes: 0, sent_bytes: 0, starved_writes: 0, bound });
        Lanes {
            state: Mutex::new(State { window: Window::default(), control: VecDeque::new(), queues, is_closed: false, last: None }),
            changed: Notify::new(),
        }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// [`NoRoom`]: it was not queued.
    pub fn push(&self, lane: Lane, message: Outgoing) -> Result<(), NoRoom> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(NoRoom);
        }
        state.queues[index_of(lane)].push(message)?;
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Queues something that the link itself has to say, ahead of all lanes. Where too much of that waits, nobody reads on the other side, and it is dropped: the silence will
    /// end the link.
    pub fn push_control(&self, header: Header) {
        let mut state = self.lock();
        if state.is_closed {
            return;
        }
        if header.kind == Kind::Passed {
            // The later mark tells all that an earlier one would.
            state.control.retain(|waiting| waiting.kind != Kind::Passed);
        }
        if state.control.len() < CONTROL_MAX {
            state.control.push_back(header);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// A mark came back.
    pub fn passed(&self, mark: u64) {
        let mut state = self.lock();
        // Only what was marked can have passed, whatever the other side says.
        let window = &mut state.window;
        window.passed_bytes = window.passed_bytes.max(mark.min(window.marked_bytes));
        drop(state);
        self.changed.notify_one();
    }

    /// Takes nothing more; what is queued is still given out, and then this.
    pub fn close(&self, last: Header) {
        let mut state = self.lock();
        if !state.is_closed {
            state.is_closed = true;
            state.last = Some(last);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Takes nothing more, and drops what is queued.
    pub fn clear(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        state.last = None;
        state.control = VecDeque::new();
        for queue in &mut state.queues {
            *queue = Queue { waiting: VecDeque::new(), bytes: 0, sent_bytes: 0, starved_writes: 0, bound: queue.bound };
        }
    }

    /// Bytes that wait, for each lane.
    #[must_use]
    pub fn queued_bytes(&self) -> [usize; 3] {
        let state = self.lock();
        [state.queues[0].bytes, state.queues[1].bytes, state.queues[2].bytes]
    }

    /// Waits for something to send, and puts the fragments of the next write into `write`, which must be empty. False when there will be nothing more.
    /// For one caller at a time.
    pub async fn next_write(&self, write: &mut Vec<Piece>) -> bool {
        loop {
            let is_drained = {
                let mut state = self.lock();
                state.fill(write);
                state.is_drained()
            };
            if !write.is_empty() {
                return true;
            }
            if is_drained {
                return false;
            }
            self.changed.notified().await;
            // What else is about to be queued goes with it: the heartbeats of all groups come together.
            tokio::task::yield_now().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fill(&mut self, write: &mut Vec<Piece>) {
        write.extend(self.control.drain(..).map(|header| Piece { header, bytes: Bytes::new() }));
        let mut filling = Filling { write, room: WRITE_BYTES, window: &mut self.window };
        for (lane, queue) in LANES.into_iter().zip(&mut self.queues) {
            if queue.starved_writes >= STARVED_WRITES {
                queue.take(lane, 1, &mut filling);
            }
        }
        for (lane, queue) in LANES.into_iter().zip(&mut self.queues) {
            queue.take(lane, usize::MAX, &mut filling);
        }
        if write.is_empty() && self.queues.iter().all(|queue| queue.waiting.is_empty()) {
            write.extend(self.last.take().map(|header| Piece { header, bytes: Bytes::new() }));
        }
    }

    fn is_drained(&self) -> bool {
        self.is_closed && self.last.is_none() && self.queues.iter().all(|queue| queue.waiting.is_empty())
    }
}

/// A write that is being put together.
struct Filling<'a> {
    write: &'a mut Vec<Piece>,
    room: usize,
    window: &'a mut Window,
}

impl Filling<'_> {
    fn add(&mut self, piece: Piece) {
        self.room = self.room.saturating_sub(piece.bytes.len() + HEADER_BYTES);
        let mark = if piece.header.lane == Lane::Snapshot { self.window.sent(piece.bytes.len() + HEADER_BYTES) } else { None };
        self.write.push(piece);
        self.write.extend(mark);
    }
}

impl Queue {
    fn push(&mut self, message: Outgoing) -> Result<(), NoRoom> {
        let cost = message.body.len() + HEADER_BYTES;
        let is_full = self.waiting.len() >= self.bound.frames || self.bytes + cost > self.bound.bytes;
        if is_full && !self.waiting.is_empty() {
            return Err(NoRoom);
        }
        self.bytes += cost;
        self.waiting.push_back(message);
        Ok(())
    }

    /// Moves up to so many fragments into the write, while there is room.
    fn take(&mut self, lane: Lane, count_max: usize, filling: &mut Filling<'_>) {
        let is_waiting = !self.waiting.is_empty();
        self.starved_writes = if is_waiting && filling.room == 0 { self.starved_writes + 1 } else { 0 };
        for _ in 0..count_max {
            if filling.room == 0 || (lane == Lane::Snapshot && !filling.window.is_open()) {
                return;
            }
            let Some(piece) = self.next_piece(lane) else { return };
            filling.add(piece);
        }
    }

    fn next_piece(&mut self, lane: Lane) -> Option<Piece> {
        let first = self.waiting.front()?;
        let end = first.body.len().min(self.sent_bytes + FRAGMENT_MAX_BYTES);
        let bytes = first.body.slice(self.sent_bytes..end);
        let rest = if end < first.body.len() { Rest::Follows } else { Rest::None };
        let header = Header { kind: first.kind, lane, service: first.service, id: first.id, len_bytes: bytes.len(), rest };
        self.bytes -= bytes.len();
        self.sent_bytes = end;
        if rest == Rest::None {
            self.bytes -= HEADER_BYTES;
            self.sent_bytes = 0;
            self.waiting.pop_front();
        }
        debug_assert!(!self.waiting.is_empty() || self.bytes == 0, "the bytes of a lane don't add up");
        Some(Piece { header, bytes })
    }
}

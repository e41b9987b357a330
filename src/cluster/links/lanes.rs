//! What one link has to send: a bounded queue for each lane, and which fragments make the next write. Sends nothing itself.
//!
//! A write holds up to 256 KiB: what the link itself has to say, then Raft, then sessions, then snapshots, each as far as there is room. So a lane that can wait moves when the
//! earlier ones are empty; and one that got no room for eight writes puts one fragment first, so that none is starved.

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

struct State {
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
        Lanes { state: Mutex::new(State { control: VecDeque::new(), queues, is_closed: false, last: None }), changed: Notify::new() }
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
        if !state.is_closed && state.control.len() < CONTROL_MAX {
            state.control.push_back(header);
        }
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
            let is_closed = {
                let mut state = self.lock();
                state.fill(write);
                state.is_closed
            };
            if !write.is_empty() {
                return true;
            }
            if is_closed {
                return false;
            }
            self.changed.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fill(&mut self, write: &mut Vec<Piece>) {
        write.extend(self.control.drain(..).map(|header| Piece { header, bytes: Bytes::new() }));
        let mut room = WRITE_BYTES;
        for (lane, queue) in LANES.into_iter().zip(&mut self.queues) {
            if queue.starved_writes >= STARVED_WRITES {
                queue.take(lane, 1, &mut room, write);
            }
        }
        for (lane, queue) in LANES.into_iter().zip(&mut self.queues) {
            queue.take(lane, usize::MAX, &mut room, write);
        }
        if write.is_empty() {
            write.extend(self.last.take().map(|header| Piece { header, bytes: Bytes::new() }));
        }
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
    fn take(&mut self, lane: Lane, count_max: usize, room: &mut usize, write: &mut Vec<Piece>) {
        if self.waiting.is_empty() {
            self.starved_writes = 0;
            return;
        }
        if *room == 0 {
            self.starved_writes += 1;
            return;
        }
        self.starved_writes = 0;
        for _ in 0..count_max {
            if *room == 0 {
                return;
            }
            let Some(piece) = self.next_piece(lane) else { return };
            *room = room.saturating_sub(piece.bytes.len() + HEADER_BYTES);
            write.push(piece);
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    const BOUND: LaneBound = LaneBound { bytes: 4 * 1024 * 1024, frames: 100 };

    fn message(id: u64, len_bytes: usize) -> Outgoing {
        Outgoing { kind: Kind::Tell, service: 1, id, body: Bytes::from(vec![7; len_bytes]) }
    }

    fn next(lanes: &Lanes) -> Vec<Piece> {
        let mut write = Vec::new();
        assert!(lanes.next_write(&mut write).now_or_never().expect("something waits"));
        write
    }

    #[test]
    fn a_lane_is_bounded_in_bytes_and_in_frames() {
        let lanes = Lanes::new([BOUND; 3]);
        let mut taken = 0;
        while lanes.push(Lane::Raft, message(taken, 1)).is_ok() {
            taken += 1;
        }
        assert_eq!(taken, 100);
        assert_eq!(lanes.push(Lane::Session, message(0, 3 * 1024 * 1024)), Ok(()), "another lane has room of its own");
        assert_eq!(lanes.push(Lane::Session, message(1, 2 * 1024 * 1024)), Err(NoRoom));
        assert_eq!(lanes.push(Lane::Snapshot, message(0, 5 * 1024 * 1024)), Ok(()), "an empty lane takes any frame");
        assert_eq!(lanes.push(Lane::Snapshot, message(1, 1)), Err(NoRoom));
    }

    #[test]
    fn urgent_lanes_go_first_and_a_write_is_bounded() {
        let lanes = Lanes::new([BOUND; 3]);
        lanes.push(Lane::Snapshot, message(1, 2 * 1024 * 1024)).unwrap();
        let first = next(&lanes);
        assert!(first.len() <= WRITE_BYTES / FRAGMENT_MAX_BYTES + 1, "{}", first.len());
        lanes.push(Lane::Session, message(2, 10)).unwrap();
        lanes.push(Lane::Raft, message(3, 10)).unwrap();
        lanes.push_control(Header::bare(Kind::Ping, 4));
        let ids: Vec<u64> = next(&lanes).iter().map(|piece| piece.header.id).take(4).collect();
        assert_eq!(ids, [4, 3, 2, 1]);
    }

    #[test]
    fn a_lane_that_gets_no_room_is_served_all_the_same() {
        let lanes = Lanes::new([BOUND; 3]);
        lanes.push(Lane::Snapshot, message(1, 1024 * 1024)).unwrap();
        lanes.push(Lane::Session, message(2, 1024 * 1024)).unwrap();
        let mut served = [0_u32; 3];
        for _ in 0..40 {
            while lanes.push(Lane::Raft, message(3, FRAGMENT_MAX_BYTES)).is_ok() {}
            for piece in next(&lanes) {
                served[index_of(piece.header.lane)] += 1;
            }
        }
        assert!(served[0] > 100 && served[1] >= 4 && served[2] >= 4, "{served:?}");
    }

    #[test]
    fn the_fragments_of_a_message_make_the_message() {
        let lanes = Lanes::new([BOUND; 3]);
        let body: Vec<u8> = (0..1_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        lanes.push(Lane::Raft, Outgoing { kind: Kind::Ask, service: 1, id: 9, body: Bytes::from(body.clone()) }).unwrap();
        lanes.close(Header::bare(Kind::Goodbye, 0));
        let mut got = Vec::new();
        let mut last = None;
        let mut write = Vec::new();
        while lanes.next_write(&mut write).now_or_never().expect("closed lanes don't wait") {
            for piece in write.drain(..) {
                got.extend_from_slice(&piece.bytes);
                assert_eq!(piece.header.rest == Rest::None, got.len() == body.len());
                last = Some(piece.header.kind);
            }
        }
        assert_eq!(last, Some(Kind::Goodbye));
        assert!(got == body);
        assert_eq!(lanes.queued_bytes(), [0; 3]);
    }
}

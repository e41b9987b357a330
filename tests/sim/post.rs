//! The mail of a run: what is under way between hosts, and when it is due. Everything that one host tells another goes through here, so that its order is the seed's.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use bytes::Bytes;
use engage::clock;
use engage::ports::network::LinkUp;
use engage::ports::peers::{NodeId, Service};
use xxhash_rust::xxh3::Xxh3;

use crate::outside::{Answer, Heard, Request};

thread_local! {
    /// When the tick that runs now began: by the world's time, and by that of the host's runtime.
    static TICK: Cell<(u64, Option<Instant>)> = const { Cell::new((0, None)) };
}

/// A tick of the world begins on a host; to be called inside its runtime.
pub fn begin_tick(at_us: u64) {
    TICK.set((at_us, Some(clock::monotonic())));
}

/// No host runs; it is that late.
pub fn set_now(at_us: u64) {
    TICK.set((at_us, None));
}

/// The world's time, microseconds since the run began. Inside a tick it goes on with the host's.
pub fn now_us() -> u64 {
    let (at_us, began) = TICK.get();
    let passed_us = began.map_or(0, |began| clock::monotonic().saturating_duration_since(began).as_micros());
    at_us + u64::try_from(passed_us).unwrap_or(0)
}

/// One run of the node in a place; or none: the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub place: usize,
    pub run: u64,
}

/// Where clients, publishers and operators are.
pub const OUTSIDE: Address = Address { place: usize::MAX, run: 0 };

/// A connection of a client.
pub type WireId = u64;

/// What one host tells another.
pub enum Letter {
    /// Over the link of that number; lost with it.
    Peer {
        link: u64,
        from: NodeId,
        words: Words,
    },
    LinkUp(LinkUp),
    LinkDown {
        node: NodeId,
        link: u64,
    },
    /// A member says that this node was removed.
    Removed,
    GuestAsks {
        from: Address,
        id: u64,
        body: Bytes,
    },
    GuestAnswer {
        id: u64,
        body: Bytes,
    },
    Call {
        id: u64,
        request: Request,
    },
    Answer {
        id: u64,
        answer: Option<Answer>,
    },
    Open {
        wire: WireId,
    },
    Opened {
        wire: WireId,
        is_open: bool,
    },
    Say {
        wire: WireId,
        text: String,
    },
    Hear {
        wire: WireId,
        heard: Heard,
    },
    /// The client is gone, with a Close frame or without.
    Hang {
        wire: WireId,
        is_closed: bool,
    },
    /// The node is to stop, in order.
    Stop,
}

/// What goes over a link.
pub enum Words {
    Tell { service: Service, body: Bytes },
    Ask { service: Service, id: u64, body: Bytes },
    Answer { id: u64, body: Bytes },
}

impl Letter {
    /// What tells it from others in the trace.
    fn mark(&self, hash: &mut Xxh3) {
        let mut mark = |kind: u64, number: u64, body: &[u8]| {
            hash.update(&kind.to_le_bytes());
            hash.update(&number.to_le_bytes());
            hash.update(body);
        };
        match self {
            Letter::Peer { link, words: Words::Tell { body, .. }, .. } => mark(1, *link, body),
            Letter::Peer { link, words: Words::Ask { body, .. }, .. } => mark(2, *link, body),
            Letter::Peer { link, words: Words::Answer { body, .. }, .. } => mark(3, *link, body),
            Letter::LinkUp(up) => mark(4, up.link, &[]),
            Letter::LinkDown { link, .. } => mark(5, *link, &[]),
            Letter::Removed => mark(6, 0, &[]),
            Letter::GuestAsks { id, body, .. } => mark(7, *id, body),
            Letter::GuestAnswer { id, body } => mark(8, *id, body),
            Letter::Call { id, request } => mark(9, *id, request.path.as_bytes()),
            Letter::Answer { id, answer } => mark(10, *id, answer.as_ref().map_or(&[][..], |answer| &answer.body)),
            Letter::Open { wire } => mark(11, *wire, &[]),
            Letter::Opened { wire, .. } => mark(12, *wire, &[]),
            Letter::Say { wire, text } => mark(13, *wire, text.as_bytes()),
            Letter::Hear { wire, heard: Heard::Text(text) } => mark(14, *wire, text.as_bytes()),
            Letter::Hear { wire, .. } => mark(15, *wire, &[]),
            Letter::Hang { wire, .. } => mark(16, *wire, &[]),
            Letter::Stop => mark(17, 0, &[]),
        }
    }
}

struct Posted {
    due_us: u64,
    number: u64,
    to: Address,
    letter: Letter,
}

impl PartialEq for Posted {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Posted {}

impl PartialOrd for Posted {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Posted {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due_us, self.number).cmp(&(other.due_us, other.number))
    }
}

/// What is under way.
#[derive(Default)]
pub struct Post {
    under_way: BinaryHeap<Reverse<Posted>>,
    next_number: u64,
    trace: Xxh3,
    delivered_count: u64,
}

impl Post {
    /// To arrive at that time.
    pub fn send(&mut self, to: Address, due_us: u64, letter: Letter) {
        self.next_number += 1;
        self.under_way.push(Reverse(Posted { due_us, number: self.next_number, to, letter }));
    }

    /// The next letter that is due by then.
    pub fn next_due(&mut self, by_us: u64) -> Option<(Address, Letter)> {
        self.under_way.peek().filter(|Reverse(next)| next.due_us <= by_us)?;
        let Reverse(posted) = self.under_way.pop()?;
        self.delivered_count += 1;
        self.trace.update(&posted.due_us.to_le_bytes());
        self.trace.update(&posted.to.place.to_le_bytes());
        posted.letter.mark(&mut self.trace);
        Some((posted.to, posted.letter))
    }

    /// The hash of all that was delivered, when, and in which order; and how much it was.
    pub fn trace(&self) -> (u64, u64) {
        (self.trace.digest(), self.delivered_count)
    }
}

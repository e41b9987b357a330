//! The mail of a run: what is under way between hosts, and when it is due. Everything that one host tells another goes through here, so that its order is the seed's.

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use bytes::Bytes;
use engage::clock;
use engage::ports::network::LinkUp;
use engage::ports::peers::{NodeId, Service};

use crate::outside::{Answer, Heard, Request};
use crate::trace;

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
    /// What it is in the trace.
    fn trace(&self, to: Address) {
        let mark = |kind: &str, body: &[u8]| trace::note(kind, body);
        let count = |kind: &str, number: u64| trace::note(kind, format!("{number} to {}", to.place).as_bytes());
        match self {
            Letter::Peer { words: Words::Tell { body, .. }, .. } => mark("tell", body),
            Letter::Peer { words: Words::Ask { body, .. }, .. } => mark("ask", body),
            Letter::Peer { words: Words::Answer { body, .. }, .. } => mark("answer", body),
            Letter::LinkUp(up) => count("link_up", up.link),
            Letter::LinkDown { link, .. } => count("link_down", *link),
            Letter::Removed => count("removed", 0),
            Letter::GuestAsks { body, .. } => mark("guest_asks", body),
            Letter::GuestAnswer { body, .. } => mark("guest_answer", body),
            Letter::Call { request, .. } => mark("call", request.path.as_bytes()),
            Letter::Answer { answer, .. } => mark("answered", answer.as_ref().map_or(&[][..], |answer| &answer.body)),
            Letter::Open { wire } => count("open", *wire),
            Letter::Opened { wire, .. } => count("opened", *wire),
            Letter::Say { text, .. } => mark("say", text.as_bytes()),
            Letter::Hear { heard: Heard::Text(text), .. } => mark("hear", text.as_bytes()),
            Letter::Hear { wire, .. } => count("ended", *wire),
            Letter::Hang { wire, .. } => count("hang", *wire),
            Letter::Stop => count("stop", 0),
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
        trace::enter(posted.due_us, "mail");
        posted.letter.trace(posted.to);
        Some((posted.to, posted.letter))
    }
}

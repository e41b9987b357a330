//! All connections of this node: counted, capped, and watched from outside by one sweep. It ends what is late, silent, expired or stuck, and drains the node.

use dashmap::DashMap;
use metrics::{counter, gauge};
use rand::RngExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use super::handle::Handle;
use super::limits::Limits;
use super::line::{Due, Kind, Line, Outgoing};
use super::outbox::{Ending, Outbox};
use super::wire::Violation;
use crate::clock;
use crate::dice::dice;
use crate::ledger::ids::{ConnectionId, EdgeId};
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;
use crate::protocol::server_message::Bye;
use crate::telemetry::names;

/// How often the sweep looks; no timeout is kept more exactly than that.
const SWEEP_EVERY: Duration = Duration::from_millis(200);
/// How often a drain looks whether all are gone.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The node holds as many as it may.
    #[error("this node holds all the connections that it may; hint: raise limits.connections, or add a node")]
    Full,
    /// The node is going away.
    #[error("this node is going away; hint: connect again, to another one")]
    Draining,
}

/// The table of connections.
pub struct Connections {
    edge: EdgeId,
    limits: Arc<Limits>,
    lines: DashMap<ConnectionId, Arc<Line>>,
    next_number: AtomicU64,
    open_count: AtomicUsize,
    is_draining: AtomicBool,
}

/// A place in the table, given back when it is dropped.
pub struct OpenLine {
    pub line: Arc<Line>,
    connections: Arc<Connections>,
    /// How it ended, for the metrics.
    pub ended: &'static str,
}

impl Drop for OpenLine {
    fn drop(&mut self) {
        self.connections.lines.remove(&self.line.id);
        self.connections.open_count.fetch_sub(1, Relaxed);
        gauge!(names::CONNECTIONS, "kind" => self.line.kind.word()).decrement(1.0);
        counter!(names::CONNECTIONS_CLOSED_TOTAL, "code" => self.ended).increment(1);
    }
}

/// Who ended a connection first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The client did: its Close is to be echoed.
    Client,
    /// This side did: the Close is the echo.
    Server,
}

impl OpenLine {
    /// Something came that ends the connection.
    pub fn bad(&self, violation: Violation, message_max_bytes: usize) {
        self.line.heard();
        if self.line.is_closing() {
            return;
        }
        let refusal = match violation {
            Violation::Protocol => return self.line.close(Ending::protocol(1002)),
            Violation::Utf8 => return self.line.close(Ending::protocol(1007)),
            Violation::TooLarge => Refusal::new(Code::TooLarge, format!("a message has at most {message_max_bytes} bytes")),
            Violation::Binary => Refusal::new(Code::BadMessage, "there are no binary messages"),
        };
        self.line.close(Ending::refused(&refusal));
    }

    /// A Close frame came.
    pub fn closed_by_client(&mut self) -> Closing {
        self.line.heard();
        if self.line.is_closing() {
            self.line.closed_by_client();
            return Closing::Server;
        }
        self.ended = "client";
        Closing::Client
    }

    /// What goes out next.
    pub fn poll_next(&mut self, task: &mut Context<'_>) -> Poll<Outgoing> {
        let next = self.line.poll_next(task);
        if let Poll::Ready(Outgoing::End(ending)) = &next {
            self.ended = ending.word;
        }
        next
    }
}

impl Connections {
    /// An empty table for one run of this node.
    #[must_use]
    pub fn new(edge: EdgeId, limits: Arc<Limits>) -> Arc<Connections> {
        Arc::new(Connections {
            edge,
            limits,
            lines: DashMap::new(),
            next_number: AtomicU64::new(1),
            open_count: AtomicUsize::new(0),
            is_draining: AtomicBool::new(false),
        })
    }

    /// Takes a new connection in.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub fn open(self: &Arc<Self>, kind: Kind, handle: Option<Arc<Handle>>) -> Result<OpenLine, NoRoom> {
        if self.is_draining.load(Relaxed) {
            return Err(NoRoom::Draining);
        }
        if self.open_count.fetch_add(1, Relaxed) >= self.limits.connections_max {
            self.open_count.fetch_sub(1, Relaxed);
            counter!(names::LIMITED_TOTAL, "limit" => "connections").increment(1);
            return Err(NoRoom::Full);
        }
        let id = ConnectionId { edge: self.edge, number: self.next_number.fetch_add(1, Relaxed) };
        let line = Arc::new(Line::new(id, kind, handle, Arc::clone(&self.limits)));
        self.lines.insert(id, Arc::clone(&line));
        gauge!(names::CONNECTIONS, "kind" => kind.word()).increment(1.0);
        Ok(OpenLine { line, connections: Arc::clone(self), ended: "lost" })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open_count.load(Relaxed)
    }

    /// Looks at every connection once.
    pub fn sweep_once(&self) {
        let (now_ms, wall_ms) = (clock::monotonic_ms(), clock::wall_ms());
        let due_of = |line: &Arc<Line>| line.due(now_ms, wall_ms).map(|due| (Arc::clone(line), due));
        // Done outside of the map: to wake a connection may end it, which takes it out of the map.
        let due: Vec<(Arc<Line>, Due)> = self.lines.iter().filter_map(|line| due_of(&line)).collect();
        // In a drain all are closing at once, and who waits for its turn is not stuck: the drain has a time-out of its own.
        let is_draining = self.is_draining.load(Relaxed);
        for (line, due) in due {
            if !(is_draining && due == Due::Cut) {
                line.attend(due, now_ms);
            }
        }
    }

    /// Sweeps until the table is dropped. One task per node, on any runtime with timers, away from the connections.
    pub async fn sweep(connections: Weak<Connections>) {
        let mut ticks = tokio::time::interval(SWEEP_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match connections.upgrade() {
                Some(connections) => connections.sweep_once(),
                None => return,
            }
        }
    }

    /// Says goodbye to everybody, asking each to come back (elsewhere) at a time of its own within `spread`; takes nobody new from now on. Done when all are gone;
    /// who is not gone after `timeout` is cut. Returns how many were cut.
    pub async fn drain(&self, spread: Duration, timeout: Duration) -> usize {
        self.is_draining.store(true, Relaxed);
        let deadline = clock::monotonic() + timeout;
        let spread_ms = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX);
        while self.count() > 0 && clock::monotonic() < deadline {
            // Each time, for those who were on their way in when the flag was set.
            self.each(|line| {
                if !line.is_closing() {
                    let after_ms = dice().random_range(0..=spread_ms);
                    line.close(Ending::bye(Bye { code: Code::Draining, reason: "the node is going away", after_ms }));
                }
            });
            tokio::time::sleep(DRAIN_POLL).await;
        }
        let mut cut_count = 0;
        self.each(|line| {
            line.cut();
            cut_count += 1;
        });
        cut_count
    }

    /// Goes through a copy, so that no part of the table is locked meanwhile.
    fn each(&self, mut act: impl FnMut(&Line)) {
        let lines: Vec<Arc<Line>> = self.lines.iter().map(|line| Arc::clone(&line)).collect();
        for line in lines {
            act(&line);
        }
    }
}

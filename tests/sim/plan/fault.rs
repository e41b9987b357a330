//! The faults there are. What each means is written here; that it is done is the world's part.

use std::fmt;

use serde::Serialize;

/// Where a node stands, not which one it is: `0..nodes` at the start, and each `Join` opens the next place. Who comes back on an empty disk (after a `Wipe`, or a crash
/// of a node with storage `memory`) is a new node in the same place. A place whose node was removed stays empty.
pub type Place = usize;

/// A fault, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timed {
    pub at_ms: u64,
    pub fault: Fault,
}

impl Timed {
    /// When it has ended. A fault without a length ends as it begins.
    #[must_use]
    pub fn ends_ms(&self) -> u64 {
        self.at_ms + self.fault.length_ms()
    }
}

/// Which of the links of a node are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// It hears nobody, but is heard.
    In,
    /// Nobody hears it, but it hears.
    Out,
    Both,
}

/// What is done. Lengths are in virtual ms; every fault ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// The node dies at once and is started again after `down_ms`. What was written but not synced is there again if `keeps_unsynced` (the process died), or is lost
    /// (the power failed).
    Crash { node: Place, down_ms: u64, keeps_unsynced: bool },
    /// All nodes at once.
    CrashAll { down_ms: u64, keeps_unsynced: bool },
    /// The node stands still, and its clocks leap when it goes on.
    Pause { node: Place, ms: u64 },
    /// What `from` says doesn't reach `to`; the other way is open.
    Cut { from: Place, to: Place, ms: u64 },
    /// Neither hears the other; both hear all others.
    CutBoth { a: Place, b: Place, ms: u64 },
    /// The nodes of `side` and all others don't hear each other.
    Split { side: Vec<Place>, ms: u64 },
    /// All hear the bridge, and nobody hears anybody else.
    Partial { bridge: Place, ms: u64 },
    /// A node is cut off from all others.
    Isolate { node: Place, ms: u64, way: Way },
    /// What goes from and to a node takes that much longer, between nothing and twice as much.
    Delay { node: Place, ms: u64, delay_ms: u64 },
    /// Links of a node break ever again, and with them is lost what was under way: of 1,000 messages, so many break theirs.
    Loss { node: Place, ms: u64, per_mille: u32 },
    /// The link between two nodes breaks once, and what was under way is lost.
    BreakLink { a: Place, b: Place },
    /// All clients of a node lose their connections, without a Close frame.
    DropClients { node: Place },
    /// A sync takes that long.
    SlowDisk { node: Place, ms: u64, sync_ms: u64 },
    /// The wall clock of a node jumps, and stays there. Monotonic time goes on.
    ClockJump { node: Place, by_ms: i64 },
    /// A new node joins, in the next place.
    Join,
    /// The node is asked to give its leaders and connections away; after `ms` it is stopped and started again, which ends the drain.
    Drain { node: Place, ms: u64 },
    /// The node is taken out for good, by the API's call; its place stays empty.
    Remove { node: Place },
    /// The node dies and its disk is gone. After `down_ms` a new node joins in its place, and the old one is removed.
    Wipe { node: Place, down_ms: u64 },
    /// One node after the other is told to stop, and started again after `down_ms`; the next one when the last is ready again, or after `each_ms`.
    Rolling { down_ms: u64, each_ms: u64, nodes: usize },
}

/// The kinds, for the counts and for the arguments `--only` and `--without`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Kind {
    Crash,
    CrashAll,
    Pause,
    Cut,
    CutBoth,
    Split,
    Partial,
    Isolate,
    Delay,
    Loss,
    BreakLink,
    DropClients,
    SlowDisk,
    ClockJump,
    Join,
    Drain,
    Remove,
    Wipe,
    Rolling,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 19] = [
        Kind::Crash,
        Kind::CrashAll,
        Kind::Pause,
        Kind::Cut,
        Kind::CutBoth,
        Kind::Split,
        Kind::Partial,
        Kind::Isolate,
        Kind::Delay,
        Kind::Loss,
        Kind::BreakLink,
        Kind::DropClients,
        Kind::SlowDisk,
        Kind::ClockJump,
        Kind::Join,
        Kind::Drain,
        Kind::Remove,
        Kind::Wipe,
        Kind::Rolling,
    ];

    /// The name under which it is counted.
    #[must_use]
    pub fn counter(self) -> &'static str {
        match self {
            Kind::Crash => "fault_crash",
            Kind::CrashAll => "fault_crash_all",
            Kind::Pause => "fault_pause",
            Kind::Cut => "fault_cut",
            Kind::CutBoth => "fault_cut_both",
            Kind::Split => "fault_split",
            Kind::Partial => "fault_partial",
            Kind::Isolate => "fault_isolate",
            Kind::Delay => "fault_delay",
            Kind::Loss => "fault_loss",
            Kind::BreakLink => "fault_break_link",
            Kind::DropClients => "fault_drop_clients",
            Kind::SlowDisk => "fault_slow_disk",
            Kind::ClockJump => "fault_clock_jump",
            Kind::Join => "fault_join",
            Kind::Drain => "fault_drain",
            Kind::Remove => "fault_remove",
            Kind::Wipe => "fault_wipe",
            Kind::Rolling => "fault_rolling",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.counter().trim_start_matches("fault_"))
    }
}

impl Fault {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Fault::Crash { .. } => Kind::Crash,
            Fault::CrashAll { .. } => Kind::CrashAll,
            Fault::Pause { .. } => Kind::Pause,
            Fault::Cut { .. } => Kind::Cut,
            Fault::CutBoth { .. } => Kind::CutBoth,
            Fault::Split { .. } => Kind::Split,
            Fault::Partial { .. } => Kind::Partial,
            Fault::Isolate { .. } => Kind::Isolate,
            Fault::Delay { .. } => Kind::Delay,
            Fault::Loss { .. } => Kind::Loss,
            Fault::BreakLink { .. } => Kind::BreakLink,
            Fault::DropClients { .. } => Kind::DropClients,
            Fault::SlowDisk { .. } => Kind::SlowDisk,
            Fault::ClockJump { .. } => Kind::ClockJump,
            Fault::Join => Kind::Join,
            Fault::Drain { .. } => Kind::Drain,
            Fault::Remove { .. } => Kind::Remove,
            Fault::Wipe { .. } => Kind::Wipe,
            Fault::Rolling { .. } => Kind::Rolling,
        }
    }

    /// How long it lasts.
    #[must_use]
    pub fn length_ms(&self) -> u64 {
        match self {
            Fault::Crash { down_ms, .. } | Fault::CrashAll { down_ms, .. } | Fault::Wipe { down_ms, .. } => *down_ms,
            Fault::Pause { ms, .. }
            | Fault::Cut { ms, .. }
            | Fault::CutBoth { ms, .. }
            | Fault::Split { ms, .. }
            | Fault::Partial { ms, .. }
            | Fault::Isolate { ms, .. }
            | Fault::Delay { ms, .. }
            | Fault::Loss { ms, .. }
            | Fault::SlowDisk { ms, .. }
            | Fault::Drain { ms, .. } => *ms,
            Fault::Rolling { each_ms, nodes, .. } => each_ms * *nodes as u64,
            Fault::BreakLink { .. } | Fault::DropClients { .. } | Fault::ClockJump { .. } | Fault::Join | Fault::Remove { .. } => 0,
        }
    }

    /// The places that it names.
    #[must_use]
    pub fn places(&self) -> Vec<Place> {
        match self {
            Fault::Crash { node, .. }
            | Fault::Pause { node, .. }
            | Fault::Isolate { node, .. }
            | Fault::Delay { node, .. }
            | Fault::Loss { node, .. }
            | Fault::DropClients { node }
            | Fault::SlowDisk { node, .. }
            | Fault::ClockJump { node, .. }
            | Fault::Drain { node, .. }
            | Fault::Remove { node }
            | Fault::Wipe { node, .. } => vec![*node],
            Fault::Cut { from, to, .. } => vec![*from, *to],
            Fault::CutBoth { a, b, .. } | Fault::BreakLink { a, b } => vec![*a, *b],
            Fault::Split { side, .. } => side.clone(),
            Fault::Partial { bridge, .. } => vec![*bridge],
            Fault::CrashAll { .. } | Fault::Join | Fault::Rolling { .. } => Vec::new(),
        }
    }
}

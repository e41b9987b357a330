//! The blows that a storm can deal, by name. What each does stands in `storm.rs`.

use engage::history::record::Fault;

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blow {
    /// A node is killed, and started again on its disk.
    Kill,
    /// All nodes are killed at once.
    KillAll,
    /// A node stands still.
    Pause,
    /// A node stands still again and again, for moments.
    Stutter,
    /// A node is cut off from the others, both ways.
    Cut,
    /// A node hears none of the others.
    CutIn,
    /// A node is heard by none of the others.
    CutOut,
    /// Two nodes are cut apart, and the others see both.
    PartialCut,
    /// A node and its clients are cut apart.
    CutClients,
    /// Packets from and to a node are lost.
    Loss,
    /// A node's line is narrow, so that all that it sends waits.
    Narrow,
    /// A node is killed and its disk is wiped; it comes back by joining, as a new one.
    Wipe,
    /// A node's wall clock jumps, or runs too fast.
    ClockJump,
    /// A node's disk is slow.
    SlowDisk,
    /// A node's disk is broken: no sync succeeds. It ends, and is started again when the disk is good.
    BrokenDisk,
}

impl Blow {
    /// Its name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Blow::Kill => "kill",
            Blow::KillAll => "kill-all",
            Blow::Pause => "pause",
            Blow::Stutter => "stutter",
            Blow::Cut => "cut",
            Blow::CutIn => "cut-in",
            Blow::CutOut => "cut-out",
            Blow::PartialCut => "partial-cut",
            Blow::CutClients => "cut-clients",
            Blow::Loss => "loss",
            Blow::Narrow => "narrow",
            Blow::Wipe => "wipe",
            Blow::ClockJump => "clock-jump",
            Blow::SlowDisk => "slow-disk",
            Blow::BrokenDisk => "broken-disk",
        }
    }

    /// What the history calls it, and how that ends there: what excuses a client's trouble. A wrong clock excuses nothing.
    pub fn in_history(self) -> &'static [(Fault, Option<Fault>)] {
        match self {
            Blow::Kill | Blow::KillAll | Blow::BrokenDisk => &[(Fault::Kill, Some(Fault::Start))],
            Blow::Wipe => &[(Fault::Wipe, Some(Fault::Start))],
            Blow::Pause => &[(Fault::Pause, Some(Fault::Resume))],
            // Whoever waits for it waits longer, too.
            Blow::Stutter => &[(Fault::Pause, Some(Fault::Resume)), (Fault::Delay, Some(Fault::Heal))],
            Blow::Cut | Blow::CutClients => &[(Fault::Cut, Some(Fault::Heal))],
            Blow::CutIn | Blow::CutOut => &[(Fault::CutOneWay, Some(Fault::Heal))],
            Blow::PartialCut => &[(Fault::PartialCut, Some(Fault::Heal))],
            Blow::Loss => &[(Fault::Loss, Some(Fault::Heal))],
            Blow::Narrow => &[(Fault::Delay, Some(Fault::Heal))],
            Blow::SlowDisk => &[(Fault::SlowDisk, Some(Fault::Heal))],
            Blow::ClockJump => &[(Fault::ClockJump, None)],
        }
    }

    /// It needs a network of our own.
    pub fn needs_ground(self) -> bool {
        use Blow::{Cut, CutClients, CutIn, CutOut, Loss, Narrow, PartialCut};
        matches!(self, Cut | CutIn | CutOut | PartialCut | CutClients | Loss | Narrow)
    }

    /// It needs disks of our own.
    pub fn needs_disks(self) -> bool {
        matches!(self, Blow::SlowDisk | Blow::BrokenDisk)
    }

    /// No node is left as it was: nothing else can happen meanwhile.
    pub fn is_alone(self) -> bool {
        self == Blow::KillAll
    }
}

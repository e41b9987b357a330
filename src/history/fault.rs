//! What was done to the nodes while a history was made: the only thing that the checker knows of them.

use serde::{Deserialize, Serialize};

/// What was done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is ended at once.
    Kill,
    /// It is stopped in its tracks.
    Pause,
    /// It goes on after a pause.
    Resume,
    /// It is told to stop.
    Stop,
    /// It was started again, or has joined, and is ready.
    Start,
    /// It is told to give its leaders and connections away.
    Drain,
    /// It is cut off from some or all of the others.
    Cut,
    /// It is cut off from the others in one direction.
    CutOneWay,
    /// It is cut off from some of the others, which reach each other.
    PartialCut,
    /// The last cut, delay, loss or slow disk is over.
    Heal,
    /// So many nodes are about to be lost that no majority is left. Named for the cluster as a whole.
    NoMajority,
    /// There is a majority again.
    Majority,
    /// Its wall clock jumps. That changes nothing for anybody (G6): it excuses nothing.
    ClockJump,
    /// It is ended at once and loses its disk.
    Wipe,
    /// It is new and joins the cluster.
    Join,
    /// It is taken out of the cluster for good.
    Remove,
    /// Its links are slow.
    Delay,
    /// Its links lose messages or connections.
    Loss,
    /// Its disk is slow.
    SlowDisk,
    /// The lines to its clients break, all at once; that has no end.
    DropClients,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 20] = [
        Fault::Kill,
        Fault::Pause,
        Fault::Resume,
        Fault::Stop,
        Fault::Start,
        Fault::Drain,
        Fault::Cut,
        Fault::CutOneWay,
        Fault::PartialCut,
        Fault::Heal,
        Fault::NoMajority,
        Fault::Majority,
        Fault::ClockJump,
        Fault::Wipe,
        Fault::Join,
        Fault::Remove,
        Fault::Delay,
        Fault::Loss,
        Fault::SlowDisk,
        Fault::DropClients,
    ];

    /// What else it ends, where it is the end of others.
    #[must_use]
    pub fn ends(self) -> &'static [Fault] {
        match self {
            Fault::Resume => &[Fault::Pause],
            Fault::Start => &[Fault::Kill, Fault::Wipe, Fault::Pause, Fault::Stop, Fault::Drain, Fault::Join, Fault::Remove],
            Fault::Heal => &[Fault::Cut, Fault::CutOneWay, Fault::PartialCut, Fault::Delay, Fault::Loss, Fault::SlowDisk],
            Fault::Majority => &[Fault::NoMajority],
            _ => &[],
        }
    }

    /// Its node can't speak for its clients, nor with the owners of its users.
    #[must_use]
    pub fn silences(self) -> bool {
        matches!(self, Fault::Kill | Fault::Wipe | Fault::Pause | Fault::Cut | Fault::CutOneWay | Fault::PartialCut)
    }

    /// Its node sends its clients away.
    #[must_use]
    pub fn sends_away(self) -> bool {
        matches!(self, Fault::Stop | Fault::Drain | Fault::Remove)
    }

    /// It makes everything slow that its node takes part in, whichever node a client is at.
    #[must_use]
    pub fn slows(self) -> bool {
        matches!(self, Fault::Delay | Fault::Loss | Fault::SlowDisk)
    }

    /// It is over when it has happened.
    #[must_use]
    pub fn is_momentary(self) -> bool {
        matches!(self, Fault::DropClients)
    }

    /// It disturbs no client.
    #[must_use]
    pub fn is_harmless(self) -> bool {
        matches!(self, Fault::ClockJump)
    }
}

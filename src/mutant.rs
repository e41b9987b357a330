//! Deliberate bugs, to try the tests with: each breaks a promise, and a test must notice (docs/mutants.md says which). They exist only in a build with the feature
//! `mutants`, and of such a build at most one is at work, chosen by the environment when it is first asked for. Must not be asked for by anything but [`mutant!`].

/// Whether this deliberate bug is at work: `false` at compile time, but in a build for the mutants.
macro_rules! mutant {
    ($name:ident) => {
        cfg!(feature = "mutants") && $crate::mutant::is_at_work($crate::mutant::Mutant::$name)
    };
}

/// Makes the list of mutants, so that names and values can't differ.
macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A deliberate bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $($(#[$doc])* $name,)*
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Mutant] = &[$(Mutant::$name,)*];
        }
    };
}

mutants! {
    /// A full replay buffer takes one more.
    BufferOneTooMany,
    /// An ack of a lower step takes a delivery back.
    StepFalls,
    /// What was settled may come again a moment before its carry is over.
    CarryEndsEarly,
    /// A delivery moves, and its old holder is not told.
    MovedWithoutWithdraw,
    /// A delivery moves on although the word to its old holder may be lost.
    WithdrawNotAwaited,
    /// A new owner gives the devices no time to report in.
    LeaseSkippedAtTakeover,
    /// A connection that broke frees at once what its device holds.
    LostCountsAsClosed,
    /// The acks of a hello are taken after the offers.
    OffersBeforeAcks,
    /// A connection that is reported again is offered once more what it holds.
    HeldIsOfferedAgain,
    /// A second publish of a key replaces the first.
    LastPublishWins,
    /// A settling outcome is reported twice.
    OutcomeTwice,
    /// A delivery that expires is not reported.
    ExpiryNotReported,
    /// A window's id depends on nothing but its time.
    WindowIdReused,
    /// A ledger that comes from a snapshot does not know what is carried over from the window before.
    SnapshotForgetsCarried,
    /// The time of a delivery that a device holds never comes.
    HeldNeverExpires,
    /// An ack counts for the delivery of another device.
    AckForAnotherDevice,
    /// Ledger time follows a leader's clock back.
    TimeRunsBack,
    /// Each replica applies at the time of its own clock.
    OwnClockInApply,
    /// Who proposes a command is answered before it is committed, with what the ledger would say.
    AnswerBeforeCommit,
    /// What a command would have the connections told is told before it is committed.
    OfferWithoutCommit,
    /// Entries are acknowledged before they are synced.
    AppendNotSynced,
    /// A vote is answered before it is synced.
    VoteNotSynced,
    /// Entries that a new leader replaced stay on the disk.
    TruncationNotWritten,
    /// A command that may yet be done counts as refused.
    UnknownCountsAsRefused,
    /// A new owner serves without a takeover.
    TakeoverSkipped,
    /// A read is answered without asking a majority.
    ReadWithoutMajority,
    /// An edge listens to an owner of an earlier term.
    OldTermIsHeard,
    /// An edge listens to an owner whose lease has run out.
    OwnerWithoutLeaseIsHeard,
    /// An edge that has lost the owner leaves on the screen what its lease no longer covers.
    EdgeKeepsAfterLease,
    /// The connections of a node whose link broke count as attached.
    LostEdgeKeepsAll,
    /// A withdraw is answered before it is committed.
    WithdrawBeforeCommit,
    /// An edge tells its client an offer that it told before.
    OfferToldTwice,
    /// The id of a node that was removed is given to another.
    NodeIdReused,
    /// An owner is believed however old the word of its majority is.
    QuorumAgeIgnored,
    /// A lease is counted from when the owner's word came, and not from when it had heard of this node last.
    LeaseFromReceipt,
    /// A node that was removed keeps its links.
    RemovedNodeIsHeard,
    /// A call that may have been done is done again unasked.
    UnknownIsAskedAgain,
    /// A node is removed without which a shard has no majority.
    RemovalRisksMajority,
}

/// Names the mutant that is to be at work, or [`NONE`].
const VARIABLE: &str = "ENGAGE_MUTANT";
/// The value of [`VARIABLE`] for a build with mutants, but without a bug.
const NONE: &str = "none";

/// Why a node of this build must not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "this build is for tests only: it holds deliberate bugs; hint: build without --features mutants, or set {VARIABLE} to {NONE} or to the name of one"
    )]
    NotChosen,
    #[error("{VARIABLE} = {0:?} names no mutant; hint: docs/mutants.md lists them")]
    Unknown(String),
}

/// What must be said of this build before it starts a node; nothing of one without mutants.
///
/// # Errors
/// [`Unfit`].
pub fn warning() -> Result<Option<String>, Unfit> {
    match cfg!(feature = "mutants") {
        false => Ok(None),
        true => named(std::env::var(VARIABLE).ok().as_deref()).map(|mutant| {
            let at_work = mutant.map_or_else(|| NONE.to_owned(), |mutant| format!("{mutant:?}"));
            Some(format!("this build is for tests only, and holds deliberate bugs; at work: {at_work}"))
        }),
    }
}

/// The mutant that a value of [`VARIABLE`] names.
fn named(value: Option<&str>) -> Result<Option<Mutant>, Unfit> {
    match value {
        None => Err(Unfit::NotChosen),
        Some(NONE) => Ok(None),
        Some(name) => {
            let found = Mutant::ALL.iter().find(|mutant| format!("{mutant:?}") == name);
            found.copied().map(Some).ok_or_else(|| Unfit::Unknown(name.to_owned()))
        }
    }
}

/// Whether this one was chosen. Tests that run without a choice have none at work; a wrong name ends them.
#[must_use]
#[cfg(feature = "mutants")]
pub fn is_at_work(mutant: Mutant) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Mutant>> = std::sync::OnceLock::new();
    let choose = || match std::env::var(VARIABLE) {
        Ok(name) => named(Some(&name)).unwrap_or_else(|unfit| panic!("{unfit}")),
        Err(_) => None,
    };
    *CHOSEN.get_or_init(choose) == Some(mutant)
}

/// None ever is.
#[must_use]
#[cfg(not(feature = "mutants"))]
pub const fn is_at_work(_: Mutant) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mutant_or_none_must_be_named() {
        assert_eq!(named(None), Err(Unfit::NotChosen));
        assert_eq!(named(Some("none")), Ok(None));
        assert_eq!(named(Some("StepFalls")), Ok(Some(Mutant::StepFalls)));
        assert_eq!(named(Some("")), Err(Unfit::Unknown(String::new())));
    }

    #[test]
    fn a_build_without_the_feature_has_none_at_work_and_warns_of_nothing() {
        if cfg!(not(feature = "mutants")) {
            assert!(Mutant::ALL.iter().all(|mutant| !is_at_work(*mutant)));
            assert_eq!(warning(), Ok(None));
        }
    }
}

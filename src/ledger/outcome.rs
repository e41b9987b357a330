//! What became of deliveries, kept for publishers: a bounded log, replicated with the ledger, read by sequence number.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

use super::ids::{DeviceId, EngagementId, UserId, WindowId};
use super::time::LedgerTime;

/// One line of the outcome feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub at: LedgerTime,
    pub what: What,
    pub user: UserId,
    /// The device that it happened on, where there is one.
    pub device: Option<DeviceId>,
    pub id: EngagementId,
    /// None for a notice.
    pub window: Option<WindowId>,
    pub step: u32,
    pub reason: Option<Reason>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    Published,
    Offered,
    Shown,
    Step,
    Completed,
    Dismissed,
    Expired,
    Withdrawn,
    Dropped,
    NoticeSent,
    NoticeSeen,
}

impl What {
    /// All of them, in the order of their numbers.
    pub const ALL: [What; 11] = [
        What::Published,
        What::Offered,
        What::Shown,
        What::Step,
        What::Completed,
        What::Dismissed,
        What::Expired,
        What::Withdrawn,
        What::Dropped,
        What::NoticeSent,
        What::NoticeSeen,
    ];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            What::Published => "published",
            What::Offered => "offered",
            What::Shown => "shown",
            What::Step => "step",
            What::Completed => "completed",
            What::Dismissed => "dismissed",
            What::Expired => "expired",
            What::Withdrawn => "withdrawn",
            What::Dropped => "dropped",
            What::NoticeSent => "notice_sent",
            What::NoticeSeen => "notice_seen",
        }
    }
}

/// Why a delivery ended without the person's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    WindowClosed,
    Ttl,
    MaxOffers,
    BufferFull,
    Publisher,
    UserForgotten,
}

/// What can become of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeOutcome {
    Sent,
    Seen,
}

/// Outcomes in a segment of the log; a full segment never changes, so that a view of the log shares it.
const SEGMENT_OUTCOMES: usize = 1024;

/// The outcomes kept, oldest first. Sequence numbers start at 1 and have no gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutcomeLog {
    /// Invariant: all but the last hold [`SEGMENT_OUTCOMES`].
    segments: VecDeque<Arc<Vec<Outcome>>>,
    /// How many were dropped for good; the sequence number before the first kept.
    dropped: u64,
    /// How many of each [`What`] there ever were, by its place in [`What::ALL`].
    totals: [u64; What::ALL.len()],
}

/// What the log knows beside the outcomes that it keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Books {
    pub kept: u64,
    dropped: u64,
    totals: [u64; What::ALL.len()],
}

/// The outcomes after a cursor are no longer all kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CursorExpired {
    /// The oldest cursor that can be read after.
    pub oldest: u64,
}

impl OutcomeLog {
    /// Appends one; drops whole segments from the old end, so that between `kept_max` and `kept_max` less one segment stay.
    pub(super) fn push(&mut self, outcome: Outcome, kept_max: u32) {
        self.totals[outcome.what as usize] += 1;
        self.restore(outcome);
        while self.segments.len() > 1 && self.kept_count() > u64::from(kept_max) {
            let oldest = self.segments.pop_front().expect("there is more than one segment");
            self.dropped += oldest.len() as u64;
        }
    }

    pub(super) fn books(&self) -> Books {
        Books { kept: self.kept_count(), dropped: self.dropped, totals: self.totals }
    }

    /// A log with these books, to be filled with [`OutcomeLog::restore`].
    pub(super) fn with_books(books: &Books) -> OutcomeLog {
        OutcomeLog { segments: VecDeque::new(), dropped: books.dropped, totals: books.totals }
    }

    /// Appends an outcome that the books count already.
    pub(super) fn restore(&mut self, outcome: Outcome) {
        match self.segments.back_mut() {
            Some(segment) if segment.len() < SEGMENT_OUTCOMES => Arc::make_mut(segment).push(outcome),
            _ => self.segments.push_back(Arc::new(vec![outcome])),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Outcome> {
        self.segments.iter().flat_map(|segment| segment.iter())
    }

    /// The sequence number of the newest outcome; 0 when there was none.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.dropped + self.kept_count()
    }

    /// The sequence number before the oldest kept outcome.
    #[must_use]
    pub fn before_oldest(&self) -> u64 {
        self.dropped
    }

    /// How many of each there ever were on this shard.
    #[must_use]
    pub fn total(&self, what: What) -> u64 {
        self.totals[what as usize]
    }

    /// The outcomes after the sequence number `after`, at most `limit`, each with its number.
    ///
    /// # Errors
    /// [`CursorExpired`], when some of them were dropped.
    pub fn after(&self, after: u64, limit: usize) -> Result<Vec<(u64, Outcome)>, CursorExpired> {
        if after < self.dropped {
            return Err(CursorExpired { oldest: self.dropped });
        }
        let skip = usize::try_from(after - self.dropped).unwrap_or(usize::MAX);
        let first = skip / SEGMENT_OUTCOMES;
        let outcomes = self.segments.iter().skip(first).flat_map(|segment| segment.iter());
        let skip_in_first = skip - first.min(self.segments.len()) * SEGMENT_OUTCOMES;
        Ok(outcomes
            .skip(skip_in_first)
            .take(limit)
            .zip(after.saturating_add(1)..)
            .map(|(outcome, number)| (number, outcome.clone()))
            .collect())
    }

    /// The kept outcomes of one engagement of one user, oldest first.
    pub(super) fn of<'a>(&'a self, user: &'a UserId, id: &'a EngagementId) -> impl Iterator<Item = &'a Outcome> {
        self.iter().filter(move |outcome| outcome.id == *id && outcome.user == *user)
    }

    fn kept_count(&self) -> u64 {
        match self.segments.back() {
            Some(last) => ((self.segments.len() - 1) * SEGMENT_OUTCOMES + last.len()) as u64,
            None => 0,
        }
    }
}

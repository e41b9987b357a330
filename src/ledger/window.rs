//! Windows: spans of ledger time in which an engagement is delivered once.

use serde::{Deserialize, Serialize};

use super::ids::WindowId;
use super::time::{LedgerTime, Millis};

/// A window of a user. It is open from `opened_at` until just before `closes_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    pub id: WindowId,
    pub opened_at: LedgerTime,
    pub closes_at: LedgerTime,
}

impl Window {
    /// Opens one now.
    #[must_use]
    pub fn open(id: WindowId, at: LedgerTime, length: Millis) -> Window {
        Window { id, opened_at: at, closes_at: at.plus(length) }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_closed(&self, at: LedgerTime) -> bool {
        self.closes_at <= at
    }
}

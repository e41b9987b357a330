//! Ledger time and spans of it. Nothing here reads a clock: time comes in with a command.

use serde::{Deserialize, Serialize};

/// Ms since the epoch, stamped by a shard's leader into every entry, never running back (CONTRACT §1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LedgerTime(pub u64);

/// A span of ledger time, in ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl LedgerTime {
    /// This time, `span` later; at the end of time it stands still.
    #[must_use]
    pub fn plus(self, span: Millis) -> LedgerTime {
        LedgerTime(self.0.saturating_add(span.0))
    }

    /// What lies between `earlier` and this time; none when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: LedgerTime) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

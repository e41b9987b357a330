//! What is due when: for each user the next time at which something happens by itself. Derived from the users, never stored.

use std::collections::BTreeSet;

use super::ids::UserId;
use super::time::LedgerTime;

/// Users by their next due time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Expiry {
    due: BTreeSet<(LedgerTime, UserId)>,
}

impl Expiry {
    /// A user's due time changes from `before` to `after`.
    pub fn change(&mut self, user: &UserId, before: Option<LedgerTime>, after: Option<LedgerTime>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.due.remove(&(before, user.clone()));
        }
        if let Some(after) = after {
            self.due.insert((after, user.clone()));
        }
    }

    pub fn next(&self) -> Option<LedgerTime> {
        self.due.first().map(|(at, _)| *at)
    }

    /// At most `limit` users for whom something is due at `at`, most overdue first.
    pub fn due(&self, at: LedgerTime, limit: usize) -> Vec<UserId> {
        self.due.iter().take_while(|(due, _)| *due <= at).take(limit).map(|(_, user)| user.clone()).collect()
    }
}

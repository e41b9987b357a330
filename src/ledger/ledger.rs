//! A shard's ledger: its users, its time, what is due, its outcomes.

use super::command::Command;
use super::ids::{EngagementId, UserId};
use super::limits::Settings;
use super::outcome::OutcomeLog;
use super::reply::Applied;
use super::snapshot::View;
use super::time::LedgerTime;
use super::view::{Counts, DeliveryView, EngagementView, UserView};

/// Most users that one `Advance` attends to.
pub const ADVANCE_USERS_MAX: usize = 256;

/// The state machine of one shard.
#[derive(Clone, Debug, Default)]
pub struct Ledger {}

impl Ledger {
    /// Applies one command. `at` must not lie before the last one's; an earlier one counts as the last one's.
    pub fn apply(&mut self, _command: Command, _at: LedgerTime) -> Applied {
        unimplemented!()
    }
    /// Time of the last command.
    #[must_use]
    pub fn now(&self) -> LedgerTime {
        unimplemented!()
    }
    /// When something is due next: the owner proposes an `Advance` then.
    #[must_use]
    pub fn next_due(&self) -> Option<LedgerTime> {
        unimplemented!()
    }
    /// When something is due next for this user.
    #[must_use]
    pub fn user_next_due(&self, _user: &UserId) -> Option<LedgerTime> {
        unimplemented!()
    }
    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        unimplemented!()
    }
    /// `None` when the ledger knows nothing of the user.
    #[must_use]
    pub fn user(&self, _user: &UserId) -> Option<UserView> {
        unimplemented!()
    }
    /// The deliveries of the open windows, newest last, with a sequence above `after`, at most `limit`.
    #[must_use]
    pub fn deliveries(&self, _user: &UserId, _after: u64, _limit: usize) -> Vec<DeliveryView> {
        unimplemented!()
    }
    /// One engagement of a user.
    #[must_use]
    pub fn engagement(&self, _user: &UserId, _id: &EngagementId) -> Option<EngagementView> {
        unimplemented!()
    }
    /// What became of deliveries.
    #[must_use]
    pub fn outcomes(&self) -> &OutcomeLog {
        unimplemented!()
    }
    /// How much this shard holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        unimplemented!()
    }
    /// A view of all of it, cheap to make; the ledger goes on while it is written out.
    #[must_use]
    pub fn view(&self) -> View {
        unimplemented!()
    }
}

//! The only file that reads time (clippy forbids it elsewhere). Wall time stamps commands; monotonic time measures waits.
//!
//! In the simulation, many nodes live on one thread, each in a runtime whose time is paused; then a node reads the clocks that were set up for it ([`Clocks`]).

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::ledger::time::LedgerTime;

thread_local! {
    static SIMULATED: Cell<Option<Clocks>> = const { Cell::new(None) };
}

/// The clocks of a simulated node.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// When its runtime began, by the runtime's own time.
    pub start: Instant,
    /// What its wall clock showed then, ms since the epoch.
    pub wall_at_start_ms: i64,
}

/// From now on this thread runs that simulated node, or none.
pub fn simulate(clocks: Option<Clocks>) {
    SIMULATED.set(clocks);
}

/// Whether this thread runs a simulated node.
#[must_use]
pub fn is_simulated() -> bool {
    SIMULATED.get().is_some()
}

/// The node's wall clock, ms since the epoch. May jump: only [`Stamper`] makes ledger time of it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads time")]
pub fn wall_ms() -> u64 {
    if let Some(Clocks { start, wall_at_start_ms }) = SIMULATED.get() {
        return u64::try_from(wall_at_start_ms).unwrap_or(0).saturating_add(ms_since(start));
    }
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A point of monotonic time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads time")]
pub fn monotonic() -> Instant {
    // The runtime's, so that it stands still where the runtime's does; elsewhere it is the system's.
    tokio::time::Instant::now().into_std()
}

/// Ms of monotonic time since the first call in this process.
#[must_use]
pub fn monotonic_ms() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    ms_since(SIMULATED.get().map_or_else(|| *START.get_or_init(monotonic), |clocks| clocks.start))
}

fn ms_since(start: Instant) -> u64 {
    u64::try_from(monotonic().saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
}

/// A wall clock that gets so much further ahead of monotonic time at once has jumped.
const JUMP_MS: u64 = 500;

/// Makes ledger time: the wall clock while it leads; where it is behind the last stamp, time goes on from there by the monotonic clock, so that it neither
/// runs back nor stands still.
#[derive(Debug)]
pub struct Stamper {
    last: LedgerTime,
    last_at: Instant,
    /// What both clocks showed at the last stamp.
    read: (u64, Instant),
    /// The wall clock has jumped ahead, and nobody has been told.
    has_jumped: bool,
}

impl Stamper {
    /// Goes on from the ledger's last time.
    #[must_use]
    pub fn new(last: LedgerTime) -> Self {
        let now = monotonic();
        Stamper { last, last_at: now, read: (wall_ms(), now), has_jumped: false }
    }

    /// Goes on from the ledger's last time, where others have stamped meanwhile. A jump since its own last stamp is seen all the same.
    pub fn go_on_from(&mut self, last: LedgerTime) {
        (self.last, self.last_at) = (last, monotonic());
    }

    /// Whether the wall clock has jumped ahead since this was asked before. Spans that began at earlier stamps look longer, by later ones, than they were.
    pub fn take_jump(&mut self) -> bool {
        std::mem::take(&mut self.has_jumped)
    }

    /// What was to be done about the last jump has not been done.
    pub fn jump_again(&mut self) {
        self.has_jumped = true;
    }

    /// The next stamp.
    pub fn stamp(&mut self) -> LedgerTime {
        self.stamp_with(wall_ms(), monotonic())
    }

    fn stamp_with(&mut self, wall_ms: u64, now: Instant) -> LedgerTime {
        let passed_by_wall_ms = wall_ms.saturating_sub(self.read.0);
        let passed_ms = u64::try_from(now.saturating_duration_since(self.read.1).as_millis()).unwrap_or(u64::MAX);
        self.has_jumped |= passed_by_wall_ms > passed_ms.saturating_add(JUMP_MS);
        self.read = (wall_ms, now);
        let passed = now.saturating_duration_since(self.last_at);
        let whole_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let went_on = self.last.0.saturating_add(whole_ms);
        if wall_ms >= went_on {
            self.last = LedgerTime(wall_ms);
            self.last_at = now;
        } else {
            // Keep the part of a ms that has not been stamped yet.
            self.last = LedgerTime(went_on);
            self.last_at += Duration::from_millis(whole_ms);
        }
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_neither_runs_back_nor_stands_still_when_the_wall_clock_is_behind() {
        let start = monotonic();
        let mut stamper = Stamper { last: LedgerTime(10_000), last_at: start, read: (1, start), has_jumped: false };
        assert_eq!(stamper.stamp_with(1, start), LedgerTime(10_000));
        assert_eq!(stamper.stamp_with(2, start + Duration::from_micros(700)), LedgerTime(10_000));
        assert_eq!(stamper.stamp_with(3, start + Duration::from_micros(1_400)), LedgerTime(10_001));
        assert_eq!(stamper.stamp_with(20_000, start + Duration::from_millis(5)), LedgerTime(20_000));
    }

    #[test]
    fn a_jump_ahead_is_told_once_and_neither_a_long_wait_nor_a_jump_back_is_one() {
        let start = monotonic();
        let mut stamper = Stamper { last: LedgerTime(10_000), last_at: start, read: (10_000, start), has_jumped: false };
        let told = |stamper: &mut Stamper, wall_ms, passed_ms| {
            stamper.stamp_with(wall_ms, start + Duration::from_millis(passed_ms));
            stamper.take_jump()
        };
        assert!(!told(&mut stamper, 3_610_000, 3_600_000), "an hour passed");
        assert!(!told(&mut stamper, 10_000, 3_600_001), "back");
        stamper.go_on_from(LedgerTime(3_700_000));
        assert!(told(&mut stamper, 20_000, 3_600_002), "ahead, though ledger time is further");
        assert!(!told(&mut stamper, 20_001, 3_600_003));
        stamper.jump_again();
        assert!(told(&mut stamper, 20_002, 3_600_004));
    }
}

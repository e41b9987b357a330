//! A shard's ledger behind a lock: applied by the group's machine, read by readers and by the proposer.
//!
//! The lock is held for one entry, or for one read: no IO, no await, and nothing that grows with the ledger.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::{io, mem};

use tokio::sync::watch;

use super::content::{Content, Frozen, Rebuild, Whole};
use super::snapshot::ReadError;
use super::types::{Batch, Data, Replies};
use crate::ledger::Ledger;
use crate::ledger::snapshot::{Restore, View};
use crate::ledger::time::LedgerTime;

/// [`LedgerCell::next_due`] when nothing is due.
const NEVER: u64 = u64::MAX;

/// What the machine, the readers and the proposer of a shard share.
pub struct LedgerCell {
    ledger: Mutex<Ledger>,
    /// When something is due next; kept beside the ledger so that looking at it takes no lock.
    next_due: AtomicU64,
    /// The last outcome that `outcomes_changed` has told of.
    told_outcome: AtomicU64,
    /// Changes whenever some shard has new outcomes.
    outcomes_changed: Arc<watch::Sender<u64>>,
}

impl LedgerCell {
    /// An empty ledger.
    pub fn new(outcomes_changed: Arc<watch::Sender<u64>>) -> LedgerCell {
        LedgerCell {
            ledger: Mutex::new(Ledger::default()),
            next_due: AtomicU64::new(NEVER),
            told_outcome: AtomicU64::new(0),
            outcomes_changed,
        }
    }

    /// Reads the ledger.
    pub fn read<T>(&self, read: impl FnOnce(&Ledger) -> T) -> T {
        read(&self.ledger())
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<LedgerTime> {
        match self.next_due.load(Ordering::Acquire) {
            NEVER => None,
            due => Some(LedgerTime(due)),
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("an apply that panics ends the process")
    }

    fn note_next_due(&self, ledger: &Ledger) {
        self.next_due.store(ledger.next_due().map_or(NEVER, |due| due.0), Ordering::Release);
    }
}

impl Content for LedgerCell {
    fn apply(&self, data: Data) -> io::Result<Replies> {
        let Data::Commands(Batch { at, commands }) = data else {
            return Err(io::Error::other("an entry of the meta group is in a shard's log"));
        };
        let at = if mutant!(OwnClockInApply) { LedgerTime(crate::clock::wall_ms()) } else { at };
        let mut ledger = self.ledger();
        let applied = commands.iter().map(|command| ledger.apply(command.clone(), at)).collect();
        self.note_next_due(&ledger);
        Ok(Replies::Applied(applied))
    }

    fn applied(&self) {
        let last = self.ledger().outcomes().last();
        if self.told_outcome.swap(last, Ordering::AcqRel) != last {
            self.outcomes_changed.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn freeze(&self) -> Box<dyn Frozen> {
        Box::new(self.ledger().view())
    }

    fn rebuild(&self) -> Box<dyn Rebuild> {
        Box::new(Rebuilding(Restore::default()))
    }

    fn replace(&self, whole: Whole) -> io::Result<Whole> {
        let Whole::Ledger(new) = whole else { return Err(io::Error::other("a snapshot of the meta group is in a shard's place")) };
        let mut ledger = self.ledger();
        self.note_next_due(&new);
        Ok(Whole::Ledger(Box::new(mem::replace(&mut ledger, *new))))
    }

    fn is_broken(&self) -> bool {
        self.ledger.is_poisoned()
    }
}

impl Frozen for View {
    fn chunks(&self) -> Box<dyn Iterator<Item = Vec<u8>> + '_> {
        Box::new(View::chunks(self))
    }
}

struct Rebuilding(Restore);

impl Rebuild for Rebuilding {
    fn push(&mut self, chunk: &[u8]) -> Result<(), ReadError> {
        Ok(self.0.push(chunk)?)
    }

    fn finish(self: Box<Self>) -> Result<Whole, ReadError> {
        Ok(Whole::Ledger(Box::new(self.0.finish()?)))
    }
}

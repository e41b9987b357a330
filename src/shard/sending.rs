//! Counts the snapshots of a group that are on their way to other nodes: as long as there is one, the log behind it must stay, or the receiver would need
//! another snapshot when it is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The snapshots of one group that are on their way.
#[derive(Clone, Debug, Default)]
pub struct Sending(Arc<AtomicUsize>);

/// One of them, until it is dropped.
pub struct OnItsWay(Sending);

impl Sending {
    /// One more.
    pub fn begin(&self) -> OnItsWay {
        self.0.fetch_add(1, Ordering::AcqRel);
        OnItsWay(self.clone())
    }

    /// Whether there is any.
    pub fn is_any(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

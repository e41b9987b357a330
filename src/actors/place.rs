//! Where user actors run: on the thread of an arbiter, or wherever a simulation has its one thread.

use actix_rt::ArbiterHandle;

/// A thread that takes actors.
pub trait Place: Send + Sync {
    /// Runs `start` there soon, on an executor for local tasks; drops it where the thread is gone.
    fn start(&self, start: Box<dyn FnOnce() + Send>);
    /// Whether the thread is still there.
    fn is_alive(&self) -> bool;
}

impl Place for ArbiterHandle {
    fn start(&self, start: Box<dyn FnOnce() + Send>) {
        // Where the thread is gone, the actor's mailbox is dropped with what it captured, and who sends to it starts another.
        let _ = self.spawn_fn(start);
    }

    fn is_alive(&self) -> bool {
        self.alive()
    }
}

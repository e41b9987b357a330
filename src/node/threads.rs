//! The threads that the shards run on: a tokio runtime apart from the HTTP workers, so that neither starves the other.

use std::future::Future;
use std::io;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// With one thread, a sync of the log that takes long would hold up the heartbeats.
const THREADS_MIN: usize = 2;

/// A runtime that may be dropped anywhere.
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    /// Starts so many threads; 0: one for each core, and two at least.
    pub(super) fn start(count: usize) -> io::Result<Threads> {
        let cores = || std::thread::available_parallelism().map_or(THREADS_MIN, Into::into);
        let count = if count == 0 { cores().max(THREADS_MIN) } else { count };
        let runtime = Builder::new_multi_thread().worker_threads(count).thread_name("shards").enable_all().build()?;
        Ok(Threads(Some(runtime)))
    }

    pub(super) fn handle(&self) -> Handle {
        self.runtime().handle().clone()
    }

    pub(super) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.runtime().spawn(task)
    }

    /// Ends them; what still runs is dropped.
    pub(super) fn stop(self) {
        drop(self);
    }

    fn runtime(&self) -> &Runtime {
        self.0.as_ref().expect("the runtime is taken by drop alone")
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // To drop a runtime waits for it, which is forbidden on an executor's thread.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

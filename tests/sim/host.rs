//! A host: an executor with a time of its own, which the world lets run tick by tick. Dropped, it dies with all that runs on it.

use std::future::Future;
use std::time::Duration;

use engage::clock::{self, Clocks};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;

use crate::post::{Address, Letter, begin_tick, set_now};
use crate::trace;

/// See the head of the file.
pub struct Host {
    pub address: Address,
    name: String,
    // Dropped before the runtime on which it ran.
    local: Option<LocalSet>,
    runtime: Runtime,
    clocks: Clocks,
    inbox: UnboundedSender<Letter>,
}

impl Host {
    /// A host on which `main` runs. `wall_ms` is what its wall clock shows now.
    pub fn start<F>(address: Address, (name, wall_ms): (&str, i64), main: impl FnOnce(UnboundedReceiver<Letter>) -> F) -> Host
    where
        F: Future<Output = ()> + 'static,
    {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime can be made");
        let (inbox, letters) = unbounded_channel();
        let start = runtime.block_on(async { clock::monotonic() });
        let local = LocalSet::new();
        local.spawn_local(main(letters));
        let clocks = Clocks { start, wall_at_start_ms: wall_ms };
        Host { address, name: name.to_owned(), local: Some(local), runtime, clocks, inbox }
    }

    /// Lets it run for a tick.
    pub fn run(&self, at_us: u64, tick: Duration) {
        trace::enter(at_us, &self.name);
        self.within(async {
            begin_tick(at_us);
            tokio::time::sleep(tick).await;
        });
        set_now(at_us);
    }

    /// Its clock leaps: it stood still.
    pub fn leap(&self, by: Duration) {
        self.within(tokio::time::advance(by));
    }

    /// Its wall clock jumps.
    pub fn jump(&mut self, by_ms: i64) {
        self.clocks.wall_at_start_ms += by_ms;
    }

    /// Puts a letter into its box.
    pub fn deliver(&self, letter: Letter) {
        // A host whose main task has ended reads no letters.
        let _ = self.inbox.send(letter);
    }

    /// Runs something on it, to its end.
    pub fn within<F: Future>(&self, future: F) -> F::Output {
        clock::simulate(Some(self.clocks));
        let local = self.local.as_ref().expect("it is taken by drop alone");
        let output = self.runtime.block_on(local.run_until(future));
        clock::simulate(None);
        output
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        clock::simulate(Some(self.clocks));
        let _runtime = self.runtime.enter();
        self.local.take();
        clock::simulate(None);
    }
}

//! The commands that wait for one shard, bounded by number and by bytes. What finds it full is refused at once, and never queued elsewhere.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::{Notify, oneshot};

use super::config::Tuning;
use super::types::command_bytes;
use crate::ledger::Command;
use crate::ports::{Done, ProposeError};

/// A command and whom to tell.
pub struct Queued {
    pub command: Command,
    pub done: Done,
    bytes: u64,
}

/// One shard's queue: many put in, its proposer takes out.
pub struct Queue {
    waiting: Mutex<Waiting>,
    /// Told when there is something to do for the proposer.
    ready: Notify,
    commands_max: usize,
    bytes_max: u64,
}

#[derive(Default)]
struct Waiting {
    commands: VecDeque<Queued>,
    bytes: u64,
    /// Readers that wait until what is due has been done.
    readers: Vec<oneshot::Sender<()>>,
    is_closed: bool,
}

impl Queue {
    pub fn new(tuning: &Tuning) -> Queue {
        let (commands_max, bytes_max) = (tuning.queue_commands_max, tuning.queue_bytes_max);
        Queue { waiting: Mutex::new(Waiting::default()), ready: Notify::new(), commands_max, bytes_max }
    }

    /// Queues a command, or refuses it before it returns.
    pub fn push(&self, command: Command, done: Done) {
        let bytes = command_bytes(&command);
        let mut waiting = self.waiting();
        let is_full = waiting.commands.len() >= self.commands_max || waiting.bytes.saturating_add(bytes) > self.bytes_max;
        // A command above the bound by itself passes an empty queue: it could never be sent otherwise.
        if waiting.is_closed || (is_full && !waiting.commands.is_empty()) {
            drop(waiting);
            done(Err(ProposeError::Unavailable));
            return;
        }
        let was_empty = waiting.commands.is_empty();
        waiting.bytes += bytes;
        waiting.commands.push_back(Queued { command, done, bytes });
        drop(waiting);
        if was_empty {
            self.ready.notify_one();
        }
    }

    /// Asks for an `Advance`; the answer comes when it is applied, and the sender is dropped where that fails.
    pub fn request_advance(&self) -> oneshot::Receiver<()> {
        let (done, is_done) = oneshot::channel();
        let mut waiting = self.waiting();
        if !waiting.is_closed {
            waiting.readers.push(done);
        }
        drop(waiting);
        self.ready.notify_one();
        is_done
    }

    /// The readers that wait for an `Advance`.
    pub fn take_readers(&self) -> Vec<oneshot::Sender<()>> {
        mem::take(&mut self.waiting().readers)
    }

    /// The oldest commands, as many as make one entry.
    pub fn take(&self, commands_max: usize, bytes_max: u64) -> Vec<Queued> {
        let mut waiting = self.waiting();
        let mut count = 0;
        let mut bytes = 0;
        for queued in waiting.commands.iter().take(commands_max) {
            bytes += queued.bytes;
            if bytes > bytes_max && count > 0 {
                bytes -= queued.bytes;
                break;
            }
            count += 1;
        }
        waiting.bytes -= bytes;
        waiting.commands.drain(..count).collect()
    }

    /// Refuses all that wait.
    pub fn refuse_all(&self) {
        let refused = {
            let mut waiting = self.waiting();
            waiting.bytes = 0;
            waiting.readers.clear();
            mem::take(&mut waiting.commands)
        };
        refused.into_iter().for_each(|queued| (queued.done)(Err(ProposeError::Unavailable)));
    }

    /// Refuses all that wait, and all that come.
    pub fn close(&self) {
        self.waiting().is_closed = true;
        self.refuse_all();
    }

    /// Waits until something was put in since the queue was last found empty.
    pub async fn ready(&self) {
        self.ready.notified().await;
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting().commands.len()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("no holder panics")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::ledger::ids::UserId;

    fn forget(user: &str) -> Command {
        Command::Forget { user: UserId::parse(user).unwrap() }
    }

    fn counting(refused: &Arc<AtomicUsize>) -> Done {
        let refused = refused.clone();
        Box::new(move |result| {
            assert_eq!(result, Err(ProposeError::Unavailable));
            refused.fetch_add(1, Ordering::SeqCst);
        })
    }

    #[test]
    fn what_finds_the_queue_full_is_refused_before_the_call_returns() {
        let queue = Queue::new(&Tuning { queue_commands_max: 3, ..Tuning::default() });
        let refused = Arc::new(AtomicUsize::new(0));
        for _ in 0..5 {
            queue.push(forget("u"), counting(&refused));
        }
        assert_eq!((queue.len(), refused.load(Ordering::SeqCst)), (3, 2));
        queue.close();
        queue.push(forget("u"), counting(&refused));
        assert_eq!((queue.len(), refused.load(Ordering::SeqCst)), (0, 6));
    }

    #[test]
    fn bytes_bound_the_queue_and_the_entries() {
        let bytes = command_bytes(&forget("u"));
        let queue = Queue::new(&Tuning { queue_bytes_max: 3 * bytes, ..Tuning::default() });
        let refused = Arc::new(AtomicUsize::new(0));
        for _ in 0..4 {
            queue.push(forget("u"), counting(&refused));
        }
        assert_eq!((queue.len(), refused.load(Ordering::SeqCst)), (3, 1));
        assert_eq!(queue.take(256, 2 * bytes).len(), 2);
        assert_eq!(queue.take(256, bytes - 1).len(), 1, "one command makes an entry however large it is");
        assert_eq!(queue.take(256, u64::MAX).len(), 0);
        assert_eq!(queue.waiting().bytes, 0);
    }
}

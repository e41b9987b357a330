//! The questions of one link that wait for an answer. Bounded; when the link ends, all learn at once that there will be none.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;

/// Questions by their id.
#[derive(Debug)]
pub struct Asks {
    state: Mutex<State>,
    count_max: usize,
}

#[derive(Debug)]
struct State {
    /// None when the link has ended.
    waiting: Option<HashMap<u64, oneshot::Sender<Bytes>>>,
    last_id: u64,
}

impl Asks {
    /// At most `count_max` questions wait at a time.
    #[must_use]
    pub fn new(count_max: usize) -> Arc<Asks> {
        Arc::new(Asks { state: Mutex::new(State { waiting: Some(HashMap::new()), last_id: 0 }), count_max })
    }

    /// A new question; none where too many wait, or the link has ended.
    pub fn begin(self: &Arc<Asks>) -> Option<Ask> {
        let mut state = self.lock();
        let id = state.last_id + 1;
        let waiting = state.waiting.as_mut().filter(|waiting| waiting.len() < self.count_max)?;
        let (sender, receiver) = oneshot::channel();
        waiting.insert(id, sender);
        state.last_id = id;
        Some(Ask { id, asks: Arc::clone(self), receiver })
    }

    /// The answer to a question arrived. One that nobody waits for any more is dropped.
    pub fn answer(&self, id: u64, body: Bytes) {
        if let Some(sender) = self.remove(id) {
            // Whoever asked may just have given up.
            let _ = sender.send(body);
        }
    }

    /// There will be no answer to a question.
    pub fn void(&self, id: u64) {
        drop(self.remove(id));
    }

    /// The link has ended: no question will be answered, and none can be put.
    pub fn end(&self) {
        let waiting = self.lock().waiting.take();
        drop(waiting);
    }

    fn remove(&self, id: u64) -> Option<oneshot::Sender<Bytes>> {
        self.lock().waiting.as_mut()?.remove(&id)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One question that waits. Resolves to its answer, or to none when there will be none; dropped, it is forgotten.
#[derive(Debug)]
pub struct Ask {
    pub id: u64,
    asks: Arc<Asks>,
    receiver: oneshot::Receiver<Bytes>,
}

impl Future for Ask {
    type Output = Option<Bytes>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Pin::new(&mut self.receiver).poll(context).map(Result::ok)
    }
}

impl Drop for Ask {
    fn drop(&mut self) {
        self.asks.void(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_bounded_and_forgotten_with_their_asker() {
        let asks = Asks::new(2);
        let first = asks.begin().unwrap();
        let second = asks.begin().unwrap();
        assert!(asks.begin().is_none(), "a third question");
        assert_ne!(first.id, second.id);
        drop(first);
        assert!(asks.begin().is_some(), "room again");
    }

    #[tokio::test]
    async fn the_end_of_the_link_is_told_at_once() {
        let asks = Asks::new(8);
        let answered = asks.begin().unwrap();
        let left = asks.begin().unwrap();
        asks.answer(answered.id, Bytes::from_static(b"yes"));
        asks.end();
        assert_eq!(answered.await, Some(Bytes::from_static(b"yes")));
        assert_eq!(left.await, None);
        assert!(asks.begin().is_none(), "a question on a link that ended");
    }
}

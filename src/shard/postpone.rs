//! Appends that carry nothing but how far a group has committed, put off: the next entries carry it too, and in a busy group they come within a moment. Sent at once, as openraft
//! would, each commit costs a question and an answer to every follower, and entries wait behind it. Decides nothing else, and drops nothing that no later append carries.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use futures_util::future::BoxFuture;
use openraft::raft::AppendEntriesRequest;

use super::tempo;
use super::types::TypeConfig;

/// Followers apply what is committed by that much later, and the time to the next common moment, where nothing follows. None of them is read.
const PUT_OFF: Duration = Duration::from_millis(5);

type Append = AppendEntriesRequest<TypeConfig>;

/// The appends of one stream to one follower, which come one by one: each when the one before was answered.
pub struct Postponed<S> {
    appends: S,
    /// The follower has answered an append of this stream.
    is_flowing: bool,
    /// What is put off, and until when.
    waiting: Option<(Append, BoxFuture<'static, ()>)>,
    is_over: bool,
}

impl<S> Postponed<S> {
    pub fn new(appends: S) -> Postponed<S> {
        Postponed { appends, is_flowing: false, waiting: None, is_over: false }
    }
}

impl<S: Stream<Item = Append> + Unpin> Stream for Postponed<S> {
    type Item = Append;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Append>> {
        while !self.is_over {
            match Pin::new(&mut self.appends).poll_next(task) {
                Poll::Ready(Some(append)) if append.entries.is_empty() && self.is_flowing => {
                    let due = match self.waiting.take() {
                        Some((_, due)) => due,
                        None => Box::pin(tempo::pause(PUT_OFF)),
                    };
                    // A later one says all that an earlier one said.
                    self.waiting = Some((append, due));
                }
                Poll::Ready(Some(append)) => {
                    self.is_flowing = true;
                    self.waiting = None;
                    return Poll::Ready(Some(append));
                }
                Poll::Ready(None) => self.is_over = true,
                Poll::Pending => {
                    let Some((_, due)) = &mut self.waiting else { return Poll::Pending };
                    if due.as_mut().poll(task).is_pending() {
                        return Poll::Pending;
                    }
                    return Poll::Ready(self.waiting.take().map(|(append, _)| append));
                }
            }
        }
        Poll::Ready(self.waiting.take().map(|(append, _)| append))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt as _;
    use openraft::entry::RaftEntry as _;
    use tokio::sync::mpsc;

    use crate::shard::types::{CommittedLeader, Entry, LogId, Vote};

    fn at(index: u64) -> LogId {
        LogId::new(CommittedLeader::new(1), index)
    }

    /// An append of so many entries after `prev`, of a leader that has committed up to `committed`.
    fn append(prev: u64, count: u64, committed: u64) -> Append {
        let entries = (1..=count).map(|more| Entry::new_blank(at(prev + more))).collect();
        Append { vote: Vote::new_committed(1, 1), prev_log_id: Some(at(prev)), entries, leader_commit: Some(at(committed)) }
    }

    /// What goes out: how many entries, and how far it says that the leader has committed.
    fn said(append: &Append) -> (usize, u64) {
        (append.entries.len(), append.leader_commit.as_ref().unwrap().index)
    }

    fn stream() -> (mpsc::UnboundedSender<Append>, Postponed<impl Stream<Item = Append> + Unpin>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let appends = Box::pin(futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver))));
        (sender, Postponed::new(appends))
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_waits_for_the_entries_that_carry_it_too() {
        let (sender, mut postponed) = stream();
        sender.send(append(1, 2, 1)).unwrap();
        assert_eq!(said(&postponed.next().await.unwrap()), (2, 1));
        sender.send(append(3, 0, 3)).unwrap();
        assert!(futures_util::poll!(postponed.next()).is_pending());
        sender.send(append(3, 1, 3)).unwrap();
        assert_eq!(said(&postponed.next().await.unwrap()), (1, 3));
        assert!(tokio::time::timeout(Duration::from_secs(1), postponed.next()).await.is_err(), "it is said once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_commit_that_no_entries_follow_is_said_soon_and_the_latest_only() {
        let (sender, mut postponed) = stream();
        sender.send(append(1, 2, 1)).unwrap();
        postponed.next().await.unwrap();
        for committed in [2, 3] {
            sender.send(append(3, 0, committed)).unwrap();
        }
        let soon = tokio::time::timeout(Duration::from_millis(200), postponed.next()).await;
        assert_eq!(said(&soon.unwrap().unwrap()), (0, 3));
        sender.send(append(3, 0, 3)).unwrap();
        drop(sender);
        assert_eq!(said(&postponed.next().await.unwrap()), (0, 3));
        assert!(postponed.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_append_of_a_stream_goes_at_once_also_without_entries() {
        let (sender, mut postponed) = stream();
        sender.send(append(7, 0, 7)).unwrap();
        assert!(futures_util::poll!(postponed.next()).is_ready(), "it asks what the follower has");
    }
}

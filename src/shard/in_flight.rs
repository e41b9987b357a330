//! Entries that are proposed and not yet applied, oldest first, and whom to tell what came of each of their commands: in order, each exactly once.

use std::collections::VecDeque;
use std::time::Instant;

use metrics::{Histogram, counter, histogram};
use openraft::errors::ClientWriteError;
use tokio::sync::oneshot;

use super::types::{Replies, WriteReceiver, WriteResult, group_name};
use crate::clock;
use crate::ledger::Applied;
use crate::ledger::effect::Effect;
use crate::ledger::ids::ShardId;
use crate::ports::{Done, ProposeError};
use crate::telemetry::names;

/// Who waits for what a command brings.
pub enum Answer {
    /// Somebody proposed it, and takes reply and effects.
    Caller(Done),
    /// The shard's own: time passes. Its effects are carried out; readers may wait for it.
    Advance(Vec<oneshot::Sender<()>>),
    /// The shard's own: leases begin anew. Its effects are carried out.
    RenewLeases,
    /// The shard's own: the first entry of a term.
    Takeover { term: u64 },
}

/// What the proposer has to know of an entry that is done.
pub enum Note {
    /// An `Advance` is applied; its readers wait for that.
    Advanced { effects: Vec<Effect>, readers: Vec<oneshot::Sender<()>> },
    /// An `Advance` was not applied, or that isn't known. Its readers are told so by having no answer.
    NotAdvanced,
    /// Leases began anew.
    LeasesRenewed { effects: Vec<Effect> },
    /// They did not, or that isn't known.
    LeasesNotRenewed,
    /// This node leads in `term`, and all that came before is applied.
    TakenOver { term: u64, effects: Vec<Effect> },
    /// The first entry of `term` was refused; the leader may not be ready.
    NotTakenOver { term: u64 },
}

/// The entries of one shard that are under way.
pub struct InFlight {
    entries: VecDeque<Entry>,
    commit_seconds: Histogram,
}

struct Entry {
    result: WriteReceiver,
    answers: Vec<Answer>,
    proposed_at: Instant,
}

impl InFlight {
    pub fn new(shard: ShardId) -> InFlight {
        InFlight { entries: VecDeque::new(), commit_seconds: histogram!(names::COMMIT_SECONDS, "shard" => group_name(shard)) }
    }

    pub fn push(&mut self, result: WriteReceiver, answers: Vec<Answer>) {
        histogram!(names::ENTRY_COMMANDS).record(answers.len() as f64);
        self.entries.push_back(Entry { result, answers, proposed_at: clock::monotonic() });
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The result of the oldest entry; never, while there is none. Can be dropped and called again.
    pub async fn result(&mut self) -> Result<Replies, ProposeError> {
        match self.entries.front_mut() {
            Some(oldest) => judge((&mut oldest.result).await.ok()),
            None => std::future::pending().await,
        }
    }

    /// Hands the oldest entry's result on: command by command, in their order, as the notes are taken. A note must be seen to before the next is.
    pub fn finish(&mut self, result: Result<Replies, ProposeError>) -> impl Iterator<Item = Note> + use<> {
        let answers = self.entries.pop_front().map(|entry| self.note_end(entry, &result)).unwrap_or_default();
        let error = result.as_ref().err().copied();
        let mut applied = match result {
            Ok(Replies::Applied(applied)) => applied,
            Ok(_) => unreachable!("an entry of commands has their replies"),
            Err(_) => Vec::new(),
        }
        .into_iter();
        answers.into_iter().filter_map(move |answer| match error {
            None => succeed(answer, applied.next().expect("every command has one result")),
            Some(error) => fail(answer, error),
        })
    }

    fn note_end(&self, entry: Entry, result: &Result<Replies, ProposeError>) -> Vec<Answer> {
        let word = match result {
            Ok(_) => "applied",
            Err(ProposeError::Unavailable) => "unavailable",
            Err(ProposeError::Unknown) => "unknown",
        };
        // What callers proposed; the shard's own are tried until they succeed, and a refusal right after an election is no fault.
        let asked = entry.answers.iter().filter(|answer| matches!(answer, Answer::Caller(_))).count();
        counter!(names::PROPOSALS_TOTAL, "result" => word).increment(asked as u64);
        if let Ok(Replies::Applied(applied)) = result {
            self.commit_seconds.record(clock::monotonic().saturating_duration_since(entry.proposed_at));
            assert_eq!(applied.len(), entry.answers.len(), "every command has one result");
        }
        entry.answers
    }
}

/// A refusal to take the entry is certain; everything else leaves open whether it is applied some day.
fn judge(result: Option<WriteResult>) -> Result<Replies, ProposeError> {
    match result {
        Some(Ok(response)) => Ok(response.data),
        Some(Err(ClientWriteError::ForwardToLeader(_))) => Err(ProposeError::Unavailable),
        Some(Err(_)) | None if mutant!(UnknownCountsAsRefused) => Err(ProposeError::Unavailable),
        Some(Err(_)) | None => Err(ProposeError::Unknown),
    }
}

fn succeed(answer: Answer, applied: Applied) -> Option<Note> {
    match answer {
        Answer::Caller(done) => {
            done(Ok(applied));
            None
        }
        Answer::Advance(readers) => Some(Note::Advanced { effects: applied.effects, readers }),
        Answer::RenewLeases => Some(Note::LeasesRenewed { effects: applied.effects }),
        Answer::Takeover { term } => Some(Note::TakenOver { term, effects: applied.effects }),
    }
}

fn fail(answer: Answer, error: ProposeError) -> Option<Note> {
    match answer {
        Answer::Caller(done) => {
            done(Err(error));
            None
        }
        Answer::Advance(_) => Some(Note::NotAdvanced),
        Answer::RenewLeases => Some(Note::LeasesNotRenewed),
        Answer::Takeover { term } => Some(Note::NotTakenOver { term }),
    }
}

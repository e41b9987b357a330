//! The acks and dismisses of one connection that no owner has answered yet: numbered, in order, bounded, each given up on in time.

use std::collections::VecDeque;
use std::time::Instant;

use crate::ledger::command::{Ack, Attach, Greeting, Key};
use crate::ledger::ids::{EngagementId, WindowId};
use crate::ports::session::Said;

/// Most bytes of data that wait; with it, an attach fits into one message to an owner.
const BYTES_MAX: usize = 256 * 1024;

/// See the head of the file.
#[derive(Debug, Default)]
pub struct Pending {
    asked: VecDeque<Asked>,
    next_number: u64,
    data_bytes: usize,
}

/// One that waits.
#[derive(Debug)]
pub struct Asked {
    pub number: u64,
    /// Invariant: an ack or a dismiss, with this number.
    said: Said,
    /// The client's own number for it.
    pub reference: Option<i64>,
    pub taken_at: Instant,
}

/// What is asked.
#[derive(Debug)]
pub enum Question {
    Ack(Ack),
    Dismiss(Key),
}

impl Question {
    fn data_bytes(&self) -> usize {
        match self {
            Question::Ack(ack) => ack.data.as_ref().map_or(0, |data| data.0.len()),
            Question::Dismiss(_) => 0,
        }
    }

    /// The delivery.
    pub fn key(&self) -> (&EngagementId, WindowId) {
        match self {
            Question::Ack(ack) => (&ack.id, ack.window),
            Question::Dismiss(key) => (&key.id, key.window),
        }
    }
}

impl Asked {
    /// The delivery.
    pub fn key(&self) -> Key {
        match &self.said {
            Said::Ack { ack, .. } => Key { id: ack.id.clone(), window: ack.window },
            Said::Dismiss { key, .. } => key.clone(),
            Said::Visible(_) | Said::Seen(_) => unreachable!("only acks and dismisses are asked"),
        }
    }

    /// Whether it was a dismiss.
    pub fn is_dismiss(&self) -> bool {
        matches!(self.said, Said::Dismiss { .. })
    }

    fn data_bytes(&self) -> usize {
        match &self.said {
            Said::Ack { ack, .. } => ack.data.as_ref().map_or(0, |data| data.0.len()),
            _ => 0,
        }
    }
}

impl Pending {
    /// Takes a question on; gives back what an owner is to be told, or the question, where too much waits.
    ///
    /// # Errors
    /// The question, when `most` wait, or too many bytes of data.
    pub fn ask(&mut self, question: Question, reference: Option<i64>, taken_at: Instant, most: usize) -> Result<Said, Question> {
        let data_bytes = question.data_bytes();
        if self.asked.len() >= most || self.data_bytes + data_bytes > BYTES_MAX {
            return Err(question);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.data_bytes += data_bytes;
        let said = match question {
            Question::Ack(ack) => Said::Ack { ack, number },
            Question::Dismiss(key) => Said::Dismiss { key, number },
        };
        self.asked.push_back(Asked { number, said: said.clone(), reference, taken_at });
        Ok(said)
    }

    /// Takes one out that is answered; none, when it is not waited for any more.
    pub fn answered(&mut self, number: u64) -> Option<Asked> {
        let at = self.asked.iter().position(|asked| asked.number == number)?;
        self.take(at)
    }

    /// Takes the oldest out, if it is older than that.
    pub fn expired(&mut self, taken_before: Instant) -> Option<Asked> {
        if self.asked.front()?.taken_at > taken_before {
            return None;
        }
        self.take(0)
    }

    fn take(&mut self, at: usize) -> Option<Asked> {
        let asked = self.asked.remove(at)?;
        self.data_bytes -= asked.data_bytes();
        if self.asked.is_empty() {
            // An idle connection keeps no memory for it.
            self.asked = VecDeque::new();
        }
        Some(asked)
    }

    /// All of it, as an owner is told.
    pub fn said(&self) -> Vec<Said> {
        self.asked.iter().map(|asked| asked.said.clone()).collect()
    }

    /// What waits goes ahead of this report, and its answers tell the client of its own steps: the ledger need not tell of them as of another device's.
    pub fn count_in(&self, mut report: Attach) -> Attach {
        let Greeting::Again { steps, .. } = &mut report.greeting else { return report };
        for (key, step) in report.open.iter().zip(steps) {
            let own = self.asked.iter().filter_map(|asked| match &asked.said {
                Said::Ack { ack, .. } if ack.id == key.id && ack.window == key.window => Some(ack.step),
                _ => None,
            });
            *step = own.fold(*step, u32::max);
        }
        report
    }

    /// Since when the oldest waits.
    pub fn oldest(&self) -> Option<Instant> {
        self.asked.front().map(|asked| asked.taken_at)
    }
}

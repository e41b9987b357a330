//! One greeted connection, as its edge knows it: what was written to it, what it waits for, and which owner speaks for it. Pure: time and owners come in, messages go
//! out; nothing is sent here.
//!
//! [`books`] is what it was told, [`pending`] what it asked, [`told`] what becomes of an owner's words, [`tending`] what becomes of time and of owners that change.

pub mod books;
pub mod pending;
mod tending;
mod told;

use metrics::counter;
use std::time::Instant;

use super::admission::{Admitted, HelloAcks};
use crate::ledger::command::{Ack, Attach, Departure, Greeting, Key, Visibility};
use crate::ledger::ids::{ConnectionId, DeviceId, EngagementId, UserId};
use crate::ledger::time::{LedgerTime, Millis};
use crate::ports::owners::Owner;
use crate::ports::session::{Attempt, Said, ToOwner};
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;
use crate::telemetry::names;

use books::Books;
use pending::{Pending, Question};

pub use tending::Sight;
pub use told::Told;

/// See the head of the file.
#[derive(Debug)]
pub struct Session {
    user: UserId,
    device: DeviceId,
    connection: ConnectionId,
    max_in_flight: u16,
    /// What the device said of itself last.
    visibility: Visibility,
    /// The hello, until it is answered.
    hello: Option<Box<Hello>>,
    /// Counts the attaches. What an owner says to an earlier one means nothing.
    attempt: u32,
    stage: Stage,
    /// Whom the last attach was asked of.
    asked: Option<Owner>,
    /// The last owner that spoke for it.
    vouched: Option<Owner>,
    /// Attaches in a row that came to nothing.
    tries: u32,
    opened_at: Instant,
    /// No owner speaks for it.
    is_astray: bool,
    /// Until when the client keeps what it holds meanwhile.
    kept_until: Option<Instant>,
    books: Books,
    pending: Pending,
    /// What is told follows on a later attach.
    is_resuming: bool,
    /// Ledger time, as it was last heard, and when that was.
    heard_at: (LedgerTime, Instant),
}

/// What is kept of a hello.
#[derive(Debug)]
struct Hello {
    acks: Vec<Ack>,
    open: Vec<Key>,
    answers: HelloAcks,
}

/// How the session stands with its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// No owner knows of it, or none that may be believed. To be attached then, or as soon as there is another owner.
    Adrift { retry_at: Instant },
    /// An owner was asked, and has not answered.
    Attaching { owner: Owner, since: Instant },
    /// This owner speaks for it.
    Attached(Owner),
    /// Over: nothing is said or heard any more.
    Ended,
}

/// What a client says after its hello.
#[derive(Debug)]
pub enum Heard {
    /// An ack or a dismiss, with the client's own number for it.
    Asked {
        question: Question,
        reference: Option<i64>,
    },
    Visible(Visibility),
    Seen(EngagementId),
}

/// What becomes of what a client said.
#[derive(Debug, Default)]
pub struct Spoken {
    /// For this owner, now; where there is none, the next attach brings what needs an answer.
    pub to_owner: Option<(Owner, ToOwner)>,
    /// To be answered at once.
    pub refusals: Vec<Refusal>,
}

impl Session {
    /// Of a hello that was admitted; to be attached at once.
    #[must_use]
    pub fn new(admitted: Admitted, now: Instant) -> Session {
        let Admitted { user, attach, acks: answers, .. } = admitted;
        let Attach { device, connection, visibility, max_in_flight, acks, open, .. } = attach;
        Session {
            user,
            device,
            connection,
            max_in_flight,
            visibility,
            hello: Some(Box::new(Hello { acks, open, answers })),
            attempt: 0,
            stage: Stage::Adrift { retry_at: now },
            asked: None,
            vouched: None,
            tries: 0,
            opened_at: now,
            is_astray: true,
            kept_until: None,
            books: Books::default(),
            pending: Pending::default(),
            is_resuming: false,
            heard_at: (LedgerTime(0), now),
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.user
    }

    /// Whether the hello is answered: until then, nothing else may be told.
    #[must_use]
    pub fn is_welcomed(&self) -> bool {
        self.hello.is_none()
    }

    /// Whether it waits for an owner.
    #[must_use]
    pub fn is_adrift(&self) -> bool {
        matches!(self.stage, Stage::Adrift { .. })
    }

    /// The owner that is asked, or speaks for it.
    fn owner(&self) -> Option<Owner> {
        match self.stage {
            Stage::Attaching { owner, .. } | Stage::Attached(owner) => Some(owner),
            Stage::Adrift { .. } | Stage::Ended => None,
        }
    }

    fn attempt(&self) -> Attempt {
        Attempt { connection: self.connection, number: self.attempt }
    }

    /// Whether what is said to this attempt is meant for it as it is now.
    #[must_use]
    pub fn is_current(&self, attempt: Attempt) -> bool {
        attempt == self.attempt() && self.owner().is_some()
    }

    /// Whether it is of this term that its owner must speak.
    #[must_use]
    pub fn is_of_term(&self, term: u64) -> bool {
        self.owner().is_some_and(|owner| owner.term == term)
    }

    /// Asks an owner: with the hello again while that is not answered; else with all that the client was told. What is not answered comes along.
    pub fn attach(&mut self, owner: Owner, now: Instant) -> ToOwner {
        self.attempt += 1;
        self.stage = Stage::Attaching { owner, since: now };
        self.asked = Some(owner);
        let attach = Attach {
            device: self.device.clone(),
            connection: self.connection,
            visibility: self.visibility,
            max_in_flight: self.max_in_flight,
            acks: Vec::new(),
            open: Vec::new(),
            greeting: Greeting::Hello,
        };
        let (attach, greeting) = match &self.hello {
            Some(hello) => (Attach { acks: hello.acks.clone(), open: hello.open.clone(), ..attach }, "hello"),
            None => (self.pending.count_in(self.books.report(attach)), "again"),
        };
        counter!(names::SESSION_ATTACHES_TOTAL, "greeting" => greeting).increment(1);
        ToOwner::Attach { user: self.user.clone(), attempt: self.attempt(), attach, said: self.pending.said() }
    }

    /// Takes what the client said. At most `pending_max` of its questions wait for an answer.
    pub fn say(&mut self, heard: Vec<Heard>, now: Instant, pending_max: usize) -> Spoken {
        let mut spoken = Spoken::default();
        if self.stage == Stage::Ended {
            return spoken;
        }
        let mut said = Vec::with_capacity(heard.len());
        for heard in heard {
            match heard {
                Heard::Asked { question, reference } => match self.pending.ask(question, reference, now, pending_max) {
                    Ok(question) => said.push(question),
                    Err(question) => {
                        let (id, window) = question.key();
                        spoken.refusals.push(too_much_waits().with_reference(reference).with_key(id, window));
                    }
                },
                Heard::Visible(visibility) => {
                    self.visibility = visibility;
                    said.push(Said::Visible(visibility));
                }
                Heard::Seen(id) => said.push(Said::Seen(id)),
            }
        }
        if let Some(owner) = self.owner().filter(|_| !said.is_empty()) {
            spoken.to_owner = Some((owner, ToOwner::Said { user: self.user.clone(), attempt: self.attempt(), said }));
        }
        spoken
    }

    /// The connection is over. Gives back whom to tell: the ledger may have it, as long as the owner that was asked last is the owner.
    pub fn close(&mut self, departure: Departure) -> Option<(Owner, ToOwner)> {
        if std::mem::replace(&mut self.stage, Stage::Ended) == Stage::Ended {
            return None;
        }
        let gone = ToOwner::Gone { user: self.user.clone(), device: self.device.clone(), attempt: self.attempt(), departure };
        self.asked.map(|owner| (owner, gone))
    }

    /// The connection is over, and the owner knows.
    pub fn end(&mut self) {
        self.stage = Stage::Ended;
    }

    /// About what the owner would call the time.
    fn ledger_time(&self, now: Instant) -> LedgerTime {
        let (at, heard_at) = self.heard_at;
        let passed = now.saturating_duration_since(heard_at).as_millis();
        at.plus(Millis(u64::try_from(passed).unwrap_or(u64::MAX)))
    }
}

fn too_much_waits() -> Refusal {
    Refusal::new(Code::RateLimited, "too much waits for this user; hint: send it again in a second")
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;

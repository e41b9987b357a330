//! The one task that proposes a shard's commands: it makes entries of what waits, keeps a few of them in flight, and hands their results on in order.
//! It proposes nothing in a term before that term's `Takeover` is applied; and it proposes `Advance` when something is due. It alone says to the actors when this
//! node begins and ceases to own the shard.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openraft::impls::ProgressResponder;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info};

use super::config::Tuning;
use super::hold::Hold;
use super::in_flight::{Answer, InFlight, Note};
use super::ledger_cell::LedgerCell;
use super::queue::Queue;
use super::types::{Batch, CommittedLeader, Data, Raft, Replies, TypeConfig, WriteResult};
use crate::clock::{self, Stamper};
use crate::ledger::Command;
use crate::ledger::effect::Effect;
use crate::ledger::ids::ShardId;
use crate::ledger::limits::Settings;
use crate::ledger::time::LedgerTime;
use crate::ports::{CarryOut, ProposeError};

/// Right after an election a leader may refuse for a few ms.
const TAKEOVER_RETRY_FIRST: Duration = Duration::from_millis(2);
const TAKEOVER_RETRY_MAX: Duration = Duration::from_millis(250);
/// The pause after an `Advance` that was not applied.
const ADVANCE_PAUSE: Duration = Duration::from_millis(100);
/// A sleep until something is due is no longer than that: the clock may jump meanwhile.
const DUE_SLEEP_MAX: Duration = Duration::from_secs(10);

/// What a proposer works with.
pub struct Parts {
    pub shard: ShardId,
    pub raft: Raft,
    pub ledger: Arc<LedgerCell>,
    pub queue: Arc<Queue>,
    pub effects: Arc<dyn CarryOut>,
    pub settings: Settings,
    pub tuning: Tuning,
    /// The term in which this node leads, if it does.
    pub leading: watch::Receiver<Option<u64>>,
    /// How this node owns the shard, if it does.
    pub serving: watch::Sender<Option<Reign>>,
    /// Changes whenever this node begins or ceases to own some shard.
    pub ownership_changed: Arc<watch::Sender<u64>>,
    /// Asks to hold back what comes.
    pub holds: mpsc::Receiver<Hold>,
}

/// This node owns the shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reign {
    pub term: u64,
    /// When the takeover was proposed, in monotonic ms: a majority stood behind this node then, or later.
    pub proposed_ms: u64,
}

/// One shard's proposer.
pub struct Proposer {
    parts: Parts,
    stage: Stage,
    stamper: Stamper,
    in_flight: InFlight,
    is_advance_in_flight: bool,
    /// Time passes no earlier, unless a reader asks for it.
    advance_not_before: Instant,
    holding: Option<Hold>,
    /// It was the owner before.
    has_served: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Another node leads, or none: commands are refused.
    Following,
    /// This node leads, and is to propose its takeover after `delay`: commands wait.
    Elected { term: u64, delay: Duration },
    /// The takeover is proposed, after `delay`: commands wait.
    TakingOver { term: u64, delay: Duration, proposed_ms: u64 },
    /// Commands are proposed.
    Serving { term: u64 },
}

enum Event {
    Finished(Result<Replies, ProposeError>),
    Leading(Option<u64>),
    /// There may be something to propose.
    Ready,
    /// The time that [`Proposer::until_something_is_to_do`] told is over.
    Slept,
    Hold(Hold),
    Released,
    Stop,
}

impl Proposer {
    pub fn new(parts: Parts) -> Proposer {
        let stamper = Stamper::new(parts.ledger.read(crate::ledger::Ledger::now));
        let in_flight = InFlight::new(parts.shard);
        Proposer {
            parts,
            stage: Stage::Following,
            stamper,
            in_flight,
            is_advance_in_flight: false,
            advance_not_before: clock::monotonic(),
            holding: None,
            has_served: false,
        }
    }

    /// Runs until `stop` is dropped or sent to; then refuses what waits, and hands on what is still in flight.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let term = *self.parts.leading.borrow_and_update();
        self.lead(term);
        loop {
            self.propose_what_waits().await;
            self.tell_held();
            match self.next_event(&mut stop).await {
                Event::Finished(result) => self.finish(result),
                Event::Leading(term) => self.lead(term),
                Event::Ready => {}
                Event::Slept => self.take_over_if_elected().await,
                Event::Hold(hold) => self.holding = Some(hold),
                Event::Released => self.holding = None,
                Event::Stop => break,
            }
        }
        self.leave();
        self.stage = Stage::Following;
        self.parts.queue.close();
        while self.in_flight.len() > 0 {
            let result = self.in_flight.result().await;
            self.finish(result);
        }
    }

    async fn next_event(&mut self, stop: &mut oneshot::Receiver<()>) -> Event {
        let has_room = self.has_room();
        let wakes_for_commands = match self.stage {
            Stage::Following => true,
            Stage::Serving { .. } => has_room,
            Stage::Elected { .. } | Stage::TakingOver { .. } => false,
        };
        let sleep = self.until_something_is_to_do();
        tokio::select! {
            biased;
            _ = stop => Event::Stop,
            changed = self.parts.leading.changed() => match changed {
                Ok(()) => Event::Leading(*self.parts.leading.borrow_and_update()),
                Err(_) => Event::Stop,
            },
            result = self.in_flight.result() => Event::Finished(result),
            () = until_released(&mut self.holding), if self.holding.is_some() => Event::Released,
            Some(hold) = self.parts.holds.recv(), if self.holding.is_none() => Event::Hold(hold),
            () = self.parts.queue.ready(), if wakes_for_commands => Event::Ready,
            () = tokio::time::sleep(sleep.unwrap_or_default()), if sleep.is_some() => Event::Slept,
        }
    }

    /// How long until a takeover is to be tried again, or something is due.
    fn until_something_is_to_do(&mut self) -> Option<Duration> {
        match self.stage {
            Stage::Elected { delay, .. } => Some(delay),
            Stage::Serving { .. } if self.has_room() && !self.is_advance_in_flight => {
                let due = self.parts.ledger.next_due()?;
                let pause = self.advance_not_before.saturating_duration_since(clock::monotonic());
                Some(Duration::from_millis(due.since(self.stamper.stamp()).0).min(DUE_SLEEP_MAX).max(pause))
            }
            _ => None,
        }
    }

    fn has_room(&self) -> bool {
        self.holding.is_none() && self.in_flight.len() < self.parts.tuning.entries_in_flight_max
    }

    /// Tells who asked to hold that nothing is in flight.
    fn tell_held(&mut self) {
        if self.in_flight.len() == 0
            && let Some(hold) = &mut self.holding
        {
            hold.tell();
        }
    }

    /// This node ceases to own the shard.
    fn leave(&mut self) {
        if let Stage::Serving { term } = self.stage {
            self.parts.serving.send_replace(None);
            self.parts.effects.disowned(self.parts.shard);
            self.tell_ownership();
            debug!(shard = self.parts.shard.0, term, "shard no longer owned");
        }
    }

    fn tell_ownership(&self) {
        self.parts.ownership_changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn lead(&mut self, term: Option<u64>) {
        self.leave();
        self.stage = match term {
            Some(term) => Stage::Elected { term, delay: Duration::ZERO },
            None => Stage::Following,
        };
    }

    async fn take_over_if_elected(&mut self) {
        let Stage::Elected { term, delay } = self.stage else { return };
        if mutant!(TakeoverSkipped) {
            return self.serve(Reign { term, proposed_ms: clock::monotonic_ms() }, Vec::new());
        }
        self.stage = Stage::TakingOver { term, delay, proposed_ms: clock::monotonic_ms() };
        // All connections, those of this node too, get a lease and report in again.
        let takeover = Command::Takeover { settings: self.parts.settings.clone(), edges: Vec::new() };
        let at = self.stamper.stamp();
        // A takeover renews all leases.
        self.stamper.take_jump();
        self.propose((term, at), vec![takeover], vec![Answer::Takeover { term }]).await;
    }

    async fn propose_what_waits(&mut self) {
        match self.stage {
            Stage::Following => self.parts.queue.refuse_all(),
            // It takes too long to let anybody wait for it.
            Stage::Elected { delay, .. } if delay >= TAKEOVER_RETRY_MAX => self.parts.queue.refuse_all(),
            Stage::Elected { .. } | Stage::TakingOver { .. } => {}
            Stage::Serving { term } => while self.has_room() && self.propose_one(term).await {},
        }
    }

    /// Proposes one entry of what waits; false when nothing does.
    async fn propose_one(&mut self, term: u64) -> bool {
        let at = self.stamper.stamp();
        let has_jumped = self.stamper.take_jump();
        let advance = self.take_advance(at);
        let waiting = self.parts.queue.take(self.parts.tuning.entry_commands_max, self.parts.tuning.entry_bytes_max);
        let count = waiting.len() + usize::from(advance.is_some()) + usize::from(has_jumped);
        // Exactly: the log keeps the commands as they lie here, and most entries have few.
        let (mut commands, mut answers) = (Vec::with_capacity(count), Vec::with_capacity(count));
        if has_jumped {
            // Ahead of all that lets time pass: a lease is a span of real time, whatever the clock does (G6).
            commands.push(Command::RenewLeases);
            answers.push(Answer::RenewLeases);
        }
        if let Some(readers) = advance {
            self.is_advance_in_flight = true;
            commands.push(Command::Advance);
            answers.push(Answer::Advance(readers));
        }
        for queued in waiting {
            commands.push(queued.command);
            answers.push(Answer::Caller(queued.done));
        }
        if commands.is_empty() {
            return false;
        }
        self.propose((term, at), commands, answers).await;
        true
    }

    /// Whether an `Advance` is to be proposed, and who waits for it.
    fn take_advance(&mut self, now: LedgerTime) -> Option<Vec<oneshot::Sender<()>>> {
        if self.is_advance_in_flight {
            return None;
        }
        let readers = self.parts.queue.take_readers();
        let is_due = self.parts.ledger.next_due().is_some_and(|due| due <= now) && clock::monotonic() >= self.advance_not_before;
        (is_due || !readers.is_empty()).then_some(readers)
    }

    async fn propose(&mut self, (term, at): (u64, LedgerTime), commands: Vec<Command>, mut answers: Vec<Answer>) {
        let batch = Batch { at, commands: Arc::new(commands) };
        if mutant!(AnswerBeforeCommit) || mutant!(OfferWithoutCommit) {
            self.guess(&batch, &mut answers);
        }
        let (responder, result) = ProgressResponder::<TypeConfig, WriteResult>::complete_only();
        // Bound to the term, so that nothing gets into a later one before that one's takeover.
        let write = self.parts.raft.write(Data::Commands(batch)).with_leader(CommittedLeader::new(term)).responder(responder);
        if let Err(error) = write.await {
            // The responder is gone with it, which ends the entry in flight.
            debug!(shard = self.parts.shard.0, %error, "the group has stopped");
        }
        self.in_flight.push(result, answers);
    }

    /// A deliberate bug: does as if the entry were committed already.
    fn guess(&self, batch: &Batch, answers: &mut [Answer]) {
        let mut ledger = self.parts.ledger.read(crate::ledger::Ledger::clone);
        for (command, answer) in batch.commands.iter().zip(answers) {
            let applied = ledger.apply(command.clone(), batch.at);
            match answer {
                Answer::Caller(_) if mutant!(OfferWithoutCommit) => self.carry_out(applied.effects),
                Answer::Caller(done) => std::mem::replace(done, Box::new(|_| ()))(Ok(applied)),
                Answer::Advance(_) | Answer::RenewLeases | Answer::Takeover { .. } => {}
            }
        }
    }

    fn finish(&mut self, result: Result<Replies, ProposeError>) {
        for note in self.in_flight.finish(result) {
            match (note, self.stage) {
                (Note::Advanced { effects, readers }, stage) => {
                    self.is_advance_in_flight = false;
                    // Of an earlier reign they are void: who has lost the shard has lost its connections.
                    if matches!(stage, Stage::Serving { .. }) {
                        self.carry_out(effects);
                        for reader in readers {
                            // It may have gone.
                            reader.send(()).ok();
                        }
                    }
                }
                (Note::NotAdvanced, _) => {
                    self.is_advance_in_flight = false;
                    // A leader that has lost its majority is refused at once, and may be for a while.
                    self.advance_not_before = clock::monotonic() + ADVANCE_PAUSE;
                }
                (Note::LeasesRenewed { effects }, stage) => {
                    if matches!(stage, Stage::Serving { .. }) {
                        self.carry_out(effects);
                    }
                }
                // The stamps that follow are as far ahead.
                (Note::LeasesNotRenewed, _) => self.stamper.jump_again(),
                (Note::TakenOver { term, effects }, Stage::TakingOver { term: current, proposed_ms, .. }) if term == current => {
                    self.serve(Reign { term, proposed_ms }, effects);
                }
                (Note::NotTakenOver { term }, Stage::TakingOver { term: current, delay, .. }) if term == current => {
                    let delay = (delay * 2).clamp(TAKEOVER_RETRY_FIRST, TAKEOVER_RETRY_MAX);
                    self.stage = Stage::Elected { term, delay };
                }
                (Note::TakenOver { .. } | Note::NotTakenOver { .. }, _) => {}
            }
        }
    }

    fn carry_out(&self, effects: Vec<Effect>) {
        if !effects.is_empty() {
            self.parts.effects.carry_out(effects);
        }
    }

    fn serve(&mut self, reign: Reign, effects: Vec<Effect>) {
        let (shard, term) = (self.parts.shard, reign.term);
        self.stage = Stage::Serving { term };
        // All that earlier leaders stamped is applied now.
        self.stamper.go_on_from(self.parts.ledger.read(crate::ledger::Ledger::now));
        self.parts.effects.owned(shard, term);
        self.carry_out(effects);
        self.parts.serving.send_replace(Some(reign));
        self.tell_ownership();
        // At the start all shards are owned within a moment, which one line says for all of them.
        if std::mem::replace(&mut self.has_served, true) {
            info!(shard = shard.0, term, "shard owned again");
        } else {
            debug!(shard = shard.0, term, "shard owned");
        }
    }
}

async fn until_released(holding: &mut Option<Hold>) {
    if let Some(hold) = holding {
        hold.released().await;
    }
}

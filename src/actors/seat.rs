//! A session in its place: locked, with the way to its client and to its owner. All that happens to a session goes through here, one thing at a time: what is said by
//! the client, told by the owner, and due by time. Under the lock nothing waits, and nobody who is called from here calls back.

use metrics::counter;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::admission::Admitted;
use super::desk::{Desk, NotDelivered};
use super::outbox::{Ending, Outbox, OutboxError};
use super::routes::Routes;
use super::says::Says;
use super::session::{Heard, Session, Sight, Told};
use crate::clock;
use crate::ledger::command::Departure;
use crate::ledger::ids::{ConnectionId, ShardId};
use crate::ports::owners::Owner;
use crate::ports::session::{Item, ToEdge, ToOwner};
use crate::protocol::refusal::Refusal;
use crate::telemetry::names;

/// See the head of the file.
pub struct Seat {
    pub connection: ConnectionId,
    pub shard: ShardId,
    routes: Arc<Routes>,
    outbox: Arc<dyn Outbox>,
    session: Mutex<Session>,
    /// When the session is to be looked at next, ms since the routes were made; the end of time, while nothing is due.
    due_ms: AtomicU64,
}

impl Seat {
    /// For a hello that was admitted. It is asked for at an owner by the first [`Seat::tend`].
    pub(super) fn new(routes: Arc<Routes>, outbox: Arc<dyn Outbox>, admitted: Admitted) -> Arc<Seat> {
        let (connection, shard) = (admitted.attach.connection, routes.owners.shard_of(&admitted.user));
        let session = Mutex::new(Session::new(admitted, clock::monotonic()));
        Arc::new(Seat { connection, shard, routes, outbox, session, due_ms: AtomicU64::new(0) })
    }

    /// Takes what the client said; gives back what it is to be told at once.
    pub fn say(self: &Arc<Self>, heard: Vec<Heard>) -> Vec<Refusal> {
        let now = clock::monotonic();
        let mut session = self.session();
        let spoken = session.say(heard, now, self.routes.limits.user_queue_max);
        if let Some(to_owner) = spoken.to_owner {
            self.send(&mut session, to_owner, now);
        }
        self.note_due(&session);
        spoken.refusals
    }

    /// Takes what an owner on another node says.
    pub(super) fn take_letter(&self, words: ToEdge) {
        let mut farewell = None;
        self.take(words, |session| farewell = session.close(Departure::Lost));
        self.say_goodbye(farewell);
    }

    /// Takes what its owner says. A client that doesn't read is cut.
    fn take(&self, words: ToEdge, cut: impl FnOnce(&mut Session)) {
        let now = clock::monotonic();
        let ToEdge { attempt, shard, term, items } = words;
        let mut session = self.session();
        if !session.is_current(attempt) {
            return dropped("attempt");
        }
        // Who has nothing to say for a shard has no term either.
        if items == [Item::NotNow] {
            session.back_off(now);
        } else if !(session.is_of_term(term) || mutant!(OldTermIsHeard))
            || !(self.routes.owners.is_valid(shard, term) || mutant!(OwnerWithoutLeaseIsHeard))
        {
            dropped("lease");
            session.back_off(now);
        } else if self.tell(&mut session, items, now) == Fate::Slow {
            cut(&mut session);
        }
        self.note_due(&session);
    }

    /// Does what is due, with this owner in sight.
    pub(super) fn tend(self: &Arc<Self>, owner: Option<Owner>) {
        let now = clock::monotonic();
        let mut session = self.session();
        let of = |vouched: Owner| self.routes.owners.lease_left(self.shard, vouched.term);
        let lease_left = session.vouched().filter(|_| session.is_on_lease()).map(of).unwrap_or_default();
        let mut says = Says::default();
        let sight = Sight { owner, lease_left, now, limits: &self.routes.limits };
        if let Some(to_owner) = session.tend(&sight, &mut says) {
            self.send(&mut session, to_owner, now);
        }
        if self.speak(&session, says) != Fate::Goes {
            self.say_goodbye(session.close(Departure::Lost));
        }
        self.note_due(&session);
    }

    /// Does what is due, with the owner of now.
    pub(super) fn tend_now(self: &Arc<Self>) {
        self.tend(self.routes.owners.owner_of(self.shard));
    }

    /// The connection is over.
    pub(super) fn close(&self, departure: Departure) {
        let farewell = self.session().close(departure);
        self.due_ms.store(u64::MAX, Relaxed);
        self.say_goodbye(farewell);
    }

    /// When it is to be looked at next, ms since the routes were made.
    pub(super) fn due_ms(&self) -> u64 {
        self.due_ms.load(Relaxed)
    }

    fn send(self: &Arc<Self>, session: &mut Session, (owner, message): (Owner, ToOwner), now: Instant) {
        let desk = || Arc::clone(self) as Arc<dyn Desk>;
        if let Err(items) = self.routes.send(owner.node, &desk, message)
            && self.tell(session, items, now) != Fate::Goes
        {
            self.say_goodbye(session.close(Departure::Lost));
        }
    }

    fn say_goodbye(&self, farewell: Option<(Owner, ToOwner)>) {
        if let Some((owner, gone)) = farewell {
            self.routes.say_goodbye(self.shard, owner, gone);
        }
    }

    fn tell(&self, session: &mut Session, items: Vec<Item>, now: Instant) -> Fate {
        let mut says = Says::default();
        session.take(items, &Told { node: &self.routes.node, limits: &self.routes.limits, now }, &mut says);
        self.speak(session, says)
    }

    fn speak(&self, session: &Session, says: Says) -> Fate {
        let Says { batches, ending, expires_at_ms } = says;
        if let Some(expires_at_ms) = expires_at_ms {
            self.outbox.renew(expires_at_ms);
        }
        let is_after_welcome = session.is_welcomed() || ending.is_some();
        let queued = match is_after_welcome {
            _ if batches.is_empty() => Ok(()),
            true => self.outbox.try_send(batches),
            false => batches.into_iter().try_for_each(|batch| self.outbox.answer(batch)),
        };
        if queued == Err(OutboxError::Full) {
            self.outbox.close(Ending::slow_consumer());
            return Fate::Slow;
        }
        match ending {
            Some(ending) => {
                self.outbox.close(ending);
                Fate::Ends
            }
            None => Fate::Goes,
        }
    }

    fn note_due(&self, session: &Session) {
        let due_ms = session.due(&self.routes.limits).map_or(u64::MAX, |due| self.routes.ms(due));
        let before_ms = self.due_ms.swap(due_ms, Relaxed);
        if session.is_adrift() && due_ms < before_ms {
            self.routes.wake();
        }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk for Seat {
    fn deliver(&self, words: ToEdge) -> Result<(), NotDelivered> {
        let mut delivered = Ok(());
        self.take(words, |session| {
            // The owner knows by this.
            session.end();
            delivered = Err(NotDelivered::Cut);
        });
        delivered
    }
}

/// What becomes of a connection that was told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Goes,
    Ends,
    Slow,
}

fn dropped(reason: &'static str) {
    counter!(names::SESSION_DROPPED_TOTAL, "reason" => reason).increment(1);
}

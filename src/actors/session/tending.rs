//! What becomes of a session as time passes and owners change: it is attached anew, gives up on what was not answered, and takes back what it may not hold any more.

use metrics::counter;
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_64;

use super::{Session, Stage};
use crate::actors::limits::Limits;
use crate::actors::outbox::Ending;
use crate::actors::says::Says;
use crate::ledger::effect::WithdrawReason;
use crate::ports::owners::Owner;
use crate::ports::session::ToOwner;
use crate::protocol::code::Code;
use crate::protocol::refusal::Refusal;
use crate::protocol::server_message::ServerMessage;
use crate::telemetry::names;

/// The wait after the first attach that came to nothing; it doubles with each.
const RETRY_FIRST_MS: u64 = 20;
const RETRY_MAX_MS: u64 = 1_000;
/// How often a session without an owner is looked at, for its lease.
const LEASE_POLL: Duration = Duration::from_millis(200);

/// What is known of the session's shard at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    pub owner: Option<Owner>,
    /// What is left of the lease under the last owner that spoke for it, whatever became of that owner.
    pub lease_left: Duration,
    pub now: Instant,
    pub limits: &'a Limits,
}

impl Sight<'_> {
    fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.limits.request_timeout_ms)
    }
}

impl Session {
    /// Does what is due. Gives back what an owner is to be asked, if one is.
    pub fn tend(&mut self, sight: &Sight<'_>, says: &mut Says) -> Option<(Owner, ToOwner)> {
        if self.stage == Stage::Ended {
            return None;
        }
        if !self.is_welcomed() && sight.now >= self.opened_at + sight.request_timeout() {
            says.end(Ending::unavailable());
            return None;
        }
        self.give_up_on_acks(sight, says);
        match self.stage {
            Stage::Attached(owner) | Stage::Attaching { owner, .. } if Some(owner) != sight.owner => self.drift(sight.now),
            Stage::Attaching { since, .. } if sight.now >= since + sight.request_timeout() => self.back_off(sight.now),
            _ => {}
        }
        self.keep_lease(sight, says);
        let Stage::Adrift { retry_at } = self.stage else { return None };
        let Some(owner) = sight.owner else {
            self.stage = Stage::Adrift { retry_at: sight.now + LEASE_POLL };
            return None;
        };
        if Some(owner) != self.asked {
            self.tries = 0;
        } else if sight.now < retry_at {
            return None;
        }
        Some((owner, self.attach(owner, sight.now)))
    }

    /// When it is to be looked at next, if nothing happens before.
    #[must_use]
    pub fn due(&self, limits: &Limits) -> Option<Instant> {
        let request_timeout = Duration::from_millis(limits.request_timeout_ms);
        let stage = match self.stage {
            Stage::Ended => return None,
            Stage::Attached(_) => None,
            Stage::Attaching { since, .. } => Some(since + request_timeout),
            Stage::Adrift { retry_at } => Some(retry_at),
        };
        let hello = (!self.is_welcomed()).then(|| self.opened_at + request_timeout);
        let acks = self.pending.oldest().map(|taken_at| taken_at + request_timeout);
        let lease = self.kept_until.filter(|_| self.books.is_holding());
        [stage, hello, acks, lease].into_iter().flatten().min()
    }

    /// Whether its lease is to be watched.
    #[must_use]
    pub fn is_on_lease(&self) -> bool {
        self.books.is_holding()
    }

    /// The last owner that spoke for it.
    #[must_use]
    pub fn vouched(&self) -> Option<Owner> {
        self.vouched
    }

    /// Its owner is none any more: it is attached to the next one at once.
    pub fn drift(&mut self, now: Instant) {
        self.is_astray = true;
        self.stage = Stage::Adrift { retry_at: now };
    }

    /// Its owner can't serve it now: it is asked again after a while, each at a time of its own.
    pub fn back_off(&mut self, now: Instant) {
        let most_ms = RETRY_FIRST_MS.saturating_mul(1 << self.tries.min(10)).min(RETRY_MAX_MS);
        let draw = xxh3_64(format!("{} {}", self.connection, self.attempt).as_bytes());
        let wait_ms = most_ms / 2 + draw % (most_ms / 2);
        self.tries = self.tries.saturating_add(1);
        self.drift(now + Duration::from_millis(wait_ms));
    }

    fn give_up_on_acks(&mut self, sight: &Sight<'_>, says: &mut Says) {
        let Some(taken_before) = sight.now.checked_sub(sight.request_timeout()) else { return };
        while let Some(asked) = self.pending.expired(taken_before) {
            let key = asked.key();
            let refusal = Refusal::new(Code::Unavailable, "the user's shard gave no answer; hint: keep the ack and send it again")
                .with_reference(asked.reference)
                .with_key(&key.id, key.window);
            counter!(names::ACKS_TOTAL, "result" => refusal.code.name()).increment(1);
            says.tell(&ServerMessage::Error(&refusal));
        }
    }

    /// Takes back what the client holds where the ledger may give it to another device.
    fn keep_lease(&mut self, sight: &Sight<'_>, says: &mut Says) {
        if !self.is_astray || !self.books.is_holding() {
            return;
        }
        // The ledger's lease began no earlier than the one that was on when the way to the owner was lost: at the next takeover, or when the owner noticed. What is told of
        // leases later is not of this connection.
        let kept_until = *self.kept_until.get_or_insert(sight.now + sight.lease_left);
        if sight.now < kept_until || mutant!(EdgeKeepsAfterLease) {
            return;
        }
        counter!(names::LEASES_RUN_OUT_TOTAL).increment(1);
        let at = self.ledger_time(sight.now);
        for key in self.books.take_held() {
            says.tell(&ServerMessage::Withdraw { id: &key.id, window: key.window, reason: WithdrawReason::Moved, at });
        }
    }
}

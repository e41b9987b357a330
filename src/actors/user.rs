//! The actor of one user, on the node that owns the user: the only one who proposes commands for the user and the only one who speaks for the ledger to the user's
//! connections, on whichever nodes they are. It hands commands on in order, a bounded number at a time; says each answer to who asked, then carries the effects out,
//! before it looks at anything else. It decides nothing.
//!
//! [`asks`] is what comes in, [`answers`] what the ledger says to it, [`effects`] what the connections are told.

mod asks;
mod answers;
mod effects;

use actix::{Actor, ActorContext as _, AsyncContext as _, Context, Handler};
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::door::Door;
use super::live::LiveSet;
use super::live::SentBack;
use super::notices::Notices;
use super::registry::{Registry, Shared};
use super::settled::Settled;
use super::step::Step;
use super::work::{Asker, Errand, ToUser, Work};
use crate::ledger::Command;
use crate::ledger::command::Departure;
use crate::ledger::ids::{ConnectionId, DeviceId, UserId};
use crate::ledger::time::LedgerTime;

/// The first wait before the ledger is told again what it must know; it doubles with each try.
const RETRY_MS: u64 = 100;
const RETRY_MAX_MS: u64 = 5_000;
/// By then, a link that is up has had room.
const SENT_BACK_TRIES_MAX: u32 = 12;

/// See the head of the file.
pub struct User {
    user: UserId,
    door: Arc<Door>,
    registry: Weak<Registry>,
    shared: Arc<Shared>,
    live: LiveSet,
    /// Counts how often the shard was lost. What was proposed before means nothing to who is connected after.
    reign: u32,
    /// Connections whose edges must ask anew, and could not be told yet.
    unheard: Vec<SentBack>,
    /// Commands that wait to be proposed. What comes from outside is refused past `user_queue_max`; what the ledger must know (one command for each connection that
    /// ended or changed) goes past it.
    queue: VecDeque<Work>,
    /// Commands of this reign that are proposed and not answered. Invariant: at most `user_in_flight_max`.
    in_flight: usize,
    /// What waits to be told again.
    retries: usize,
    settled: Settled,
    notices: Notices,
    /// Ledger time of the last answer.
    last_at: LedgerTime,
    has_timer: bool,
    was_touched: bool,
}

impl Actor for User {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.leave_when_idle(context);
    }
}

impl Handler<ToUser> for User {
    type Result = ();

    fn handle(&mut self, message: ToUser, context: &mut Self::Context) {
        self.door.entered();
        self.was_touched = true;
        match message {
            ToUser::Attach(arrival) => self.attach(*arrival),
            ToUser::Said { attempt, said } => self.said(attempt, said),
            ToUser::Gone { device, attempt, departure } => self.gone(device, attempt, departure),
            ToUser::Call(call) => self.call(*call),
            ToUser::Decided(decided) => self.decided(*decided, context),
            ToUser::Effects(effects) => {
                let mut step = Step::default();
                self.carry_out(&mut step, effects);
                self.speak(step);
            }
            ToUser::Notice(notice) => self.notice(*notice),
            ToUser::Posted { device, said } => self.posted(&device, said),
            ToUser::Renew { device, expires_at_ms } => self.renew(&device, expires_at_ms),
            ToUser::Disowned => self.disowned(),
            ToUser::EdgeLost(node) => self.edge_lost(node),
        }
        self.repeat_unheard(context);
        self.propose_waiting();
        self.leave_when_idle(context);
    }
}

impl User {
    /// An actor that has heard nothing yet.
    pub fn new(user: UserId, door: Arc<Door>, registry: Weak<Registry>, shared: Arc<Shared>) -> User {
        User {
            user,
            door,
            registry,
            shared,
            live: LiveSet::default(),
            reign: 0,
            unheard: Vec::new(),
            queue: VecDeque::new(),
            in_flight: 0,
            retries: 0,
            settled: Settled::default(),
            notices: Notices::default(),
            last_at: LedgerTime(0),
            has_timer: false,
            was_touched: false,
        }
    }

    fn queue_is_full(&self) -> bool {
        self.queue.len() >= self.shared.limits.user_queue_max
    }

    fn propose_waiting(&mut self) {
        while self.in_flight < self.shared.limits.user_in_flight_max {
            let Some(Work { command, asker }) = self.queue.pop_front() else {
                // An idle user keeps no memory for it.
                self.queue = VecDeque::new();
                return;
            };
            self.in_flight += 1;
            let errand = Errand::new(Arc::clone(&self.door), self.reign, asker);
            self.shared.propose.propose(command, Box::new(move |result| errand.done(result)));
        }
    }

    /// Tells the ledger that a connection ended.
    fn tell_gone(&mut self, device: DeviceId, connection: ConnectionId, departure: Departure, tries: u32) {
        let command = Command::Detach { user: self.user.clone(), device: device.clone(), connection, departure };
        self.queue.push_back(Work { command, asker: Asker::Gone { device, connection, departure, tries } });
    }

    /// Tells the ledger what a device last said of itself.
    fn tell_visible(&mut self, connection: ConnectionId, tries: u32) {
        let Some(live) = self.live.get(connection) else { return };
        let visibility = live.visibility;
        let command = Command::Visible { user: self.user.clone(), device: live.device.clone(), connection, visibility };
        self.queue.push_back(Work { command, asker: Asker::Visible { connection, visibility, tries } });
    }

    /// Tells it again after a while.
    fn tell_again(&mut self, asker: Asker, context: &mut Context<Self>) {
        let tries = match &asker {
            Asker::Gone { tries, .. } | Asker::Visible { tries, .. } => *tries,
            _ => return,
        };
        self.later(tries, context, move |user| match asker {
            // Attached again meanwhile, it is not lost: the ledger has heard of it since.
            Asker::Gone { connection, departure: Departure::Lost, .. } if user.live.get(connection).is_some() => {}
            Asker::Gone { device, connection, departure, tries } => user.tell_gone(device, connection, departure, tries + 1),
            Asker::Visible { connection, tries, .. } => user.tell_visible(connection, tries + 1),
            _ => {}
        });
    }

    /// Does something after a while, which is longer after more tries; not, if the shard is lost meanwhile.
    fn later(&mut self, tries: u32, context: &mut Context<Self>, act: impl FnOnce(&mut User) + 'static) {
        let reign = self.reign;
        self.retries += 1;
        let wait_ms = RETRY_MS.saturating_mul(1 << tries.min(10)).min(RETRY_MAX_MS);
        context.run_later(Duration::from_millis(wait_ms), move |user, context| {
            if user.reign == reign {
                user.retries -= 1;
                act(user);
                user.repeat_unheard(context);
            }
            user.propose_waiting();
            user.leave_when_idle(context);
        });
    }

    /// An edge whose link is full does not know that it missed something: it is told until it has heard. One whose link is down will find out by itself.
    fn repeat_unheard(&mut self, context: &mut Context<Self>) {
        for back in std::mem::take(&mut self.unheard) {
            if back.tries() <= SENT_BACK_TRIES_MAX {
                self.later(back.tries(), context, move |user| user.unheard.extend(back.tell()));
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.live.is_empty() && self.queue.is_empty() && self.in_flight == 0 && self.retries == 0
    }

    /// Leaves after a while without anything to do; stops only when the registry has let go, so that nothing can be sent to it any more.
    fn leave_when_idle(&mut self, context: &mut Context<Self>) {
        if self.has_timer || !self.is_idle() {
            return;
        }
        (self.has_timer, self.was_touched) = (true, false);
        let idle_for = Duration::from_millis(self.shared.limits.actor_idle_ms);
        context.run_later(idle_for, |user, context| {
            user.has_timer = false;
            let may_leave = user.is_idle() && !user.was_touched;
            if may_leave && user.registry.upgrade().is_none_or(|registry| registry.let_go(&user.user, &user.door)) {
                context.stop();
            } else {
                user.leave_when_idle(context);
            }
        });
    }
}

#[cfg(test)]
#[path = "user_tests.rs"]
mod tests;

//! A shard's ledger: its users, its time, what is due, its outcomes. Finds the user whom a command concerns and keeps the books; what happens to a user stands in `user`.

use std::collections::BTreeSet;

use super::command::Command;
use super::content::Lately;
use super::context::{About, Context};
use super::effect::Effect;
use super::expiry::Expiry;
use super::ids::{EdgeId, EngagementId, UserId, WindowId};
use super::limits::Settings;
use super::outcome::{NoticeOutcome, OutcomeLog, What};
use super::reply::{AckReply, Applied, AttachReply, Bound, PublishReply, Reply};
use super::snapshot::View;
use super::store::Store;
use super::time::{LedgerTime, Millis};
use super::user::{USER_BYTES, User};
use super::view::{Counts, DeliveryView, UserView};

/// Most users that one `Advance` attends to.
pub const ADVANCE_USERS_MAX: usize = 256;

/// The state machine of one shard.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub(super) now: LedgerTime,
    pub(super) settings: Settings,
    pub(super) last_window: WindowId,
    pub(super) users: Store,
    pub(super) outcomes: OutcomeLog,
    /// Derived.
    pub(super) lately: Lately,
    /// Invariant: holds each user's next due time. Derived.
    pub(super) expiry: Expiry,
    /// Invariant: the users with devices. Derived; so that a takeover need not look at all users.
    pub(super) connected: BTreeSet<UserId>,
    /// Invariant: the sums over all users. Derived.
    pub(super) counts: Counts,
}

/// What the books say of one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    due: Option<LedgerTime>,
    counts: Counts,
}

impl Share {
    /// What the books should say; nothing of a user who is not kept.
    pub fn of(user: &User) -> Share {
        if user.is_empty() {
            return Share::default();
        }
        let counts = Counts {
            users: 1,
            devices: user.devices.len() as u64,
            buffered_deliveries: user.buffered_count(),
            buffered_bytes: user.buffered_bytes(),
            ledger_bytes: user.bytes(),
        };
        Share { due: user.due, counts }
    }
}

impl Ledger {
    /// Applies one command. Time never runs back: an earlier `at` counts as the last one.
    pub fn apply(&mut self, command: Command, at: LedgerTime) -> Applied {
        self.now = if mutant!(TimeRunsBack) { at } else { self.now.max(at) };
        let mut effects = Vec::new();
        let reply = match command {
            Command::Advance => self.advance(&mut effects),
            Command::Takeover { settings, edges } => self.take_over(settings, &edges, &mut effects),
            Command::RenewLeases => self.renew_leases(&mut effects),
            Command::Notice { user, id, device, outcome } => {
                let what = if outcome == NoticeOutcome::Sent { What::NoticeSent } else { What::NoticeSeen };
                let about = About { id, window: None, device, step: 0, reason: None };
                self.with_context(&user, &mut effects, |context| context.report(what, about));
                Reply::Done
            }
            Command::Forget { user } => self.forget(&user, &mut effects),
            Command::Publish { ref user, .. } | Command::Attach { ref user, .. } => {
                let user = user.clone();
                self.apply_to_anyone(&user, command, &mut effects)
            }
            Command::Ack { ref user, .. }
            | Command::Dismiss { ref user, .. }
            | Command::Withdraw { ref user, .. }
            | Command::Detach { ref user, .. }
            | Command::Visible { ref user, .. } => {
                let user = user.clone();
                self.apply_to_known(&user, command, &mut effects)
            }
        };
        Applied { at: self.now, reply, effects }
    }

    /// These make a user who is not known.
    fn apply_to_anyone(&mut self, id: &UserId, command: Command, effects: &mut Vec<Effect>) -> Reply {
        let has_room = self.counts.ledger_bytes + USER_BYTES <= self.settings.ledger_bytes_max;
        let is_full = !has_room && self.users.get(id).is_none();
        match command {
            Command::Publish { .. } if is_full => Reply::Publish(PublishReply::Full(Bound::Ledger)),
            Command::Publish { engagement, .. } => {
                self.users.get_or_insert(id);
                let reply = self.with_user(id, effects, |user, context| user.publish(context, &engagement));
                Reply::Publish(reply.expect("the user was just put in"))
            }
            Command::Attach { .. } if is_full => Reply::Attach(AttachReply::Full),
            Command::Attach { attach, .. } => {
                self.users.get_or_insert(id);
                let reply = self.with_user(id, effects, |user, context| user.attach(context, &attach));
                Reply::Attach(reply.expect("the user was just put in"))
            }
            _ => unreachable!("only a publish and an attach come here"),
        }
    }

    /// These mean nothing for a user who is not known.
    fn apply_to_known(&mut self, id: &UserId, command: Command, effects: &mut Vec<Effect>) -> Reply {
        match command {
            Command::Ack { by, ack, .. } => {
                let reply = self.with_user(id, effects, |user, context| user.ack(context, &by, &ack));
                Reply::Ack(reply.unwrap_or(AckReply::Unknown { id: ack.id, window: ack.window }))
            }
            Command::Dismiss { by, id: engagement, window, .. } => {
                let reply = self.with_user(id, effects, |user, context| user.dismiss(context, &by, &engagement, window));
                Reply::Ack(reply.unwrap_or(AckReply::Unknown { id: engagement, window }))
            }
            Command::Withdraw { id: engagement, .. } => {
                let reply = self.with_user(id, effects, |user, context| user.withdraw(context, &engagement));
                Reply::Withdraw(reply.flatten())
            }
            Command::Detach { device, connection, departure, .. } => {
                self.with_user(id, effects, |user, context| user.detach(context, &device, connection, departure));
                Reply::Done
            }
            Command::Visible { device, connection, visibility, .. } => {
                self.with_user(id, effects, |user, _| user.set_visibility(&device, connection, visibility));
                Reply::Done
            }
            _ => unreachable!("the other commands are taken elsewhere"),
        }
    }

    /// Lets time pass for a user, runs `change`, offers what can be offered, and keeps the books. `None`: the user is not known.
    fn with_user<R>(&mut self, id: &UserId, effects: &mut Vec<Effect>, change: impl FnOnce(&mut User, &mut Context<'_>) -> R) -> Option<R> {
        let user = self.users.get_mut(id)?;
        let before = Share::of(user);
        let mut context = Context {
            at: self.now,
            user: id,
            settings: &self.settings,
            last_window: &mut self.last_window,
            outcomes: &mut self.outcomes,
            lately: &mut self.lately,
            effects,
            bytes_left: self.settings.ledger_bytes_max.saturating_sub(self.counts.ledger_bytes),
        };
        user.pass_time(&mut context);
        let result = change(user, &mut context);
        user.fill(&mut context);
        user.due = user.next_due(self.now);
        let after = Share::of(user);
        if user.is_empty() {
            self.users.remove(id);
        }
        self.keep_books(id, before, after);
        Some(result)
    }

    pub(super) fn keep_books(&mut self, id: &UserId, before: Share, after: Share) {
        self.expiry.change(id, before.due, after.due);
        match (before.counts.devices > 0, after.counts.devices > 0) {
            (false, true) => drop(self.connected.insert(id.clone())),
            (true, false) => drop(self.connected.remove(id)),
            (true, true) | (false, false) => {}
        }
        let (counts, before, after) = (&mut self.counts, before.counts, after.counts);
        counts.users = counts.users + after.users - before.users;
        counts.devices = counts.devices + after.devices - before.devices;
        counts.buffered_deliveries = counts.buffered_deliveries + after.buffered_deliveries - before.buffered_deliveries;
        counts.buffered_bytes = counts.buffered_bytes + after.buffered_bytes - before.buffered_bytes;
        counts.ledger_bytes = counts.ledger_bytes + after.ledger_bytes - before.ledger_bytes;
    }

    /// A context without a user's state, for what concerns the outcome log alone.
    fn with_context(&mut self, user: &UserId, effects: &mut Vec<Effect>, change: impl FnOnce(&mut Context<'_>)) {
        change(&mut Context {
            at: self.now,
            user,
            settings: &self.settings,
            last_window: &mut self.last_window,
            outcomes: &mut self.outcomes,
            lately: &mut self.lately,
            effects,
            bytes_left: 0,
        });
    }

    fn advance(&mut self, effects: &mut Vec<Effect>) -> Reply {
        for id in self.expiry.due(self.now, ADVANCE_USERS_MAX) {
            self.with_user(&id, effects, |_, _| ());
        }
        Reply::Done
    }

    fn forget(&mut self, id: &UserId, effects: &mut Vec<Effect>) -> Reply {
        self.with_user(id, effects, |user, context| user.forget(context));
        Reply::Done
    }

    fn take_over(&mut self, settings: Settings, edges: &[EdgeId], effects: &mut Vec<Effect>) -> Reply {
        if settings.window_carry != self.settings.window_carry {
            self.change_carry(&settings);
        }
        self.settings = settings;
        for id in self.connected.clone() {
            // Before time passes for them: a lease that another clock granted must not run out by this one (G6).
            let user = self.users.get_mut(&id).expect("who is connected is known");
            let lease = if mutant!(LeaseSkippedAtTakeover) { Millis(0) } else { self.settings.lease };
            user.start_leases(self.now.plus(lease), edges);
            self.with_user(&id, effects, |_, _| ());
        }
        Reply::Done
    }

    fn renew_leases(&mut self, effects: &mut Vec<Effect>) -> Reply {
        for id in self.connected.clone() {
            let user = self.users.get_mut(&id).expect("who is connected is known");
            // Before time passes for them, as at a takeover.
            if user.renew_leases(self.now.plus(self.settings.lease)) {
                self.with_user(&id, effects, |_, _| ());
            }
        }
        Reply::Done
    }

    /// Another carry moves the times at which records are forgotten, of all users.
    fn change_carry(&mut self, settings: &Settings) {
        let all: Vec<UserId> = self.users.iter().map(|(id, _)| id.clone()).collect();
        for id in &all {
            let user = self.users.get_mut(id).expect("it was just listed");
            let before = Share::of(user);
            user.settled.reckon_due(settings.window_carry);
            // Who is behind stays due.
            user.due = user.due.filter(|due| *due <= self.now).or_else(|| user.next_due(self.now));
            let after = Share::of(user);
            self.keep_books(id, before, after);
        }
    }

    /// Time of the last command.
    #[must_use]
    pub fn now(&self) -> LedgerTime {
        self.now
    }

    /// When something is due next: the owner proposes an `Advance` then.
    #[must_use]
    pub fn next_due(&self) -> Option<LedgerTime> {
        self.expiry.next()
    }

    /// When something is due next for this user.
    #[must_use]
    pub fn user_next_due(&self, user: &UserId) -> Option<LedgerTime> {
        self.users.get(user)?.due
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// `None` when the ledger knows nothing of the user.
    #[must_use]
    pub fn user(&self, user: &UserId) -> Option<UserView> {
        self.users.get(user).map(User::view)
    }

    /// The deliveries of the open windows, newest last, with a sequence above `after`: at most `limit`, and beyond that those of the last one's
    /// publish (a publish of scope device has one for each device).
    #[must_use]
    pub fn deliveries(&self, user: &UserId, after: u64, limit: usize) -> Vec<DeliveryView> {
        let Some(user) = self.users.get(user) else { return Vec::new() };
        let mut views = user.delivery_views(self.now);
        views.retain(|view| view.sequence > after);
        if let Some(last) = limit.checked_sub(1).and_then(|last| views.get(last)).map(|view| view.sequence) {
            views.retain(|view| view.sequence <= last);
        }
        views
    }

    /// The deliveries of one engagement, and a copy of the outcomes (it shares them) in which a reader looks for the timeline by itself: there may be many.
    #[must_use]
    pub fn engagement_parts(&self, user: &UserId, id: &EngagementId) -> Option<(Vec<DeliveryView>, OutcomeLog)> {
        let deliveries = self.users.get(user)?.engagement_views(id, self.now);
        if deliveries.is_empty() { None } else { Some((deliveries, self.outcomes.clone())) }
    }

    /// What became of deliveries.
    #[must_use]
    pub fn outcomes(&self) -> &OutcomeLog {
        &self.outcomes
    }

    /// How much this shard holds.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// A view of all of it, cheap to make; the ledger goes on while it is written out.
    #[must_use]
    pub fn view(&self) -> View {
        View::of(self)
    }
}

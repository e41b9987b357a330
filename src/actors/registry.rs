//! Finds the actor of a user, starts it where there is none, and lets it go when it is idle: without ever losing a message or having two of them. No
//! guard of the map leaves this file.

use actix::dev::channel::channel;
use actix::{Addr, Context};
use actix_rt::Arbiter;
use dashmap::{DashMap, Entry};
use metrics::gauge;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::desk::Desk;
use super::door::{Door, NotSent};
use super::limits::Limits;
use super::place::Place;
use super::terms::Terms;
use super::user::User;
use super::work::{Arrival, Call, Notice, ToUser};
use crate::ledger::effect::Effect;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{EngagementId, ShardId, UserId};
use crate::ledger::{Applied, Command};
use crate::ports::calls::CallError;
use crate::ports::owners::Owners;
use crate::ports::peers::NodeId;
use crate::ports::session::{Item, Said, ToOwner};
use crate::ports::{CarryOut, Propose};
use crate::telemetry::names;

/// How often a message is sent to a new actor, when the last one died under it.
const ATTEMPTS_MAX: usize = 4;

/// What all user actors share.
pub struct Shared {
    pub propose: Arc<dyn Propose>,
    /// Asked for the shards of users only.
    pub owners: Arc<dyn Owners>,
    pub limits: Arc<Limits>,
    /// What this node owns.
    pub terms: Terms,
}

/// The user actors of this node.
pub struct Registry {
    shared: Arc<Shared>,
    doors: DashMap<UserId, Arc<Door>>,
    count: AtomicUsize,
    /// Where actors are put: the threads of the HTTP workers.
    places: RwLock<Vec<Arc<dyn Place>>>,
    me: Weak<Registry>,
}

impl Registry {
    /// An empty one.
    #[must_use]
    pub fn new(shared: Shared) -> Arc<Registry> {
        Arc::new_cyclic(|me| Registry {
            shared: Arc::new(shared),
            doors: DashMap::new(),
            count: AtomicUsize::new(0),
            places: RwLock::default(),
            me: me.clone(),
        })
    }

    /// Puts actors on this thread too. Called by each HTTP worker as it starts, from its application factory, with `Arbiter::current()`. Without any, an actor
    /// starts on the thread that needs it.
    pub fn place(&self, place: impl Place + 'static) {
        self.places.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(place));
    }

    /// How many actors live.
    #[must_use]
    pub fn actor_count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Hands a command to its user's actor, at once, and waits for what the ledger says. The effects of it are not in the answer: the actor carries them out.
    pub fn call(&self, command: Command, timeout: Duration) -> impl Future<Output = Result<Applied, CallError>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let sent = match command.user().cloned() {
            Some(user) => self.send(&user, ToUser::Call(Box::new(Call { command, answer }))),
            // The shard's own commands are not for callers.
            None => Err(CallError::Unavailable),
        };
        async move {
            sent?;
            match tokio::time::timeout(timeout, answered).await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) | Err(_) => Err(CallError::Unknown),
            }
        }
    }

    /// Sends a notice, and tells to how many devices. A user without an actor has none.
    pub fn notice(
        &self,
        user: &UserId,
        id: EngagementId,
        payload: Payload,
        targets: Targets,
    ) -> impl Future<Output = Result<u32, CallError>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        let sent = self.send_if_live(user, ToUser::Notice(Box::new(Notice { id, payload, targets, answer })));
        async move {
            match sent {
                Ok(()) => {}
                Err(NotSent::Full(_)) => return Err(CallError::Overloaded),
                Err(NotSent::Gone(_)) => return Ok(0),
            }
            // The actor answers without asking anybody.
            answered.await.map_err(|_| CallError::Unknown)
        }
    }

    /// Takes what an edge says. `desk` leads back to a connection that is to be attached.
    ///
    /// # Errors
    /// What to say to the connection, when it can't be taken. (Not said here: the edge may be this thread.)
    pub fn take(&self, node: NodeId, desk: &dyn Fn() -> Arc<dyn Desk>, message: ToOwner) -> Result<(), Vec<Item>> {
        let Some(term) = self.reign_over(message.user()).1 else { return void(&message) };
        match message {
            ToOwner::Attach { user, attempt, attach, said } => {
                let arrival = Arrival { node, desk: desk(), term, attempt: attempt.number, attach, said };
                self.send(&user, ToUser::Attach(Box::new(arrival))).map_err(|_| vec![Item::NotNow])
            }
            ToOwner::Said { user, attempt, said } => match self.send_if_live(&user, ToUser::Said { attempt, said }) {
                Ok(()) => Ok(()),
                Err(NotSent::Full(ToUser::Said { said, .. })) => Err(not_taken(&said)),
                // No actor, so no connection of this user.
                Err(_) => Err(vec![Item::NotNow]),
            },
            ToOwner::Gone { user, device, attempt, departure } => {
                self.insist(&user, ToUser::Gone { device, attempt, departure }).map_err(|_| vec![Item::NotNow])
            }
            ToOwner::Posted { user, device, said } => self.try_tell(&user, ToUser::Posted { device, said }),
            ToOwner::Renew { user, device, expires_at_ms } => self.try_tell(&user, ToUser::Renew { device, expires_at_ms }),
        }
    }

    /// The link to a node broke: all that it holds is on a lease, until it attaches it anew. Looks at every actor: not for a thread that must not be held up.
    pub fn edge_lost(&self, node: NodeId) {
        for door in self.doors.iter().filter(|door| door.may_have_edge(node) && !mutant!(LostEdgeKeepsAll)) {
            door.send(ToUser::EdgeLost(node));
        }
    }

    /// The shard of a user, and the term in which it is owned here, if it is.
    #[must_use]
    pub fn reign_over(&self, user: &UserId) -> (ShardId, Option<u64>) {
        let shard = self.shared.owners.shard_of(user);
        (shard, self.shared.terms.of(shard))
    }

    /// The bounds of the room.
    #[must_use]
    pub fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.shared.limits)
    }

    /// Whether all that was sent to a user's actor has been taken.
    #[cfg(test)]
    pub fn nobody_waits_for(&self, user: &UserId) -> bool {
        self.doors.get(user).is_none_or(|door| door.nobody_waits())
    }

    /// Takes an idle actor out, unless something waits for it. Only then may it stop.
    pub(super) fn let_go(&self, user: &UserId, door: &Arc<Door>) -> bool {
        self.remove_if(user, |entry| Arc::ptr_eq(entry, door) && door.nobody_waits())
    }

    /// Without an actor, there is nothing that it could change.
    fn try_tell(&self, user: &UserId, message: ToUser) -> Result<(), Vec<Item>> {
        let _ = self.send_if_live(user, message);
        Ok(())
    }

    fn send(&self, user: &UserId, message: ToUser) -> Result<(), CallError> {
        self.start_and(user, message, Door::try_send)
    }

    /// Sends what must not be refused.
    fn insist(&self, user: &UserId, message: ToUser) -> Result<(), CallError> {
        self.start_and(user, message, Door::insist)
    }

    fn start_and(&self, user: &UserId, message: ToUser, how: fn(&Door, ToUser) -> Result<(), NotSent>) -> Result<(), CallError> {
        let mut message = message;
        for _ in 0..ATTEMPTS_MAX {
            match self.if_live(user, message, how) {
                Ok(()) => return Ok(()),
                Err(NotSent::Full(_)) => return Err(CallError::Overloaded),
                Err(NotSent::Gone(back)) => message = back,
            }
            self.start(user)?;
        }
        Err(CallError::Unavailable)
    }

    fn send_if_live(&self, user: &UserId, message: ToUser) -> Result<(), NotSent> {
        self.if_live(user, message, Door::try_send)
    }

    /// Counts the message under the guard of the entry, so that the actor cannot leave in between.
    fn if_live(&self, user: &UserId, message: ToUser, how: fn(&Door, ToUser) -> Result<(), NotSent>) -> Result<(), NotSent> {
        let Some(door) = self.doors.get(user) else { return Err(NotSent::Gone(message)) };
        match how(&door, message) {
            Err(NotSent::Gone(back)) => {
                // It died (a panic, or its thread is gone) without leaving.
                let dead = Arc::clone(&door);
                drop(door);
                self.remove_if(user, |entry| Arc::ptr_eq(entry, &dead));
                Err(NotSent::Gone(back))
            }
            other => other,
        }
    }

    fn remove_if(&self, user: &UserId, condition: impl FnOnce(&Arc<Door>) -> bool) -> bool {
        let was_removed = self.doors.remove_if(user, |_, entry| condition(entry)).is_some();
        if was_removed {
            self.count.fetch_sub(1, Relaxed);
            gauge!(names::ACTORS).decrement(1.0);
        }
        was_removed
    }

    fn start(&self, user: &UserId) -> Result<(), CallError> {
        if self.count.load(Relaxed) >= self.shared.limits.actors_max {
            return Err(CallError::Overloaded);
        }
        let place = self.place_of(user).ok_or(CallError::Unavailable)?;
        if let Entry::Vacant(vacant) = self.doors.entry(user.clone()) {
            // 0: no bound of the mailbox's own; the door has one.
            let (sender, receiver) = channel::<User>(0);
            let shard = self.shared.owners.shard_of(user);
            let door = Arc::new(Door::new(shard, Addr::new(sender), self.shared.limits.user_queue_max));
            vacant.insert(Arc::clone(&door));
            self.count.fetch_add(1, Relaxed);
            gauge!(names::ACTORS).increment(1.0);
            let (user, registry, shared) = (user.clone(), self.me.clone(), Arc::clone(&self.shared));
            place.start(Box::new(move || {
                let actor = User::new(user, door, registry, shared);
                actix_rt::spawn(Context::with_receiver(receiver).into_future(actor));
            }));
        }
        Ok(())
    }

    fn place_of(&self, user: &UserId) -> Option<Arc<dyn Place>> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let alive: Vec<&Arc<dyn Place>> = places.iter().filter(|place| place.is_alive()).collect();
        if alive.is_empty() {
            return Arbiter::try_current().map(|here| Arc::new(here) as Arc<dyn Place>);
        }
        let at = xxh3_64(user.as_str().as_bytes()) % alive.len() as u64;
        Some(alive[at as usize].clone())
    }
}

impl CarryOut for Registry {
    fn carry_out(&self, effects: Vec<Effect>) {
        let mut by_user: HashMap<UserId, Vec<Effect>> = HashMap::new();
        for effect in effects {
            by_user.entry(effect.user.clone()).or_default().push(effect);
        }
        for (user, effects) in by_user {
            if let Some(door) = self.doors.get(&user) {
                door.send(ToUser::Effects(effects));
            }
        }
    }

    fn owned(&self, shard: ShardId, term: u64) {
        self.shared.terms.own(shard, term);
    }

    fn disowned(&self, shard: ShardId) {
        self.shared.terms.disown(shard);
        for door in self.doors.iter().filter(|door| door.shard == shard) {
            door.send(ToUser::Disowned);
        }
    }
}

/// What to say where the shard is not owned. What needs no answer means nothing here, and its edge asks the next owner for what does.
fn void(message: &ToOwner) -> Result<(), Vec<Item>> {
    match message {
        ToOwner::Attach { .. } | ToOwner::Said { .. } => Err(vec![Item::NotNow]),
        ToOwner::Gone { .. } | ToOwner::Posted { .. } | ToOwner::Renew { .. } => Ok(()),
    }
}

/// What to say where too much waits. Whether a device can be seen must not get lost: then its edge tells all anew.
fn not_taken(said: &[Said]) -> Vec<Item> {
    let mut items = Vec::new();
    for said in said {
        match said {
            Said::Ack { number, .. } | Said::Dismiss { number, .. } => items.push(Item::NotTaken { number: *number }),
            Said::Visible(_) | Said::Seen(_) => {}
        }
    }
    if said.iter().any(|said| matches!(said, Said::Visible(_))) {
        items.push(Item::NotNow);
    }
    items
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;

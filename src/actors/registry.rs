//! Finds the actor of a user, starts it where there is none, and lets it go when it is idle: without ever losing a message or having two of them. No
//! guard of the map leaves this file.

use actix::dev::channel::channel;
use actix::{Addr, Context};
use actix_rt::{Arbiter, ArbiterHandle};
use dashmap::{DashMap, Entry};
use metrics::gauge;
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;
use tokio::sync::oneshot;
use xxhash_rust::xxh3::xxh3_64;

use super::door::{Door, NotSent};
use super::limits::Limits;
use super::user::User;
use super::work::{Call, Connect, Notice, Said, ToUser};
use crate::ledger::effect::Effect;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{DeviceId, EngagementId, ShardId, UserId};
use crate::ledger::{Applied, Command};
use crate::ports::{CarryOut, Propose, ProposeError};
use crate::telemetry::names;

/// How often a message is sent to a new actor, when the last one died under it.
const ATTEMPTS_MAX: usize = 4;

/// Why a call to a user's actor failed. All may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Not done: the shard has no leader, or no majority.
    #[error("the user's shard takes no commands now; hint: try again in a second")]
    Unavailable,
    /// It may or may not have been done.
    #[error("the user's shard gave no answer in time; hint: send it again")]
    Unknown,
    /// Not done: a queue on the way is full.
    #[error("too much waits for this user, or for this node; hint: try again in a second")]
    Overloaded,
}

impl From<ProposeError> for CallError {
    fn from(error: ProposeError) -> CallError {
        match error {
            ProposeError::Unavailable => CallError::Unavailable,
            ProposeError::Unknown => CallError::Unknown,
        }
    }
}

/// What all user actors share.
pub struct Shared {
    pub propose: Arc<dyn Propose>,
    pub limits: Arc<Limits>,
    /// The name of this node.
    pub node: String,
}

/// The user actors of this node.
pub struct Registry {
    shared: Arc<Shared>,
    doors: DashMap<UserId, Arc<Door>>,
    count: AtomicUsize,
    /// Where actors are put: the threads of the HTTP workers.
    places: RwLock<Vec<ArbiterHandle>>,
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
    pub fn place(&self, arbiter: ArbiterHandle) {
        self.places.write().unwrap_or_else(PoisonError::into_inner).push(arbiter);
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
            Some(user) => self.send(&user, ToUser::Call(Box::new(Call { command, answer }))).map(|_| ()),
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
                Ok(_) => {}
                Err(NotSent::Full) => return Err(CallError::Overloaded),
                Err(NotSent::Gone(_)) => return Ok(0),
            }
            // The actor answers without asking anybody.
            answered.await.map_err(|_| CallError::Unknown)
        }
    }

    /// Hands a hello to its user's actor.
    ///
    /// # Errors
    /// [`CallError::Overloaded`], [`CallError::Unavailable`].
    pub fn connect(&self, user: &UserId, connect: Connect) -> Result<Arc<Door>, CallError> {
        self.send(user, ToUser::Connect(Box::new(connect)))
    }

    /// What a device said without its connection and needs no answer. Without a connection, there is nothing that it could change.
    pub fn posted(&self, user: &UserId, device: DeviceId, messages: Vec<Said>) {
        let _ = self.send_if_live(user, ToUser::Posted { device, messages });
    }

    /// A device's new token, for the connection that it has, if any.
    pub fn renew(&self, user: &UserId, device: DeviceId, expires_at_ms: u64) {
        let _ = self.send_if_live(user, ToUser::Renew { device, expires_at_ms });
    }

    /// Takes an idle actor out, unless something waits for it. Only then may it stop.
    pub(super) fn let_go(&self, user: &UserId, door: &Arc<Door>) -> bool {
        self.remove_if(user, |entry| Arc::ptr_eq(entry, door) && door.nobody_waits())
    }

    fn send(&self, user: &UserId, message: ToUser) -> Result<Arc<Door>, CallError> {
        let mut message = message;
        for _ in 0..ATTEMPTS_MAX {
            match self.send_if_live(user, message) {
                Ok(door) => return Ok(door),
                Err(NotSent::Full) => return Err(CallError::Overloaded),
                Err(NotSent::Gone(back)) => message = back,
            }
            self.start(user)?;
        }
        Err(CallError::Unavailable)
    }

    /// Counts the message under the guard of the entry, so that the actor cannot leave in between.
    fn send_if_live(&self, user: &UserId, message: ToUser) -> Result<Arc<Door>, NotSent> {
        let Some(door) = self.doors.get(user) else { return Err(NotSent::Gone(message)) };
        match door.try_send(message) {
            Ok(()) => Ok(Arc::clone(&door)),
            Err(NotSent::Full) => Err(NotSent::Full),
            Err(NotSent::Gone(back)) => {
                // It died (a panic, or its thread is gone) without leaving.
                let dead = Arc::clone(&door);
                drop(door);
                self.remove_if(user, |entry| Arc::ptr_eq(entry, &dead));
                Err(NotSent::Gone(back))
            }
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
            let door = Arc::new(Door::new(Addr::new(sender), self.shared.limits.user_queue_max));
            vacant.insert(Arc::clone(&door));
            self.count.fetch_add(1, Relaxed);
            gauge!(names::ACTORS).increment(1.0);
            let (user, registry, shared) = (user.clone(), self.me.clone(), Arc::clone(&self.shared));
            place.spawn_fn(move || {
                let actor = User::new(user, door, registry, shared);
                actix_rt::spawn(Context::with_receiver(receiver).into_future(actor));
            });
        }
        Ok(())
    }

    fn place_of(&self, user: &UserId) -> Option<ArbiterHandle> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let alive: Vec<&ArbiterHandle> = places.iter().filter(|place| place.alive()).collect();
        if alive.is_empty() {
            return Arbiter::try_current();
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

    fn owned(&self, _shard: ShardId, _term: u64) {}

    fn disowned(&self, _shard: ShardId) {}
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;

//! The sessions of this node: takes new ones in, brings owners' words to them, and has one task tend them: attach them anew when owners change, and do what is due.

use dashmap::DashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;

use super::admission::Admitted;
use super::outbox::Outbox;
use super::routes::Routes;
use super::seat::Seat;
use crate::clock;
use crate::ledger::command::Departure;
use crate::ledger::ids::{ConnectionId, ShardId};
use crate::ports::owners::Owner;
use crate::ports::session::{ToEdge, ToOwner};

/// How often all are looked at; what is due sooner is seen to sooner, but for this.
const TEND_EVERY: Duration = Duration::from_millis(200);
const TEND_AT_MOST_EVERY: Duration = Duration::from_millis(10);
/// After so many, others get their turn on the thread.
const CHUNK: usize = 128;

/// See the head of the file.
pub struct Sessions {
    routes: Arc<Routes>,
    seats: DashMap<ConnectionId, Arc<Seat>>,
    /// The owners of all shards, as they were when the sessions were tended last.
    seen: Mutex<Vec<Option<Owner>>>,
}

impl Sessions {
    /// None yet. [`Sessions::tend`] must run.
    #[must_use]
    pub fn new(routes: Routes, shard_count: u16) -> Arc<Sessions> {
        let seen = Mutex::new(vec![None; usize::from(shard_count)]);
        Arc::new(Sessions { routes: Arc::new(routes), seats: DashMap::new(), seen })
    }

    /// Takes an admitted hello to its owner; where there is none now, as soon as there is.
    pub fn open(&self, outbox: Arc<dyn Outbox>, admitted: Admitted) -> Arc<Seat> {
        let seat = Seat::new(Arc::clone(&self.routes), outbox, admitted);
        // Before its owner is looked up, so that who tends sees it if that changes.
        self.seats.insert(seat.connection, Arc::clone(&seat));
        seat.tend_now();
        seat
    }

    /// A connection is over.
    pub fn close(&self, seat: &Seat, departure: Departure) {
        self.seats.remove(&seat.connection);
        seat.close(departure);
    }

    /// What a device said without its connection, for its owner. Where that can't be told, there is nothing lost that was promised.
    pub fn post(&self, message: ToOwner) {
        debug_assert!(matches!(message, ToOwner::Posted { .. } | ToOwner::Renew { .. }));
        if let Some(owner) = self.routes.owners.owner_of(self.routes.owners.shard_of(message.user())) {
            let _ = self.routes.send(owner.node, &|| unreachable!("what is posted needs no desk"), message);
        }
    }

    /// Brings words of another node to their session. Who is gone hears nothing.
    pub fn take(&self, words: ToEdge) {
        let seat = self.seats.get(&words.attempt.connection).map(|seat| Arc::clone(&seat));
        if let Some(seat) = seat {
            seat.take_letter(words);
        }
    }

    /// Tends the sessions until the table is dropped. One task per node, on any runtime with timers, away from the connections.
    pub async fn tend(sessions: Weak<Sessions>) {
        let Some(mut changed) = sessions.upgrade().map(|sessions| sessions.routes.owners.changed()) else { return };
        loop {
            let Some(strong) = sessions.upgrade() else { return };
            let wait = strong.tend_once().await;
            let routes = Arc::clone(&strong.routes);
            drop(strong);
            tokio::time::sleep(TEND_AT_MOST_EVERY).await;
            tokio::select! {
                () = tokio::time::sleep(wait.saturating_sub(TEND_AT_MOST_EVERY)) => {}
                () = owners_changed(&mut changed) => {}
                () = routes.woken() => {}
            }
        }
    }

    /// Looks at those whose owner has changed, and at those that are due. Tells when to look again.
    pub async fn tend_once(&self) -> Duration {
        let now_ms = self.routes.ms(clock::monotonic());
        let (owners, has_changed) = self.look_at_owners();
        let mut next_ms = u64::MAX;
        let mut due = Vec::new();
        for seat in &self.seats {
            let shard = usize::from(seat.shard.0);
            if has_changed[shard] || seat.due_ms() <= now_ms {
                due.push(Arc::clone(&seat));
            } else {
                next_ms = next_ms.min(seat.due_ms());
            }
        }
        for chunk in due.chunks(CHUNK) {
            for seat in chunk {
                seat.tend(owners[usize::from(seat.shard.0)]);
                next_ms = next_ms.min(seat.due_ms());
            }
            tokio::task::yield_now().await;
        }
        self.routes.say_goodbyes();
        Duration::from_millis(next_ms.saturating_sub(now_ms)).min(TEND_EVERY)
    }

    /// All owners of now, and for each shard whether it has another one than when that was asked last.
    fn look_at_owners(&self) -> (Vec<Option<Owner>>, Vec<bool>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let owners: Vec<Option<Owner>> = (0..seen.len())
            .map(|shard| self.routes.owners.owner_of(ShardId(u16::try_from(shard).expect("shards are counted by a u16"))))
            .collect();
        let has_changed = owners.iter().zip(seen.iter()).map(|(now, before)| now != before).collect();
        seen.clone_from(&owners);
        (owners, has_changed)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seats.len()
    }
}

/// Never, where nobody can change owners any more.
async fn owners_changed(changed: &mut watch::Receiver<u64>) {
    if changed.changed().await.is_err() {
        std::future::pending().await
    }
}

//! All persons of one thread of the generator, and what they share: whom they speak to, when the run begins and ends, and where they count.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::body;
use super::crew::{Course, Shared};
use super::letterbox::{Letterbox, Taken};
use super::publisher::Publisher;
use super::tally::Tally;
use super::waits::Waits;
use crate::client::Claims;
use crate::clock;

/// A publish is tried for so long.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(30);
const PUBLISH_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// A token holds for the longest run.
const TOKEN_TTL_MS: u64 = 24 * 3_600 * 1_000;

/// What persons of a thread share.
pub(super) struct Scene {
    pub(super) shared: Arc<Shared>,
    pub(super) publisher: Rc<Publisher>,
    letterbox: Rc<Letterbox>,
    pub(super) tally: RefCell<Tally>,
    pub(super) over: watch::Receiver<bool>,
}

impl Scene {
    pub(super) fn new(shared: Arc<Shared>) -> Scene {
        let publisher = Rc::new(Publisher::new(&shared.addresses, shared.key.expose()));
        let letterbox = Rc::new(Letterbox::new(Rc::clone(&publisher), shared.addresses.len(), shared.batch_count));
        let over = shared.over.subscribe();
        Scene { shared, publisher, letterbox, tally: RefCell::new(Tally::new()), over }
    }

    /// The node that a person connects to: the persons are dealt out, and those of a dead one go to the next.
    pub(super) fn place_of(&self, number: usize) -> SocketAddr {
        let addresses = &self.shared.addresses;
        let places = (0..addresses.len()).map(|more| (number + more) % addresses.len());
        let alive = places.into_iter().find(|place| Some(*place) != self.course().dead);
        addresses[alive.unwrap_or(number % addresses.len())]
    }

    /// How many persons connect to the same node before this one.
    pub(super) fn rank_of(&self, number: usize) -> usize {
        number / self.shared.addresses.len()
    }

    pub(super) fn token(&self, user: &str) -> String {
        let claims = Claims::new(user, None, clock::wall_ms(), TOKEN_TTL_MS);
        claims.sign(self.shared.jwt_secret.expose()).expect("any secret signs")
    }

    pub(super) fn course(&self) -> Course {
        *self.shared.course.borrow()
    }

    pub(super) fn is_closed_loop(&self) -> bool {
        self.shared.is_closed_loop
    }

    /// Whether rounds still begin.
    pub(super) fn goes_on(&self) -> bool {
        self.course().until.is_none_or(|until| clock::monotonic() < until)
    }

    /// Notes a wait that ends now, if it belongs to the time that is measured.
    pub(super) fn note(&self, intended: Instant, which: impl Fn(&mut Tally) -> &mut Waits) {
        let course = self.course();
        let Some(from) = course.from.filter(|from| *from <= intended) else { return };
        if course.until.is_some_and(|until| intended >= until) {
            return;
        }
        let now = clock::monotonic();
        which(&mut self.tally.borrow_mut()).note(now.saturating_duration_since(from), now.saturating_duration_since(intended));
    }

    /// A round is done.
    pub(super) fn confirmed(&self, person: usize, intended: Instant) {
        self.note(intended, |tally| &mut tally.confirmed);
        self.shared.round_count.fetch_add(1, Ordering::Relaxed);
        self.shared.under_way_count.fetch_sub(1, Ordering::Relaxed);
        self.shared.served(person, intended);
    }

    /// Publishes until a node took it. Whether one did.
    pub(super) async fn publish(&self, place: usize, (user, number): (&str, u64), intended: Instant) -> bool {
        let give_up = clock::monotonic() + PUBLISH_PATIENCE;
        for attempt in 0.. {
            match self.publish_once(place + attempt, user, number).await {
                Ok(Taken::Yes) => {
                    self.note(intended, |tally| &mut tally.published);
                    return true;
                }
                Ok(Taken::No) => self.tally.borrow_mut().error("publish refused"),
                Err(error) => self.tally.borrow_mut().error(format!("publish: {}", error.kind())),
            }
            if clock::monotonic() >= give_up || *self.over.borrow() {
                break;
            }
            tokio::time::sleep(PUBLISH_AGAIN_AFTER).await;
        }
        false
    }

    async fn publish_once(&self, place: usize, user: &str, number: u64) -> io::Result<Taken> {
        let engagement = body::engagement(&body::id(number), self.shared.payload_bytes);
        if self.shared.batch_count > 1 {
            return self.letterbox.post(place, body::item(user, &engagement)).await;
        }
        let answer = self.publisher.post(place, &format!("/v1/users/{user}/engagements"), &engagement).await?;
        Ok(if matches!(answer.status, 200 | 201) { Taken::Yes } else { Taken::No })
    }

    /// What was counted; the scene counts on from nothing.
    pub(super) fn take(self: &Rc<Scene>) -> Tally {
        self.tally.replace(Tally::new())
    }
}

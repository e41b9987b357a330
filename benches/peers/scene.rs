//! What the jobs share: the rounds of each user, when the run begins and ends, and what is counted.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engage::bench::tally::Tally;
use engage::bench::waits::Waits;
use engage::clock;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::ground::{Ground, Options};
use crate::link::Link;
use crate::speech::{Heard, Speaker, Speech};

/// Sockets that are opened at once, where not all come at once.
pub const OPENING_MAX: usize = 64;
pub const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A user that can't connect tries it so often.
const ATTEMPTS: usize = 10;
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What the jobs share.
pub struct Scene {
    pub ground: Ground,
    pub options: Options,
    pub tally: RefCell<Tally>,
    /// From when on waits are measured, and until when rounds begin.
    pub from: Cell<Option<Instant>>,
    pub until: Cell<Option<Instant>>,
    pub over: watch::Sender<bool>,
    pub connected_count: Cell<usize>,
    pub round_count: Cell<u64>,
    pub rounds: RefCell<Vec<Rounds>>,
}

/// The rounds of one user.
#[derive(Default)]
pub struct Rounds {
    pub next: u64,
    /// When those under way should have begun.
    pub begun: BTreeMap<u64, Instant>,
    seen: BTreeSet<u64>,
    confirmed: BTreeSet<u64>,
}

/// A user with one device.
pub struct User<S> {
    pub number: usize,
    pub speech: S,
}

impl<S: Speech> User<S> {
    pub fn new(number: usize) -> User<S> {
        User { number, speech: S::new(Speaker::User(number)) }
    }

    pub async fn connect(&mut self, scene: &Scene) -> io::Result<Link> {
        Link::open(&mut self.speech, &scene.ground, Speaker::User(self.number)).await
    }
}

impl Scene {
    pub fn new(ground: Ground, options: Options) -> Rc<Scene> {
        let rounds = std::iter::repeat_with(Rounds::default).take(options.user_count).collect();
        Rc::new(Scene {
            ground,
            options,
            tally: RefCell::default(),
            from: Cell::default(),
            until: Cell::default(),
            over: watch::Sender::new(false),
            connected_count: Cell::new(0),
            round_count: Cell::new(0),
            rounds: RefCell::new(rounds),
        })
    }

    /// Whether rounds still begin.
    pub fn goes_on(&self) -> bool {
        self.until.get().is_none_or(|until| clock::monotonic() < until)
    }

    /// Rounds that are begun and not done.
    pub fn under_way_count(&self) -> usize {
        self.rounds.borrow().iter().map(|rounds| rounds.begun.len()).sum()
    }

    /// Notes a wait that ends now, if it belongs to the time that is measured.
    pub fn note(&self, intended: Instant, which: impl Fn(&mut Tally) -> &mut Waits) {
        let Some(from) = self.from.get().filter(|from| *from <= intended) else { return };
        if self.until.get().is_some_and(|until| intended >= until) {
            return;
        }
        let now = clock::monotonic();
        which(&mut self.tally.borrow_mut()).note(now.saturating_duration_since(from), now.saturating_duration_since(intended));
    }

    /// Begins a user's next round, whose number is returned.
    pub fn begin(&self, user: usize, intended: Instant) -> u64 {
        let mut rounds = self.rounds.borrow_mut();
        let rounds = &mut rounds[user];
        rounds.next += 1;
        rounds.begun.insert(rounds.next, intended);
        rounds.next
    }

    /// Takes what a user heard. Whether a round of theirs is done now.
    pub fn heard(&self, user: usize, heard: Heard) -> bool {
        let mut all = self.rounds.borrow_mut();
        let rounds = &mut all[user];
        match heard {
            Heard::Offer(number) => {
                let mut tally = self.tally.borrow_mut();
                if rounds.confirmed.contains(&number) {
                    tally.again_after_confirm += 1;
                } else if !rounds.seen.insert(number) {
                    tally.again_before_confirm += 1;
                }
                drop(tally);
                if let Some(intended) = rounds.begun.get(&number) {
                    self.note(*intended, |tally| &mut tally.offered);
                }
                false
            }
            Heard::Confirmed(number) => {
                rounds.confirmed.insert(number);
                let Some(intended) = rounds.begun.remove(&number) else { return false };
                self.round_count.set(self.round_count.get() + 1);
                self.note(intended, |tally| &mut tally.confirmed);
                true
            }
            Heard::Trouble(what) => {
                self.tally.borrow_mut().error(what);
                false
            }
            Heard::Ready | Heard::Taken(_) => false,
        }
    }

    /// Connects users, not too many at once.
    pub async fn connect<S: Speech>(self: &Rc<Scene>, users: Vec<User<S>>) -> Vec<(User<S>, Link)> {
        let mut connected = Vec::new();
        let mut tasks = JoinSet::new();
        for mut user in users {
            if tasks.len() >= OPENING_MAX {
                connected.extend(tasks.join_next().await.and_then(Result::ok).flatten());
            }
            let scene = Rc::clone(self);
            tasks.spawn_local(async move {
                for _ in 0..ATTEMPTS {
                    match user.connect(&scene).await {
                        Ok(link) => {
                            scene.connected_count.set(scene.connected_count.get() + 1);
                            return Some((user, link));
                        }
                        Err(error) => scene.error("connect", &error),
                    }
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                None
            });
        }
        while let Some(done) = tasks.join_next().await {
            connected.extend(done.ok().flatten());
        }
        connected
    }

    pub fn error(&self, what: &str, error: &io::Error) {
        let text: String = error.to_string().chars().take(100).collect();
        self.tally.borrow_mut().error(format!("{what}: {text}"));
    }

    /// Waits until it is so, at most for as long as the run has patience. Whether it is.
    pub async fn wait_until(&self, is_so: impl Fn() -> bool) -> bool {
        let give_up = clock::monotonic() + self.options.patience;
        while !is_so() {
            if clock::monotonic() >= give_up {
                return false;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        true
    }
}

/// What a run found, for programs.
#[derive(Default)]
pub struct Found(Map<String, Value>);

impl Found {
    pub fn add(&mut self, key: &str, value: f64) {
        self.0.insert(key.to_owned(), json!(value));
    }

    pub fn add_waits(&mut self, key: &str, waits: &Waits) {
        for (word, part) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
            self.add(&format!("{key}_{word}_ms"), waits.quantile_ms(part));
        }
        self.add(&format!("{key}_max_ms"), waits.max_ms());
    }

    /// The whole, with what every job tells.
    pub fn end(mut self, title: &str, tally: &Tally) -> Value {
        self.add("offered_again_after_confirm", tally.again_after_confirm as f64);
        self.add("offered_again_before_confirm", tally.again_before_confirm as f64);
        self.add("errors", tally.errors().values().sum::<u64>() as f64);
        json!({"title": title, "figures": self.0, "errors": tally.errors()})
    }
}

/// Deals out moments, one every so often, from a thread of its own: timers of a runtime are a millisecond wide, and must not wait behind the work.
pub fn pace(start: Instant, every: Duration, is_over: Arc<std::sync::atomic::AtomicBool>) -> tokio::sync::mpsc::Receiver<Instant> {
    let (sender, receiver) = tokio::sync::mpsc::channel(4_096);
    std::thread::spawn(move || {
        let mut due = start;
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            let left = due.saturating_duration_since(clock::monotonic());
            if !left.is_zero() {
                std::thread::sleep(left);
            }
            if sender.blocking_send(due).is_err() {
                return;
            }
            due += every;
        }
    });
    receiver
}

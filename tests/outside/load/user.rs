//! A connected user of the storm: does what it is offered, keeps what it has no confirm for, and comes back when its connection ends, as the contract asks clients to: after
//! a random time that grows with every failure. All that it sees and says goes into the history.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use engage::history::record::{Key, Session, Transport, What, is_settled};
use engage::history::recorder::Recorder;
use rand::RngExt as _;
use rand::rngs::StdRng;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::now;
use crate::socket::Socket;

/// The engagement that stands on the screen all the time, and that a step is acked of now and then.
pub const TOUR: &str = "tour";
pub const TOUR_STEPS: u64 = 100;

const BACK_OFF_MS: u64 = 250;
const BACK_OFF_MAX_MS: u64 = 30_000;
/// A connection that isn't open by then is tried elsewhere.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a user looks up when nothing comes.
const LOOK_UP: Duration = Duration::from_secs(1);
/// A step of the tour, in ms.
const TOUR_PAUSE_MS: std::ops::Range<u64> = 3_000..6_000;

/// What all users share.
pub struct Shared {
    pub history: Recorder,
    /// Name and address of every node.
    pub nodes: Vec<(String, SocketAddr)>,
    /// How many are welcomed and connected.
    pub connected: AtomicUsize,
    pub killed: OnceLock<Instant>,
    /// Everybody finishes what is on the screen.
    pub attentive: AtomicBool,
    pub over: AtomicBool,
}

/// What became of a user after the kill.
#[derive(Clone, Copy, Debug, Default)]
pub struct Story {
    /// Its connection ended.
    pub was_lost: bool,
    /// How long after the kill it was caught up on another one.
    pub back: Option<Duration>,
    /// How long after the kill an ack that it sent after it was confirmed.
    pub served: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    step: u64,
    sent: Instant,
    is_refused: bool,
}

/// One user with one device.
pub struct User {
    name: String,
    token: String,
    shared: Arc<Shared>,
    random: StdRng,
    /// The node that it is connected to, or tries next.
    place: usize,
    /// The next step of each, and how many there are.
    screen: BTreeMap<Key, (u64, u64)>,
    pending: BTreeMap<Key, Pending>,
    next_reference: i64,
    next_tour_at: Instant,
    story: Story,
}

#[derive(Deserialize)]
struct Said {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    window: Value,
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    retry: bool,
    #[serde(default)]
    yours: bool,
    #[serde(default)]
    offer: u64,
    #[serde(default)]
    step: u64,
    #[serde(default)]
    steps: u64,
    #[serde(default)]
    at: u64,
    #[serde(rename = "ref")]
    reference: Option<i64>,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    acks: Vec<Said>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Frame {
    Many(Vec<Said>),
    One(Box<Said>),
}

impl User {
    pub fn new((name, token): (String, String), place: usize, shared: Arc<Shared>, random: StdRng) -> User {
        User {
            name,
            token,
            shared,
            random,
            place,
            screen: BTreeMap::new(),
            pending: BTreeMap::new(),
            next_reference: 0,
            next_tour_at: now(),
            story: Story::default(),
        }
    }

    /// Lives until it is over.
    pub async fn live(mut self) -> Story {
        let mut failures = 0_u32;
        while !self.shared.over.load(Ordering::Relaxed) {
            let (node, address) = self.shared.nodes[self.place].clone();
            let opened = async { Socket::open(TcpStream::connect(address).await?).await };
            if let Ok(Ok(socket)) = tokio::time::timeout(CONNECT_TIMEOUT, opened).await {
                let was_welcomed = self.connected(&node, socket).await;
                failures = if was_welcomed { 0 } else { failures + 1 };
            } else {
                failures += 1;
            }
            // As behind a balancer: anywhere, but not where it has just failed.
            self.place = (self.place + self.random.random_range(1..self.shared.nodes.len())) % self.shared.nodes.len();
            let most_ms = (BACK_OFF_MS << failures.min(10)).min(BACK_OFF_MAX_MS);
            tokio::time::sleep(Duration::from_millis(self.random.random_range(0..most_ms))).await;
        }
        self.story
    }

    /// One connection, to its end; whether it was welcomed on it.
    async fn connected(&mut self, node: &str, mut socket: Socket) -> bool {
        let session = self.shared.history.next_session();
        let hello = self.hello(session, node);
        let mut talk = Talk { user: self, session, is_welcomed: false };
        let left = match socket.send(&hello).await {
            Ok(()) => talk.go_on(&mut socket).await.is_ok(),
            Err(_) => false,
        };
        let is_welcomed = talk.is_welcomed;
        if is_welcomed {
            self.shared.connected.fetch_sub(1, Ordering::Relaxed);
        }
        if !left {
            self.shared.history.note(What::Ended { session, code: socket.closed });
            if self.shared.killed.get().is_some() && !self.story.was_lost {
                self.story.was_lost = true;
            }
        }
        is_welcomed
    }

    /// The hello, with all that there is no confirm for.
    fn hello(&mut self, session: Session, node: &str) -> String {
        let open: Vec<Key> = self.screen.keys().cloned().collect();
        let shown: Vec<Value> = open.iter().map(|key| json!({"id": key.id, "window": key.window})).collect();
        self.shared.history.note(What::Hello {
            session,
            user: self.name.clone(),
            device: "phone".to_owned(),
            node: node.to_owned(),
            visible: true,
            max_in_flight: 16,
            open,
            transport: Transport::Websocket,
        });
        let mut acks = Vec::new();
        for (key, pending) in &mut self.pending {
            let data = json!({"step": pending.step});
            acks.push(json!({"id": key.id, "window": key.window, "step": pending.step, "data": data}));
            (pending.sent, pending.is_refused) = (now(), false);
            self.shared.history.note(What::Ack { session, key: key.clone(), step: Some(pending.step), data, reference: None });
        }
        json!({"type": "hello", "token": self.token, "device": "phone", "max_in_flight": 16, "acks": acks, "open": shown}).to_string()
    }
}

/// What is said on one connection.
struct Talk<'a> {
    user: &'a mut User,
    session: Session,
    is_welcomed: bool,
}

impl Talk<'_> {
    /// Until it is over, or until the other side ends it, which is an error.
    async fn go_on(&mut self, socket: &mut Socket) -> std::io::Result<()> {
        loop {
            let text = match tokio::time::timeout(LOOK_UP, socket.next_text()).await {
                Ok(text) => Some(text?),
                Err(_) => None,
            };
            if let Some(text) = text {
                match serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")) {
                    Frame::Many(said) => said.into_iter().for_each(|said| self.take(said)),
                    Frame::One(said) => self.take(*said),
                }
            }
            if self.user.shared.over.load(Ordering::Relaxed) {
                self.note(What::End { session: self.session, leave: engage::history::record::Leave::Lost });
                return Ok(());
            }
            if self.is_welcomed {
                let messages = self.acts();
                if !messages.is_empty() {
                    socket.send(&Value::from(messages).to_string()).await?;
                }
            }
        }
    }

    fn note(&self, what: What) {
        self.user.shared.history.note(what);
    }

    fn take(&mut self, said: Said) {
        let session = self.session;
        let key = || Key::new(&self.user.name, &said.id, said.window.as_str().unwrap_or_default());
        match said.kind.as_str() {
            "welcome" => {
                self.note(What::Welcome { session, window: None });
                self.is_welcomed = true;
                self.user.shared.connected.fetch_add(1, Ordering::Relaxed);
                said.acks.into_iter().for_each(|answer| self.take(answer));
            }
            "caught_up" => {
                self.note(What::CaughtUp { session });
                self.caught_up();
            }
            "offer" => {
                let (key, Said { offer, step, steps, at, data, payload, .. }) = (key(), said);
                self.user.screen.insert(key.clone(), (step, steps));
                self.note(What::Offer { session, key, offer, step, at, data, payload });
            }
            "confirm" => self.confirmed(key(), &said),
            "withdraw" => {
                let key = key();
                self.user.screen.remove(&key);
                self.note(What::Withdraw { session, key, reason: said.reason, at: said.at });
            }
            "error" => {
                let key = key();
                self.note(What::Error { session, code: said.code, retry: said.retry, reference: said.reference });
                match self.user.pending.get_mut(&key) {
                    Some(pending) if said.retry => pending.is_refused = true,
                    _ => drop(self.user.pending.remove(&key)),
                }
            }
            _ => {}
        }
    }

    fn caught_up(&mut self) {
        let Some(killed) = self.user.shared.killed.get() else { return };
        if self.user.story.was_lost && self.user.story.back.is_none() {
            self.user.story.back = Some(killed.elapsed());
        }
    }

    fn confirmed(&mut self, key: Key, said: &Said) {
        let user = &mut *self.user;
        let is_answered = |pending: &Pending| is_settled(&said.state) || pending.step <= said.step;
        if let Some(pending) = user.pending.get(&key).copied().filter(is_answered) {
            user.pending.remove(&key);
            let killed = user.shared.killed.get().filter(|killed| pending.sent > **killed);
            if let Some(killed) = killed {
                user.story.served.get_or_insert(killed.elapsed());
            }
        }
        if is_settled(&said.state) {
            user.screen.remove(&key);
        } else if let Some((step, _)) = user.screen.get_mut(&key) {
            *step = (*step).max(said.step + 1);
        }
        let Said { step, yours, at, reference, .. } = *said;
        self.note(What::Confirm { session: self.session, key, step, state: said.state.clone(), yours, at, reference });
    }

    /// What there is to say now.
    fn acts(&mut self) -> Vec<Value> {
        let is_attentive = self.user.shared.attentive.load(Ordering::Relaxed);
        let is_tour_due = now() >= self.user.next_tour_at;
        let is_free = |user: &User, key: &Key| user.pending.get(key).is_none_or(|pending| pending.is_refused);
        let wants = |key: &Key, (step, steps): (u64, u64)| match key.id.as_str() {
            TOUR if is_attentive => Some(steps),
            TOUR => is_tour_due.then_some(step).filter(|step| *step < steps),
            _ => Some(step),
        };
        let due: Vec<(Key, u64)> = (self.user.screen.iter())
            .filter(|(key, _)| is_free(self.user, key))
            .filter_map(|(key, shown)| Some((key.clone(), wants(key, *shown)?)))
            .collect();
        due.into_iter().map(|(key, step)| self.ack(key, step)).collect()
    }

    fn ack(&mut self, key: Key, step: u64) -> Value {
        let user = &mut *self.user;
        user.next_reference += 1;
        if key.id == TOUR {
            user.next_tour_at = now() + Duration::from_millis(user.random.random_range(TOUR_PAUSE_MS));
        }
        let reference = user.next_reference;
        user.pending.insert(key.clone(), Pending { step, sent: now(), is_refused: false });
        let data = json!({"step": step});
        let message = json!({"type": "ack", "id": key.id, "window": key.window, "step": step, "data": data, "ref": reference});
        self.note(What::Ack { session: self.session, key, step: Some(step), data, reference: Some(reference) });
        message
    }
}

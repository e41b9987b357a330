//! What several rules want to know of a history: its connections, one by one, and which node had a fault when. Decides nothing.

use std::collections::{BTreeMap, HashMap};

use super::record::{Entry, Fault, Key, Leave, Session, What};

/// Whether two times overlap, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: u64,
    pub to: u64,
}

impl Span {
    pub fn meets(&self, other: Span) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// An ack or a dismiss that was sent on a connection, and the answer.
#[derive(Clone, Debug)]
pub struct Asked {
    pub t: u64,
    pub key: Key,
    pub answered: Option<u64>,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Connection {
    pub session: Session,
    pub user: String,
    pub device: String,
    pub node: String,
    pub hello: u64,
    pub open: Vec<Key>,
    pub welcome: Option<u64>,
    /// By the client.
    pub end: Option<(u64, Leave)>,
    /// By the other side, with the code of its Close frame.
    pub ended: Option<(u64, Option<u16>)>,
    /// When it first said that it is hidden.
    pub hidden: Option<u64>,
    pub asked: BTreeMap<i64, Asked>,
    /// Time and code.
    pub errors: Vec<(u64, String)>,
    /// When it read it, and ledger time.
    pub withdraws: HashMap<Key, Vec<(u64, u64)>>,
}

impl Connection {
    /// When it was over, if it was.
    pub fn over(&self) -> Option<u64> {
        let ends = [self.end.map(|(t, _)| t), self.ended.map(|(t, _)| t)];
        ends.into_iter().flatten().min()
    }
}

/// An offer, as it was read.
#[derive(Clone, Debug)]
pub struct Offer {
    pub session: Session,
    pub t: u64,
    pub at: u64,
}

/// What is known of a history.
#[derive(Default)]
pub struct Facts {
    /// The wall clock at time 0, in ms.
    pub wall_ms: u64,
    pub lease_ms: u64,
    pub request_timeout_ms: u64,
    /// The time of the last entry.
    pub last: u64,
    pub connections: BTreeMap<Session, Connection>,
    /// The connections of each device, in their order.
    pub devices: BTreeMap<(String, String), Vec<Session>>,
    /// The offers of what one device at a time may hold, in the order of ledger time.
    pub offers: BTreeMap<Key, Vec<Offer>>,
    /// Each fault with its time and node.
    pub faults: Vec<(u64, String, Fault)>,
    /// Engagements for all devices at once, by user and id.
    shared: std::collections::BTreeSet<(String, String)>,
}

impl Facts {
    pub fn of(entries: &[Entry]) -> Facts {
        let mut facts = Facts { last: entries.last().map_or(0, |entry| entry.t), ..Facts::default() };
        entries.iter().for_each(|entry| facts.take(entry));
        let shared = std::mem::take(&mut facts.shared);
        facts.offers.retain(|key, _| !shared.contains(&(key.user.clone(), key.id.clone())));
        facts.offers.values_mut().for_each(|offers| offers.sort_by_key(|offer| offer.at));
        facts
    }

    fn take(&mut self, Entry { t, what, .. }: &Entry) {
        match what {
            What::Run(run) => {
                (self.wall_ms, self.lease_ms, self.request_timeout_ms) = (run.wall_ms, run.lease_ms, run.request_timeout_ms);
            }
            What::Publish(publish) if publish.targets == super::record::Targets::All => {
                self.shared.insert((publish.user.clone(), publish.id.clone()));
            }
            What::Fault { node, kind } => self.faults.push((*t, node.clone(), *kind)),
            What::Hello { .. } => self.begin(*t, what),
            What::Offer { session, key, at, .. } => {
                self.offers.entry(key.clone()).or_default().push(Offer { session: *session, t: *t, at: *at });
            }
            _ => self.on_connection(*t, what),
        }
    }

    fn begin(&mut self, t: u64, what: &What) {
        let What::Hello { session, user, device, node, open, visible, .. } = what else { return };
        self.devices.entry((user.clone(), device.clone())).or_default().push(*session);
        let connection = Connection {
            session: *session,
            user: user.clone(),
            device: device.clone(),
            node: node.clone(),
            hello: t,
            open: open.clone(),
            welcome: None,
            end: None,
            ended: None,
            hidden: (!visible).then_some(t),
            asked: BTreeMap::new(),
            errors: Vec::new(),
            withdraws: HashMap::new(),
        };
        self.connections.insert(*session, connection);
    }

    fn on_connection(&mut self, t: u64, what: &What) {
        let Some(connection) = session_of(what).and_then(|session| self.connections.get_mut(&session)) else { return };
        match what {
            What::Welcome { .. } => connection.welcome = Some(t),
            What::Withdraw { key, at, .. } => connection.withdraws.entry(key.clone()).or_default().push((t, *at)),
            What::Ack { key, reference: Some(reference), .. } => {
                connection.asked.insert(*reference, Asked { t, key: key.clone(), answered: None });
            }
            What::Confirm { reference: Some(reference), .. } => answer(connection, *reference, t),
            What::Error { code, reference, .. } => {
                connection.errors.push((t, code.clone()));
                reference.iter().for_each(|reference| answer(connection, *reference, t));
            }
            What::Visible { visible: false, .. } => {
                connection.hidden.get_or_insert(t);
            }
            What::End { leave, .. } => connection.end = Some((t, *leave)),
            What::Ended { code, .. } => connection.ended = Some((t, *code)),
            _ => {}
        }
    }

    /// The wall clock at a time of the history, in ms. Ledger time is stamped from it.
    pub fn wall(&self, t: u64) -> u64 {
        self.wall_ms + t / 1_000
    }

    /// The times in which a node was not as it should be, and a while after.
    pub fn disturbances(&self, node: &str, grace: u64) -> Vec<Span> {
        spans(self.faults.iter().filter(|(_, name, _)| name == node).map(|(t, _, kind)| (*t, *kind)), self.last, grace)
    }

    /// The times without a majority, and a while after.
    pub fn without_majority(&self, grace: u64) -> Vec<Span> {
        let of_all = self.faults.iter().filter(|(_, _, kind)| matches!(kind, Fault::NoMajority | Fault::Majority));
        spans(of_all.map(|(t, _, kind)| (*t, *kind)), self.last, grace)
    }

    /// When a node was made unable to speak for its clients.
    pub fn silenced(&self, node: &str) -> impl Iterator<Item = u64> {
        let silences = |kind: &Fault| kind.silences();
        self.faults.iter().filter(move |(_, name, kind)| name == node && silences(kind)).map(|(t, _, _)| *t)
    }
}

fn answer(connection: &mut Connection, reference: i64, t: u64) {
    if let Some(asked) = connection.asked.get_mut(&reference) {
        asked.answered.get_or_insert(t);
    }
}

fn spans(faults: impl Iterator<Item = (u64, Fault)>, last: u64, grace: u64) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut began = None;
    for (t, kind) in faults {
        if kind.is_harmless() {
            continue;
        }
        if kind.is_end() {
            spans.extend(began.take().map(|from| Span { from, to: t + grace }));
        } else {
            began = began.or(Some(t));
        }
    }
    spans.extend(began.map(|from| Span { from, to: last }));
    spans
}

fn session_of(what: &What) -> Option<Session> {
    match what {
        What::Welcome { session, .. }
        | What::CaughtUp { session }
        | What::Withdraw { session, .. }
        | What::Ack { session, .. }
        | What::Confirm { session, .. }
        | What::Error { session, .. }
        | What::Visible { session, .. }
        | What::End { session, .. }
        | What::Ended { session, .. } => Some(*session),
        _ => None,
    }
}

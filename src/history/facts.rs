//! What the rules want to know of a history, sorted by what it is about: connections, keys, names, calls, faults. Made in one walk; decides nothing, but for one thing: entries that
//! speak of what the history never told are no history, and are said to be so.

use std::collections::HashMap;

use super::connection::{Asked, Connection};
use super::disturbance::Faults;
use super::order::{Moment, Order};
use super::record::{Entry, Fault, Key, Publish, Run, Scope, Session, Targets, What};
use super::violation::{Violation, call_of, session_of};

/// A call of a publisher, with all its tries.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    pub call: u64,
    /// The place of its first entry.
    pub place: usize,
    pub name: usize,
    /// None for a withdrawal.
    pub publish: Option<&'a Publish>,
    /// The place of the answer for good.
    pub answered: Option<usize>,
    /// The code that it was refused with.
    pub refused: Option<&'a str>,
    /// A try had no answer: it may have happened, and may still happen.
    pub is_unknown: bool,
}

/// A user and an engagement's id: all deliveries of it, whatever their window.
#[derive(Clone, Debug)]
pub struct Name<'a> {
    pub user: &'a str,
    pub id: &'a str,
    /// Places in [`Facts::calls`], in their order: publishes and withdrawals.
    pub calls: Vec<usize>,
    /// Places in [`Facts::keys`].
    pub keys: Vec<usize>,
    pub scope: Scope,
    pub targets: Targets,
}

/// A delivery.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    pub key: &'a Key,
    pub name: usize,
    /// The places of all entries about it, in their order.
    pub seen: Vec<usize>,
}

/// What is known of a history.
pub struct Facts<'a> {
    pub entries: &'a [Entry],
    pub order: Order,
    pub run: Run,
    /// The time of the last entry.
    pub last: u64,
    pub keys: Vec<Delivery<'a>>,
    pub names: Vec<Name<'a>>,
    pub calls: Vec<Call<'a>>,
    pub connections: Vec<Connection<'a>>,
    /// The connections of each device, in their order.
    pub devices: HashMap<(&'a str, &'a str), Vec<usize>>,
    pub faults: Faults,
    /// It was brought to its end: the feed was read.
    pub has_end: bool,
    /// Why it is no history.
    pub oddities: Vec<Violation>,
    index: Index<'a>,
}

#[derive(Default)]
struct Index<'a> {
    keys: HashMap<&'a Key, usize>,
    names: HashMap<(&'a str, &'a str), usize>,
    calls: HashMap<u64, usize>,
    sessions: HashMap<Session, usize>,
}

impl<'a> Facts<'a> {
    #[must_use]
    pub fn of(entries: &'a [Entry]) -> Facts<'a> {
        let last = entries.last().map_or(0, |entry| entry.t);
        let run = entries.iter().find_map(|entry| match &entry.what {
            What::Run(run) => Some(run.clone()),
            _ => None,
        });
        let mut facts = Facts {
            entries,
            order: Order::of(entries),
            last,
            keys: Vec::new(),
            names: Vec::new(),
            calls: Vec::new(),
            connections: Vec::new(),
            devices: HashMap::new(),
            faults: Faults::default(),
            has_end: false,
            oddities: Vec::new(),
            index: Index::default(),
            run: run.clone().unwrap_or_default(),
        };
        if run.is_none() {
            facts.oddities.push(Violation::new("history", 0, "it has no entry of its run".to_owned()));
        }
        let mut noted: Vec<(u64, String, Fault)> = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            facts.take(place, entry);
            match &entry.what {
                What::Fault { node, kind } => noted.push((entry.t, node.clone(), *kind)),
                What::Outcome { .. } => facts.has_end = true,
                _ => {}
            }
        }
        facts.faults = Faults::of(&noted, last);
        facts
    }

    fn take(&mut self, place: usize, entry: &'a Entry) {
        let Entry { t, what, .. } = entry;
        if let Some(key) = what.key() {
            let key = self.key(key);
            self.keys[key].seen.push(place);
        }
        match what {
            What::Hello { .. } => self.begin(place, entry),
            What::Publish(publish) => self.publish(place, publish),
            What::TakeBack { call, user, id } => {
                let name = self.name(user, id);
                self.call(Call { call: *call, place, name, publish: None, answered: None, refused: None, is_unknown: false });
            }
            _ => {
                if let Some(call) = call_of(what) {
                    self.on_call(place, call, entry);
                }
                if let Some(session) = session_of(what) {
                    match self.index.sessions.get(&session) {
                        Some(index) => on_connection(&mut self.connections[*index], place, entry),
                        None => self.odd(*t, format!("session {session} says no hello before its {}", what.kind())),
                    }
                }
            }
        }
    }

    fn odd(&mut self, t: u64, text: String) {
        self.oddities.push(Violation::new("history", t, text));
    }

    fn name(&mut self, user: &'a str, id: &'a str) -> usize {
        *self.index.names.entry((user, id)).or_insert_with(|| {
            let new = Name { user, id, calls: Vec::new(), keys: Vec::new(), scope: Scope::User, targets: Targets::Active };
            self.names.push(new);
            self.names.len() - 1
        })
    }

    fn key(&mut self, key: &'a Key) -> usize {
        if let Some(known) = self.index.keys.get(key) {
            return *known;
        }
        let (name, place) = (self.name(&key.user, &key.id), self.keys.len());
        self.names[name].keys.push(place);
        self.keys.push(Delivery { key, name, seen: Vec::new() });
        self.index.keys.insert(key, place);
        place
    }

    fn publish(&mut self, place: usize, publish: &'a Publish) {
        let name = self.name(&publish.user, &publish.id);
        let known = &mut self.names[name];
        // One that is for all, or for each device, tells of deliveries that several may hold, even if another was to be for one.
        known.scope = if publish.scope == Scope::Device { Scope::Device } else { known.scope };
        known.targets = if publish.targets == Targets::All { Targets::All } else { known.targets };
        let call = publish.call;
        self.call(Call { call, place, name, publish: Some(publish), answered: None, refused: None, is_unknown: false });
    }

    fn call(&mut self, call: Call<'a>) {
        let t = self.entries[call.place].t;
        self.names[call.name].calls.push(self.calls.len());
        if self.index.calls.insert(call.call, self.calls.len()).is_some() {
            self.odd(t, format!("call {} begins twice", call.call));
        }
        self.calls.push(call);
    }

    fn on_call(&mut self, place: usize, call: u64, Entry { t, what, .. }: &'a Entry) {
        let Some(known) = self.index.calls.get(&call) else {
            return self.odd(*t, format!("call {call} is {} before it was made", what.kind()));
        };
        let known = &mut self.calls[*known];
        match what {
            What::Unanswered { .. } | What::GaveUp { .. } => known.is_unknown = true,
            What::Refused { code, .. } => (known.answered, known.refused) = (Some(place), Some(code.as_str())),
            _ => known.answered = Some(place),
        }
    }

    fn begin(&mut self, place: usize, Entry { t, what, .. }: &'a Entry) {
        let What::Hello { session, user, device, node, open, visible, max_in_flight, transport } = what else { return };
        let sessions = self.devices.entry((user, device)).or_default();
        let connection = Connection {
            session: *session,
            user,
            device,
            node,
            hello: *t,
            place,
            index: sessions.len(),
            open,
            max_in_flight: *max_in_flight,
            transport: *transport,
            welcome: None,
            end: None,
            ended: None,
            hidden: (!visible).then_some(*t),
            asked: std::collections::BTreeMap::new(),
            errors: Vec::new(),
            withdraws: HashMap::new(),
            dismisses: HashMap::new(),
            seen: vec![place],
        };
        sessions.push(self.connections.len());
        if self.index.sessions.insert(*session, self.connections.len()).is_some() {
            self.odd(*t, format!("session {session} says hello twice"));
        }
        self.connections.push(connection);
    }

    /// The moment of a place.
    #[must_use]
    pub fn moment(&self, place: usize) -> Moment {
        self.order.moment(self.entries, place)
    }

    /// A connection; none where it never said hello.
    #[must_use]
    pub fn connection(&self, session: Session) -> Option<&Connection<'a>> {
        self.index.sessions.get(&session).map(|index| &self.connections[*index])
    }

    /// A call by its number.
    #[must_use]
    pub fn call_of(&self, call: u64) -> Option<&Call<'a>> {
        self.index.calls.get(&call).map(|index| &self.calls[*index])
    }

    /// A delivery by its key.
    #[must_use]
    pub fn delivery(&self, key: &Key) -> Option<&Delivery<'a>> {
        self.index.keys.get(key).map(|index| &self.keys[*index])
    }

    /// The connections of a device, in the order of their hellos.
    #[must_use]
    pub fn connections_of<'s>(&'s self, user: &'s str, device: &'s str) -> &'s [usize] {
        self.devices.get(&(user, device)).map_or(&[], Vec::as_slice)
    }

    /// The publishes of a name, in their order.
    pub fn publishes<'f>(&'f self, name: &'f Name<'a>) -> impl Iterator<Item = (&'f Call<'a>, &'a Publish)> {
        name.calls.iter().map(|call| &self.calls[*call]).filter_map(|call| Some((call, call.publish?)))
    }

    /// Whether a key is a delivery: not the engagement of scope device that devices get deliveries of.
    #[must_use]
    pub fn is_delivery(&self, delivery: &Delivery<'_>) -> bool {
        delivery.key.device.is_some() || self.names[delivery.name].scope == Scope::User
    }
}

fn on_connection<'a>(connection: &mut Connection<'a>, place: usize, Entry { t, what, .. }: &'a Entry) {
    connection.seen.push(place);
    match what {
        What::Welcome { .. } => connection.welcome = Some(*t),
        What::Withdraw { key, at, .. } => connection.withdraws.entry(key).or_default().push((*t, *at)),
        What::Ack { key, step, reference, .. } => {
            if step.is_none() {
                connection.dismisses.entry(key).or_default().push(*t);
            }
            if let Some(reference) = reference {
                connection.asked.insert(*reference, Asked { t: *t, key, answered: None });
            }
        }
        What::Confirm { reference: Some(reference), .. } => connection.answer(*reference, *t),
        What::Error { code, retry, reference, .. } => {
            connection.errors.push((*t, code, *retry));
            reference.iter().for_each(|reference| connection.answer(*reference, *t));
        }
        What::Visible { visible: false, .. } => {
            connection.hidden.get_or_insert(*t);
        }
        What::End { leave, .. } => connection.end = Some((*t, *leave)),
        What::Ended { code, .. } => connection.ended = Some((*t, *code)),
        _ => {}
    }
}

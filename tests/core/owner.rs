//! An owner that says later, or never, what it has committed, and its edges: their shared world, for random failovers. What may never happen is asserted on the way.

use engage::ledger::command::{Attach, By, Departure, Greeting, Visibility};
use engage::ledger::effect::Action;
use engage::ledger::ids::{ConnectionId, EdgeId, UserId, WindowId};
use engage::ledger::outcome::{Outcome, What};
use engage::ledger::reply::{AckReply, AttachReply, PublishReply};
use engage::ledger::time::LedgerTime;
use engage::ledger::{Applied, Command, Ledger, Reply};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::edges::{Edges, Known, Line, Shown, Word, device_number, key_of};
use crate::properties::{device_id, engagement, number, settings};
use crate::snapshots::{bytes_of, restored};

/// A ledger, its owner's unsaid words, and the edges.
pub struct World {
    ledger: Ledger,
    /// Time as the edges measure it.
    now: u64,
    /// How far the clock of the owner is ahead.
    ahead: u64,
    connections: u64,
    numbers: u64,
    pub edges: Edges,
    pub unsaid: VecDeque<(ConnectionId, u32, Word)>,
    pub windows: BTreeMap<u8, WindowId>,
    /// The highest committed step of each key.
    pub steps: BTreeMap<(Option<u8>, Shown), u32>,
    /// The number of the last offer of a key to a device.
    numbers_told: BTreeMap<(u8, Shown), u32>,
    pub reached: BTreeMap<&'static str, usize>,
}

pub fn user() -> UserId {
    UserId::parse("user0").unwrap()
}

impl World {
    pub fn new() -> World {
        let mut world = World {
            ledger: Ledger::default(),
            now: 1_000_000,
            ahead: 0,
            connections: 0,
            numbers: 0,
            edges: Edges::default(),
            unsaid: VecDeque::new(),
            windows: BTreeMap::new(),
            steps: BTreeMap::new(),
            numbers_told: BTreeMap::new(),
            reached: BTreeMap::new(),
        };
        world.apply(Command::Takeover { settings: settings(), edges: Vec::new() });
        world
    }

    fn reach(&mut self, what: &'static str) {
        *self.reached.entry(what).or_default() += 1;
    }

    /// Commits a command; what comes of it waits to be said.
    pub fn apply(&mut self, command: Command) -> Applied {
        self.run_leases_out();
        let arrival = match &command {
            Command::Attach { attach, .. } => Some(attach.clone()),
            _ => None,
        };
        let last_before = self.ledger.outcomes().last();
        let applied = self.ledger.apply(command, LedgerTime(self.now + self.ahead));
        self.ledger.check().unwrap();
        self.note_steps(&applied, arrival.as_ref());
        let has_told_again = self.note_offers(&applied, last_before);
        assert!(arrival.is_some() || !has_told_again, "an offer that is neither new nor lost was made");
        if let Some(attach) = &arrival {
            self.note_reached(&applied, attach);
            match attach.greeting {
                Greeting::Again { .. } if has_told_again => self.reach("an offer was told again"),
                Greeting::Hello if has_told_again => self.reach("a repeated hello was told its offer again"),
                _ => {}
            }
        }
        applied
    }

    /// An offer is reported, or it is one that was made before to the same device, with its number. Says whether there was such a one.
    fn note_offers(&mut self, applied: &Applied, last_before: u64) -> bool {
        let outcomes = self.ledger.outcomes().after(last_before, usize::MAX).unwrap();
        let mut reported =
            outcomes.into_iter().map(|(_, outcome)| outcome).filter(|outcome| outcome.what == What::Offered).collect::<Vec<_>>();
        let mut has_told_again = false;
        for effect in &applied.effects {
            let Action::Offer(offer) = &effect.action else { continue };
            let device = self.edges.lines[&effect.connection].device;
            let key = (device, (offer.id.to_string(), offer.window));
            let is_it = |outcome: &Outcome| outcome.id == offer.id && outcome.device == Some(device_id(device));
            match reported.iter().position(is_it) {
                Some(index) => drop(reported.remove(index)),
                None => {
                    assert_eq!(self.numbers_told.get(&key), Some(&offer.offer), "{key:?} was told again under another number");
                    has_told_again = true;
                }
            }
            self.numbers_told.insert(key, offer.offer);
        }
        assert!(reported.is_empty(), "offers that were not made are reported: {reported:?}");
        has_told_again
    }

    /// At each edge a lease is over before it is in the ledger.
    pub fn run_leases_out(&mut self) {
        if self.edges.run_leases_out(self.now, settings().lease.0) > 0 {
            self.reach("an edge withdrew what its connections held");
        }
    }

    /// Puts effects behind what waits to be said.
    fn say_effects(&mut self, applied: &Applied) {
        for effect in &applied.effects {
            if let Some(line) = self.edges.lines.get(&effect.connection) {
                self.unsaid.push_back((effect.connection, line.attempt, Word::Do(effect.action.clone())));
            }
        }
    }

    pub fn do_now(&mut self, command: Command) -> Applied {
        let applied = self.apply(command);
        self.say_effects(&applied);
        applied
    }

    /// G4: an offer goes on behind the highest committed step.
    fn note_steps(&mut self, applied: &Applied, arrival: Option<&Attach>) {
        let own = |device: u8, id: &str| (number(id) < 2).then_some(device);
        if let (Reply::Attach(AttachReply::Attached { acks, .. } | AttachReply::TooManyDevices { acks }), Some(attach)) =
            (&applied.reply, arrival)
        {
            for reply in acks {
                self.note_step(device_number(&attach.device), reply);
            }
        }
        for effect in &applied.effects {
            let Action::Offer(offer) = &effect.action else { continue };
            let Some(line) = self.edges.lines.get(&effect.connection) else { panic!("an offer went to a connection that never was") };
            let key = (own(line.device, offer.id.as_str()), (offer.id.to_string(), offer.window));
            assert_eq!(offer.step, self.steps.get(&key).copied().unwrap_or_default() + 1, "{key:?} was not resumed");
        }
    }

    fn note_step(&mut self, device: u8, reply: &AckReply) {
        let AckReply::Confirm(confirm) = reply else { return };
        let id = confirm.id.as_str();
        let key = ((number(id) < 2).then_some(device), (id.to_string(), confirm.window));
        let step = self.steps.entry(key.clone()).or_default();
        assert!(confirm.step >= *step, "the step of {key:?} fell");
        *step = confirm.step;
    }

    fn note_reached(&mut self, applied: &Applied, attach: &Attach) {
        let has =
            |is: fn(&Action) -> bool| applied.effects.iter().any(|effect| effect.connection == attach.connection && is(&effect.action));
        let is_again = matches!(attach.greeting, Greeting::Again { .. });
        let seen = [
            ("an again was replaced", applied.reply == Reply::Attach(AttachReply::Replaced)),
            ("progress by steps", is_again && has(|action| matches!(action, Action::Progress { .. }))),
            ("withdraw by an again", is_again && has(|action| matches!(action, Action::Withdraw { .. }))),
            ("window by an again", is_again && has(|action| matches!(action, Action::Window(_)))),
            ("caught up by an again", is_again && has(|action| matches!(action, Action::CaughtUp))),
            ("an again that told nothing", is_again && applied.effects.is_empty()),
        ];
        for (what, _) in seen.iter().filter(|(_, is_so)| *is_so) {
            self.reach(what);
        }
    }

    pub fn publish(&mut self, id: u8, kind: u16) {
        let applied = self.do_now(Command::Publish { user: user(), engagement: Arc::new(engagement(id, kind)) });
        if let Reply::Publish(PublishReply::Queued { window, .. }) = applied.reply {
            self.windows.insert(id, window);
        }
    }

    pub fn hello(&mut self, device: u8, kind: u16) {
        self.connections += 1;
        let connection = ConnectionId { edge: EdgeId(u64::from(kind % 3)), number: self.connections };
        let earlier = self.edges.current(device);
        let mut acks = Vec::new();
        if let Some(earlier) = earlier {
            // Its edge does not notice: only the client knows that it has turned to another connection.
            let line = self.edges.lines.get_mut(&earlier).unwrap();
            let said = std::mem::take(&mut line.pending).into_values();
            acks.extend(said.filter_map(|command| if let Command::Ack { ack, .. } = command { Some(ack) } else { None }));
            line.is_current = false;
            self.edges.left.insert(device, line.screen.clone());
            if !line.is_welcomed {
                self.edges.lines.remove(&earlier);
            }
        }
        let left = self.edges.left.remove(&device).unwrap_or_default();
        let is_remembered = kind >> 4 & 1 == 1;
        let mut screen = if is_remembered { left } else { BTreeMap::new() };
        screen.values_mut().for_each(|known| known.is_told = false);
        let hello = Attach {
            device: device_id(device),
            connection,
            visibility: if kind.is_multiple_of(4) { Visibility::Hidden } else { Visibility::Visible },
            max_in_flight: 1 + kind % 5,
            acks,
            open: screen.keys().map(key_of).collect(),
            greeting: Greeting::Hello,
        };
        let line = Line {
            device,
            hello,
            hello_order: self.edges.next_order(),
            attempt: 0,
            lost_at: Some(self.now),
            is_current: true,
            is_welcomed: false,
            is_caught_up: false,
            window: None,
            screen,
            sent: BTreeSet::new(),
            pending: BTreeMap::new(),
        };
        self.edges.lines.insert(connection, line);
        self.attach(connection);
    }

    /// The edge of a connection reports it to the owner: what has no answer first.
    fn attach(&mut self, connection: ConnectionId) {
        // Without an answer for too long, its edge ended it just now.
        let Some(line) = self.edges.lines.get_mut(&connection) else { return };
        line.attempt += 1;
        line.lost_at = None;
        for (number, command) in line.pending.clone() {
            self.ask(connection, number, command);
        }
        // Time may have run its lease out meanwhile: what it reports is what it shows now.
        let attach = self.edges.lines[&connection].attach();
        let (is_hello, before) = (attach.greeting == Greeting::Hello, self.held_by(&attach));
        let applied = self.apply(Command::Attach { user: user(), attach: attach.clone() });
        let word = match &applied.reply {
            Reply::Attach(AttachReply::Attached { window, acks }) if is_hello => Word::Welcome { window: window.id, acks: acks.clone() },
            Reply::Attach(AttachReply::Attached { .. }) => Word::Resumed,
            Reply::Attach(_) => Word::Refused,
            other => panic!("an attach was answered with {other:?}"),
        };
        if before.difference(&self.held_by(&attach)).any(|shown| !attach.open.contains(&key_of(shown))) && !is_hello {
            self.reach("a lost offer was taken back");
        }
        let held = self.held_by(&attach);
        let line = self.edges.lines.get_mut(&connection).expect("it has just been attached");
        line.sent.retain(|shown| !held.contains(shown));
        self.unsaid.push_back((connection, line.attempt, word));
        self.say_effects(&applied);
    }

    fn held_by(&self, attach: &Attach) -> BTreeSet<Shown> {
        let deliveries = self.ledger.deliveries(&user(), 0, 1_000).into_iter();
        let held = deliveries.filter(|view| view.open.as_ref().is_some_and(|open| open.holders.contains(&attach.device)));
        held.map(|view| (view.id.to_string(), view.window)).collect()
    }

    /// A client says something that wants an answer.
    pub fn say(&mut self, device: u8, command: Command) {
        let Some(connection) = self.edges.current(device) else {
            // Posted: answered at once, or not at all.
            let applied = self.do_now(command);
            let Reply::Ack(reply) = &applied.reply else { panic!("{:?}", applied.reply) };
            self.note_step(device, reply);
            return;
        };
        self.numbers += 1;
        let number = self.numbers;
        let line = self.edges.lines.get_mut(&connection).unwrap();
        line.pending.insert(number, command.clone());
        if line.lost_at.is_none() {
            self.ask(connection, number, command);
        }
    }

    /// Whoever says something now on this device.
    pub fn by(&self, device: u8) -> By {
        By { device: device_id(device), connection: self.edges.current(device) }
    }

    fn ask(&mut self, connection: ConnectionId, number: u64, command: Command) {
        let is_dismiss = matches!(command, Command::Dismiss { .. });
        let applied = self.apply(command);
        let Reply::Ack(reply) = applied.reply.clone() else { panic!("{:?}", applied.reply) };
        let line = &self.edges.lines[&connection];
        let (device, attempt) = (line.device, line.attempt);
        self.note_step(device, &reply);
        self.unsaid.push_back((connection, attempt, Word::Answer { number, reply, is_dismiss }));
        self.say_effects(&applied);
    }

    /// Whoever dismisses takes it off the own screen first.
    pub fn dismiss(&mut self, device: u8, id: u8) {
        let Some(connection) = self.edges.current(device) else { return };
        let line = self.edges.lines.get_mut(&connection).unwrap();
        let Some(shown) = line.screen.keys().find(|shown| number(&shown.0) == id).cloned() else { return };
        line.screen.remove(&shown);
        let key = key_of(&shown);
        self.say(device, Command::Dismiss { user: user(), by: self.by(device), id: key.id, window: key.window });
    }

    pub fn show(&mut self, device: u8, visibility: Visibility) {
        let Some(connection) = self.edges.current(device) else { return };
        let line = self.edges.lines.get_mut(&connection).unwrap();
        line.hello.visibility = visibility;
        if line.lost_at.is_none() {
            self.do_now(Command::Visible { user: user(), device: device_id(device), connection, visibility });
        }
    }

    /// A client's connection ends. An edge without an owner tells the next one of a close.
    pub fn end(&mut self, device: u8, departure: Departure) {
        let Some(connection) = self.edges.current(device) else { return };
        let is_told = self.edges.lines[&connection].lost_at.is_none() || departure == Departure::Closed;
        self.edges.end(connection);
        if is_told {
            self.do_now(Command::Detach { user: user(), device: device_id(device), connection, departure });
        }
    }

    pub fn send(&mut self, count: usize) {
        for _ in 0..count {
            let Some((connection, attempt, word)) = self.unsaid.pop_front() else { return };
            self.edges.hear(connection, attempt, &word);
        }
    }

    pub fn cut(&mut self, device: u8) {
        let Some(connection) = self.edges.current(device) else { return };
        let line = self.edges.lines.get_mut(&connection).unwrap();
        if line.lost_at.is_some() {
            return;
        }
        line.lost_at = Some(self.now);
        for (_, _, word) in self.unsaid.iter().filter(|(to, attempt, _)| *to == connection && *attempt == line.attempt) {
            if let Word::Do(Action::Withdraw { id, window, .. }) = word {
                line.sent.insert((id.to_string(), *window));
            }
        }
        line.attempt += 1;
        self.do_now(Command::Detach { user: user(), device: device_id(device), connection, departure: Departure::Lost });
    }

    pub fn take_over(&mut self, outage_ms: u64, ahead_ms: u64) {
        if !self.unsaid.is_empty() {
            self.reach("an owner died with words unsaid");
        }
        self.unsaid.clear();
        for line in self.edges.lines.values_mut() {
            line.attempt += 1;
            line.lost_at = line.lost_at.or(Some(self.now));
        }
        self.now += outage_ms;
        self.ahead += ahead_ms;
        let chunks = bytes_of(&self.ledger);
        self.ledger = restored(&chunks).unwrap();
        assert_eq!(bytes_of(&self.ledger), chunks);
        let applied = self.apply(Command::Takeover { settings: settings(), edges: Vec::new() });
        assert!(applied.effects.is_empty(), "nobody is attached, and {:?} were told something", applied.effects);
    }

    pub fn report(&mut self, which: impl Fn(&Line) -> bool) {
        let lost = self.edges.lines.iter().filter(|(_, line)| line.lost_at.is_some() && which(line));
        for connection in lost.map(|(connection, _)| *connection).collect::<Vec<_>>() {
            self.attach(connection);
        }
    }

    pub fn pass(&mut self, span_ms: u64) {
        let end = self.now + span_ms;
        while let Some(due) = self.ledger.next_due().filter(|due| due.0 <= end + self.ahead) {
            self.now = self.now.max(due.0.saturating_sub(self.ahead));
            self.do_now(Command::Advance);
        }
        self.now = end.max(self.now);
    }

    /// Nothing is unsaid: each attached connection shows what its device holds, as far as the ledger has it.
    pub fn check_screens(&mut self) {
        let Some(view) = self.ledger.user(&user()) else { return };
        let mut checked = 0;
        for device in view.devices.iter().filter(|device| device.lease_until.is_none()) {
            let Some(line) = self.edges.lines.get(&device.connection).filter(|line| line.is_current && line.lost_at.is_none()) else {
                continue;
            };
            let deliveries = self.ledger.deliveries(&user(), 0, 1_000).into_iter();
            let held = deliveries.filter(|delivery| delivery.open.as_ref().is_some_and(|open| open.holders.contains(&device.device)));
            let held: BTreeMap<Shown, u32> = held.map(|delivery| ((delivery.id.to_string(), delivery.window), delivery.step)).collect();
            let shown: BTreeSet<&Shown> = line.screen.keys().collect();
            assert_eq!(shown, held.keys().collect(), "{} shows other things than the ledger has it hold", device.connection);
            for (key, Known { step, is_told }) in &line.screen {
                let is_right = if *is_told { *step == held[key] } else { *step <= held[key] };
                assert!(is_right, "{} knows step {step} of {key:?}, which is at {}", device.connection, held[key]);
            }
            assert!(line.is_welcomed && line.is_caught_up, "{} was not told that it is caught up", device.connection);
            assert!(
                line.window.is_some() && line.window == view.window.map(|window| window.id),
                "{} knows another window",
                device.connection
            );
            checked += 1;
        }
        if checked > 0 {
            self.reach("screens were compared");
        }
    }

    /// All faults end: everybody reports in and hears everything.
    pub fn come_to_rest(&mut self) {
        self.run_leases_out();
        self.report(|_| true);
        self.send(usize::MAX);
        self.check_screens();
        let attached = self.edges.lines.values().filter(|line| line.is_current).count();
        let devices = self.ledger.user(&user()).map_or(0, |view| view.devices.iter().filter(|device| device.lease_until.is_none()).count());
        assert!(devices >= attached, "{attached} connections live, {devices} are attached");
    }
}

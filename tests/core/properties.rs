//! Random commands of random people: after each, every invariant of the ledger holds, and an oracle that saw only what clients and publishers see agrees
//! with the guarantees.

use bytes::Bytes;
use engage::ledger::command::{Ack, Attach, By, Departure, Greeting, Key, Visibility};
use engage::ledger::effect::Action;
use engage::ledger::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use engage::ledger::ids::{ConnectionId, DeviceId, EdgeId, EngagementId, UserId, WindowId};
use engage::ledger::limits::{Overflow, Settings};
use engage::ledger::outcome::What;
use engage::ledger::reply::{AckReply, AttachReply, PublishReply, State};
use engage::ledger::time::{LedgerTime, Millis};
use engage::ledger::{Applied, Command, Ledger, Reply};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One thing that happens; numbers are reduced to the few users, devices and engagements there are.
#[derive(Clone, Debug)]
pub enum Step {
    Publish { user: u8, id: u8, kind: u16 },
    Attach { user: u8, device: u8, kind: u16 },
    Detach { user: u8, device: u8, lost: bool },
    Visible { user: u8, device: u8, visible: bool },
    Ack { user: u8, device: u8, id: u8, step: u8 },
    Dismiss { user: u8, device: u8, id: u8 },
    Withdraw { user: u8, id: u8 },
    Forget { user: u8 },
    Takeover { edge: u8 },
    Jump { windows: u8 },
    Pass { span_ms: u16 },
    Long { windows: u8 },
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..2u8, 0..6u8, any::<u16>()).prop_map(|(user, id, kind)| Step::Publish { user, id, kind }),
        5 => (0..2u8, 0..4u8, any::<u16>()).prop_map(|(user, device, kind)| Step::Attach { user, device, kind }),
        3 => (0..2u8, 0..4u8, any::<bool>()).prop_map(|(user, device, lost)| Step::Detach { user, device, lost }),
        4 => (0..2u8, 0..4u8, any::<bool>()).prop_map(|(user, device, visible)| Step::Visible { user, device, visible }),
        14 => (0..2u8, 0..4u8, 0..6u8, 0..5u8).prop_map(|(user, device, id, step)| Step::Ack { user, device, id, step }),
        2 => (0..2u8, 0..4u8, 0..6u8).prop_map(|(user, device, id)| Step::Dismiss { user, device, id }),
        1 => (0..2u8, 0..6u8).prop_map(|(user, id)| Step::Withdraw { user, id }),
        1 => (0..20u8).prop_map(|user| Step::Forget { user }),
        1 => (0..3u8).prop_map(|edge| Step::Takeover { edge }),
        1 => (0..3u8).prop_map(|windows| Step::Jump { windows }),
        6 => (0..2_000u16).prop_map(|span_ms| Step::Pass { span_ms }),
        1 => (0..3u8).prop_map(|windows| Step::Long { windows }),
    ];
    prop::collection::vec(step, 1..120)
}

/// Small numbers, so that every bound is met.
pub fn settings() -> Settings {
    Settings {
        window_length: Millis(25_000),
        window_carry: Millis(9_000),
        lease: Millis(1_000),
        buffer_deliveries_max: 4,
        buffer_bytes_max: 120,
        overflow: Overflow::DropOldest,
        records_max: 7,
        devices_max: 3,
        outcomes_max: 100_000,
        ledger_bytes_max: 1_000_000,
    }
}

type OracleKey = (u8, Option<u8>, String, WindowId);

/// A ledger with its clients, and what they saw.
pub struct World {
    pub ledger: Ledger,
    now: u64,
    edge: u64,
    connections: u64,
    /// The live connection of each device.
    live: BTreeMap<(u8, u8), ConnectionId>,
    whose: BTreeMap<ConnectionId, (u8, u8)>,
    /// The last window in which each id was published.
    windows: BTreeMap<(u8, u8), WindowId>,
    /// Settled by a confirm, with the confirm's time.
    confirmed: BTreeMap<OracleKey, u64>,
    steps: BTreeMap<OracleKey, u32>,
    /// What each live connection shows.
    screens: BTreeMap<ConnectionId, BTreeSet<(String, WindowId)>>,
    seen: u64,
    settled: BTreeMap<OracleKey, What>,
}

pub fn run(steps: &[Step]) -> World {
    let mut world = World::new();
    for step in steps {
        world.take(step);
    }
    world
}

fn user_id(user: u8) -> UserId {
    UserId::parse(&format!("user{user}")).unwrap()
}

pub fn device_id(device: u8) -> DeviceId {
    DeviceId::parse(&format!("device{device}")).unwrap()
}

pub fn number(id: &str) -> u8 {
    id[id.len() - 1..].parse().unwrap()
}

pub fn engagement(id: u8, kind: u16) -> Engagement {
    let steps = 1 + (kind % 4) as u8;
    let flag = |bit: u16| kind >> bit & 1 == 1;
    Engagement {
        id: EngagementId::parse(&format!("e{id}")).unwrap(),
        payload: Payload(Bytes::from(vec![b'1'; usize::from(kind % 50)])),
        // The content of an id is mostly the same.
        fingerprint: u64::from(kind.is_multiple_of(7)),
        steps,
        settle_on: if flag(2) { SettleOn::Shown } else { SettleOn::Completed },
        // An id has one scope, so that the oracle knows its key.
        scope: if id < 2 { Scope::Device } else { Scope::User },
        targets: if id < 4 { Targets::All } else { Targets::Active },
        window: flag(3).then_some(Millis(3_000)),
        ttl: flag(4).then_some(Millis(2_000)),
        not_before: flag(5).then_some(LedgerTime(1_003_000)),
        priority: i8::try_from(kind % 3).unwrap(),
        max_offers: if flag(6) { u32::from(kind % 3) } else { 0 },
        snooze: flag(7).then_some(Millis(1_500)),
    }
}

impl World {
    fn new() -> World {
        let mut world = World {
            ledger: Ledger::default(),
            now: 1_000_000,
            edge: 0,
            connections: 0,
            live: BTreeMap::new(),
            whose: BTreeMap::new(),
            windows: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            steps: BTreeMap::new(),
            screens: BTreeMap::new(),
            seen: 0,
            settled: BTreeMap::new(),
        };
        world.apply(Command::Takeover { settings: settings(), edges: vec![EdgeId(0)] });
        world
    }

    pub fn take(&mut self, step: &Step) -> Vec<Applied> {
        match *step {
            Step::Publish { user, id, kind } => self.publish(user, id, kind),
            Step::Attach { user, device, kind } => self.attach(user, device, kind),
            Step::Detach { user, device, lost } => {
                let Some(connection) = self.live.remove(&(user, device)) else { return Vec::new() };
                self.screens.remove(&connection);
                let departure = if lost { Departure::Lost } else { Departure::Closed };
                vec![self.apply(Command::Detach { user: user_id(user), device: device_id(device), connection, departure })]
            }
            Step::Visible { user, device, visible } => {
                let Some(connection) = self.live.get(&(user, device)).copied() else { return Vec::new() };
                let visibility = if visible { Visibility::Visible } else { Visibility::Hidden };
                vec![self.apply(Command::Visible { user: user_id(user), device: device_id(device), connection, visibility })]
            }
            Step::Ack { user, device, id, step } => {
                let Some(ack) = self.ack(user, id, step) else { return Vec::new() };
                vec![self.answer(user, device, Command::Ack { user: user_id(user), by: By::posted(device_id(device)), ack })]
            }
            Step::Dismiss { user, device, id } => {
                let Some(window) = self.windows.get(&(user, id)).copied() else { return Vec::new() };
                let id = EngagementId::parse(&format!("e{id}")).unwrap();
                // Whoever dismisses takes it off the own screen first.
                if let Some(screen) = self.live.get(&(user, device)).and_then(|connection| self.screens.get_mut(connection)) {
                    screen.remove(&(id.to_string(), window));
                }
                vec![self.answer(user, device, Command::Dismiss { user: user_id(user), by: By::posted(device_id(device)), id, window })]
            }
            Step::Withdraw { user, id } => {
                vec![self.apply(Command::Withdraw { user: user_id(user), id: EngagementId::parse(&format!("e{id}")).unwrap() })]
            }
            Step::Forget { user } if user < 2 => vec![self.apply(Command::Forget { user: user_id(user) })],
            Step::Forget { .. } => Vec::new(),
            Step::Takeover { edge } => {
                if u64::from(edge) != self.edge {
                    self.edge = u64::from(edge);
                    self.live.clear();
                    self.screens.clear();
                }
                vec![self.apply(Command::Takeover { settings: settings(), edges: vec![EdgeId(self.edge)] })]
            }
            Step::Jump { windows } => {
                self.now += u64::from(windows) * 14_000;
                vec![self.apply(Command::RenewLeases)]
            }
            Step::Pass { span_ms } => self.pass(u64::from(span_ms)),
            // Nobody advances the ledger for a while: everything is overdue at once.
            Step::Long { windows } => {
                self.now += u64::from(windows) * 14_000;
                Vec::new()
            }
        }
    }

    fn ack(&self, user: u8, id: u8, step: u8) -> Option<Ack> {
        let window = *self.windows.get(&(user, id))?;
        let data = (step % 2 == 1).then(|| Payload(Bytes::from(format!("{step}"))));
        Some(Ack { id: EngagementId::parse(&format!("e{id}")).unwrap(), window, step: u32::from(step), data })
    }

    fn publish(&mut self, user: u8, id: u8, kind: u16) -> Vec<Applied> {
        let applied = self.apply(Command::Publish { user: user_id(user), engagement: Arc::new(engagement(id, kind)) });
        let Reply::Publish(reply) = &applied.reply else { panic!("{:?}", applied.reply) };
        if let PublishReply::Queued { window, .. } = reply {
            self.windows.insert((user, id), *window);
        }
        vec![applied]
    }

    fn attach(&mut self, user: u8, device: u8, kind: u16) -> Vec<Applied> {
        self.connections += 1;
        let connection = ConnectionId { edge: EdgeId(self.edge), number: self.connections };
        self.whose.insert(connection, (user, device));
        let earlier = self.live.remove(&(user, device));
        let shown = earlier.and_then(|earlier| self.screens.remove(&earlier)).unwrap_or_default();
        let names = |(id, window): (String, WindowId)| Key { id: EngagementId::parse(&id).unwrap(), window };
        let open: Vec<Key> = if kind.is_multiple_of(2) { shown.into_iter().map(names).collect() } else { Vec::new() };
        self.screens.insert(connection, open.iter().map(|key| (key.id.to_string(), key.window)).collect());
        let acks: Vec<Ack> = (0..6).filter(|id| kind >> (id + 4) & 1 == 1).filter_map(|id| self.ack(user, id, (kind % 5) as u8)).collect();
        let attach = Attach {
            device: device_id(device),
            connection,
            visibility: if kind.is_multiple_of(3) { Visibility::Hidden } else { Visibility::Visible },
            max_in_flight: 1 + kind % 4,
            acks,
            open,
            greeting: Greeting::Hello,
        };
        let (at, is_attach) = (self.now, Command::Attach { user: user_id(user), attach });
        let applied = self.ledger.apply(is_attach, LedgerTime(at));
        self.ledger.check().unwrap();
        // What the hello's acks settled must not be offered on this very connection (G9): they are heard before the effects.
        let Reply::Attach(reply) = &applied.reply else { panic!("{:?}", applied.reply) };
        let (AttachReply::Attached { acks, .. } | AttachReply::TooManyDevices { acks }) = reply else { panic!("the ledger is full") };
        for reply in acks {
            self.hear(user, device, reply);
        }
        if matches!(reply, AttachReply::Attached { .. }) {
            self.live.insert((user, device), connection);
        } else {
            self.screens.remove(&connection);
        }
        self.watch(&applied);
        vec![applied]
    }

    fn pass(&mut self, span_ms: u64) -> Vec<Applied> {
        let end = self.now + span_ms;
        let mut all = Vec::new();
        while let Some(due) = self.ledger.next_due().filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            all.push(self.apply(Command::Advance));
            assert!(self.ledger.next_due().is_none_or(|next| next.0 > self.now), "an advance does what is due");
        }
        self.now = end.max(self.now);
        all
    }

    fn apply(&mut self, command: Command) -> Applied {
        if let Command::Forget { user } = &command {
            self.forget(number(user.as_str()));
        }
        let applied = self.ledger.apply(command, LedgerTime(self.now));
        self.ledger.check().unwrap();
        self.watch(&applied);
        applied
    }

    /// The answer is heard before the effects, as on the wire.
    fn answer(&mut self, user: u8, device: u8, command: Command) -> Applied {
        let applied = self.ledger.apply(command, LedgerTime(self.now));
        self.ledger.check().unwrap();
        let Reply::Ack(reply) = &applied.reply else { panic!("{:?}", applied.reply) };
        self.hear(user, device, reply);
        self.watch(&applied);
        applied
    }

    /// A person who asks to be forgotten gives up the guarantees.
    fn forget(&mut self, user: u8) {
        self.confirmed.retain(|key, _| key.0 != user);
        self.steps.retain(|key, _| key.0 != user);
    }

    fn key(&self, user: u8, device: u8, id: &str, window: WindowId) -> OracleKey {
        (user, (number(id) < 2).then_some(device), id.to_string(), window)
    }

    fn hear(&mut self, user: u8, device: u8, reply: &AckReply) {
        let AckReply::Confirm(confirm) = reply else { return };
        let key = self.key(user, device, confirm.id.as_str(), confirm.window);
        let step = self.steps.entry(key.clone()).or_default();
        assert!(confirm.step >= *step, "the step of {key:?} fell from {step} to {}", confirm.step);
        *step = confirm.step;
        if confirm.state.is_settled() {
            self.confirmed.entry(key).or_insert(confirm.at.0);
        }
        assert!(!confirm.yours || matches!(confirm.state, State::Completed | State::Dismissed));
        if confirm.state.is_settled()
            && let Some(connection) = self.live.get(&(user, device))
            && let Some(screen) = self.screens.get_mut(connection)
        {
            screen.remove(&(confirm.id.to_string(), confirm.window));
        }
    }

    /// G1, G4, G5 as the clients see them; one settling outcome for each key.
    fn watch(&mut self, applied: &Applied) {
        for effect in &applied.effects {
            let (user, device) = self.whose[&effect.connection];
            assert_eq!(effect.user, user_id(user), "an effect went to another user's connection");
            match &effect.action {
                Action::Offer(offer) => {
                    let key = self.key(user, device, offer.id.as_str(), offer.window);
                    assert!(!self.confirmed.contains_key(&key), "{key:?} was offered after it was confirmed as settled");
                    assert_eq!(offer.step, self.steps.get(&key).copied().unwrap_or_default() + 1, "{key:?} was not resumed");
                    assert!(self.live.get(&(user, device)) == Some(&effect.connection), "{key:?} was offered to a connection that is gone");
                    if number(offer.id.as_str()) >= 4 {
                        let shown = (offer.id.to_string(), offer.window);
                        let mut others = self.screens.iter().filter(|(other, _)| self.whose[*other].0 == user);
                        assert!(!others.any(|(_, screen)| screen.contains(&shown)), "{key:?} is on two screens");
                    }
                    let screen = self.screens.entry(effect.connection).or_default();
                    assert!(screen.insert((offer.id.to_string(), offer.window)) || offer.offer > 1, "{key:?} came twice");
                }
                Action::Withdraw { id, window, .. } => {
                    if let Some(screen) = self.screens.get_mut(&effect.connection) {
                        screen.remove(&(id.to_string(), *window));
                    }
                }
                Action::Close(_) => {
                    self.screens.remove(&effect.connection);
                    self.live.retain(|_, connection| *connection != effect.connection);
                }
                Action::Progress { .. } | Action::Window(_) | Action::CaughtUp => {}
            }
        }
        self.watch_outcomes();
    }

    fn watch_outcomes(&mut self) {
        for (sequence, outcome) in self.ledger.outcomes().after(self.seen, usize::MAX).unwrap() {
            self.seen = sequence;
            if matches!(outcome.what, What::Published | What::Offered | What::Shown | What::Step) {
                continue;
            }
            let device = outcome.device.as_ref().filter(|_| number(outcome.id.as_str()) < 2).map(|device| number(device.as_str()));
            let key = (number(outcome.user.as_str()), device, outcome.id.to_string(), outcome.window.unwrap());
            let first = self.settled.insert(key.clone(), outcome.what);
            assert_eq!(first, None, "{key:?} settled twice");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2 * ProptestConfig::default().cases, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_invariant_and_every_guarantee_holds(steps in steps()) {
        let mut world = run(&steps);
        // In the end everything that was published has settled, once.
        world.live.clear();
        world.screens.clear();
        world.apply(Command::Takeover { settings: settings(), edges: vec![] });
        world.pass(120_000);
        prop_assert_eq!(world.ledger.counts().users, 0);
        let outcomes = world.ledger.outcomes();
        let published = outcomes.total(What::Published);
        let settling = [What::Completed, What::Dismissed, What::Expired, What::Withdrawn, What::Dropped];
        let settled: u64 = settling.iter().map(|what| outcomes.total(*what)).sum();
        prop_assert!(settled >= published, "{} of {} published have settled", settled, published);
        let of_person = world.settled.keys().filter(|(_, device, id, _)| device.is_none() && number(id) >= 2).count();
        let all = outcomes.after(0, usize::MAX).unwrap();
        let published_for_person = all.iter().filter(|(_, o)| o.what == What::Published && number(o.id.as_str()) >= 2).count();
        prop_assert_eq!(of_person, published_for_person);
    }
}

/// What a run reached, by name.
fn reached(world: &mut World, steps: &[Step], found: &mut BTreeMap<String, usize>) {
    for step in steps {
        for applied in world.take(step) {
            let reply = format!("{:?}", applied.reply);
            let kind = reply.split(['{', ' ']).next().unwrap_or_default().to_string();
            *found.entry(kind.replace("Some(Ended", "Some")).or_default() += 1;
            for effect in &applied.effects {
                let action = match &effect.action {
                    Action::Withdraw { reason, .. } => format!("withdraw {reason:?}"),
                    Action::Offer(offer) if offer.offer > 1 && offer.step > 1 => "offer resumed".to_string(),
                    Action::Close(reason) => format!("close {reason:?}"),
                    other => format!("{other:?}").split(['{', '(', ' ']).next().unwrap_or_default().to_string(),
                };
                *found.entry(action).or_default() += 1;
            }
        }
    }
    for (_, outcome) in world.ledger.outcomes().after(0, usize::MAX).unwrap() {
        *found.entry(format!("{} {:?}", outcome.what.as_str(), outcome.reason)).or_default() += 1;
    }
}

#[test]
fn random_commands_reach_every_reply_effect_and_ending() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut found = BTreeMap::new();
    for _ in 0..400 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        reached(&mut World::new(), &steps, &mut found);
    }
    let wanted = [
        "Publish(Queued",
        "Publish(Duplicate",
        "Publish(Different",
        "Publish(Full(BufferDeliveries))",
        "Publish(Full(Records))",
        "Attach(Attached",
        "Attach(TooManyDevices",
        "Ack(Confirm(Confirm",
        "Ack(OutOfRange",
        "Ack(Unknown",
        "Withdraw(Some",
        "Withdraw(None)",
        "Offer",
        "offer resumed",
        "Progress",
        "Window",
        "CaughtUp",
        "close Replaced",
        "close Forgotten",
        "withdraw Moved",
        "withdraw DoneElsewhere",
        "withdraw Withdrawn",
        "withdraw Expired",
        "completed None",
        "dismissed None",
        "expired Some(WindowClosed)",
        "expired Some(Ttl)",
        "expired Some(MaxOffers)",
        "withdrawn Some(Publisher)",
        "dropped Some(BufferFull)",
        "dropped Some(UserForgotten)",
        "shown None",
        "step None",
    ];
    let missing: Vec<_> = wanted.iter().filter(|name| !found.contains_key(**name)).collect();
    assert!(missing.is_empty(), "never reached: {missing:?}; reached: {found:?}");
}

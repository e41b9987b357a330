//! A ledger with one person, driven in the words of the contract: each call gives what the connections were told, as short lines.

use bytes::Bytes;
use engage::ledger::command::{Ack, Attach, By, Departure, Greeting, Key, Visibility};
use engage::ledger::effect::{Action, CloseReason, Effect};
use engage::ledger::engagement::{Engagement, Payload, Scope, SettleOn, Targets};
use engage::ledger::ids::{ConnectionId, DeviceId, EdgeId, EngagementId, UserId, WindowId};
use engage::ledger::limits::Settings;
use engage::ledger::reply::{AckReply, AttachReply, Ended, PublishReply};
use engage::ledger::time::{LedgerTime, Millis};
use engage::ledger::{Applied, Command, Ledger, Reply};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const EDGE: EdgeId = EdgeId(7);

/// An engagement with the defaults of a publish.
pub fn engagement(id: &str) -> Engagement {
    Engagement {
        id: EngagementId::parse(id).unwrap(),
        payload: Payload(Bytes::from(format!("{{\"say\":\"{id}\"}}"))),
        fingerprint: 1,
        steps: 1,
        settle_on: SettleOn::Shown,
        scope: Scope::User,
        targets: Targets::Active,
        window: None,
        ttl: None,
        not_before: None,
        priority: 0,
        max_offers: 0,
        snooze: None,
    }
}

/// An engagement of several steps, settled by the last.
pub fn tour(id: &str, steps: u8) -> Engagement {
    Engagement { steps, settle_on: SettleOn::Completed, ..engagement(id) }
}

pub struct Person {
    pub ledger: Ledger,
    pub user: UserId,
    pub now: u64,
    connections: u64,
    /// Which device a connection belongs to, and whether it is the newest.
    devices: BTreeMap<ConnectionId, String>,
    current: BTreeMap<String, ConnectionId>,
    /// The window of the last publish of each id.
    windows: BTreeMap<String, WindowId>,
}

impl Person {
    pub fn new() -> Person {
        Person::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Person {
        let mut person = Person {
            ledger: Ledger::default(),
            user: UserId::parse("u1").unwrap(),
            now: 1_000_000,
            connections: 0,
            devices: BTreeMap::new(),
            current: BTreeMap::new(),
            windows: BTreeMap::new(),
        };
        person.apply(Command::Takeover { settings, edges: vec![EDGE] });
        person
    }

    /// Applies a command now, and checks that everything holds afterwards.
    pub fn apply(&mut self, command: Command) -> Applied {
        let applied = self.ledger.apply(command, LedgerTime(self.now));
        self.ledger.check().unwrap();
        applied
    }

    /// Lets time pass, doing what is due on the way, when it is due.
    pub fn pass(&mut self, span_ms: u64) -> Vec<String> {
        let end = self.now + span_ms;
        let mut said = Vec::new();
        while let Some(due) = self.ledger.next_due().filter(|due| due.0 <= end) {
            self.now = self.now.max(due.0);
            let applied = self.apply(Command::Advance);
            said.extend(self.lines(&applied.effects));
        }
        self.now = end;
        said
    }

    pub fn publish(&mut self, engagement: Engagement) -> PublishReply {
        self.publish_told(engagement).0
    }

    pub fn publish_told(&mut self, engagement: Engagement) -> (PublishReply, Vec<String>) {
        let id = engagement.id.to_string();
        let applied = self.apply(Command::Publish { user: self.user.clone(), engagement: Arc::new(engagement) });
        let Reply::Publish(reply) = applied.reply else { panic!("a publish was answered with {:?}", applied.reply) };
        if let PublishReply::Queued { window, .. } = reply {
            self.windows.insert(id, window);
        }
        let said = self.lines(&applied.effects);
        (reply, said)
    }

    pub fn hello(&self, device: &str) -> Attach {
        Attach {
            device: DeviceId::parse(device).unwrap(),
            connection: ConnectionId { edge: EDGE, number: self.connections + 1 },
            visibility: Visibility::Visible,
            max_in_flight: 16,
            acks: Vec::new(),
            open: Vec::new(),
            greeting: Greeting::Hello,
        }
    }

    pub fn attach(&mut self, device: &str) -> Vec<String> {
        self.attach_with(self.hello(device)).1
    }

    pub fn attach_hidden(&mut self, device: &str) -> Vec<String> {
        self.attach_with(Attach { visibility: Visibility::Hidden, ..self.hello(device) }).1
    }

    pub fn attach_with(&mut self, attach: Attach) -> (AttachReply, Vec<String>) {
        self.connections = self.connections.max(attach.connection.number);
        self.devices.insert(attach.connection, attach.device.to_string());
        self.current.insert(attach.device.to_string(), attach.connection);
        let applied = self.apply(Command::Attach { user: self.user.clone(), attach });
        let Reply::Attach(reply) = applied.reply else { panic!("an attach was answered with {:?}", applied.reply) };
        let said = self.lines(&applied.effects);
        (reply, said)
    }

    /// What the edge of the device's connection would report: nothing on the screen, all told.
    pub fn again(&self, device: &str) -> Attach {
        let window = self.ledger.user(&self.user).and_then(|user| user.window).map(|window| window.id);
        let greeting = Greeting::Again { window, steps: Vec::new(), is_caught_up: true };
        Attach { connection: self.current[device], greeting, ..self.hello(device) }
    }

    /// The same, with these keys on the screen, and the highest step told of each.
    pub fn again_with(&self, device: &str, open: &[(&str, u32)]) -> Attach {
        let again = self.again(device);
        let Greeting::Again { window, .. } = again.greeting else { unreachable!("an edge reports it") };
        let steps = open.iter().map(|(_, step)| *step).collect();
        let greeting = Greeting::Again { window, steps, is_caught_up: true };
        Attach { open: open.iter().map(|(id, _)| self.key(id)).collect(), greeting, ..again }
    }

    /// Another leader, which knows of no edge.
    pub fn take_over(&mut self) -> Vec<String> {
        let settings = self.ledger.settings().clone();
        let applied = self.apply(Command::Takeover { settings, edges: Vec::new() });
        self.lines(&applied.effects)
    }

    /// The attached devices and those on a lease, each with its connection's number.
    pub fn devices(&self) -> Vec<String> {
        let user = self.ledger.user(&self.user);
        let devices = user.iter().flat_map(|user| &user.devices);
        devices
            .map(|device| {
                let lease = device.lease_until.map(|until| format!(" until {}", until.0 - self.now)).unwrap_or_default();
                format!("{}/{}{lease}", device.device, device.connection.number)
            })
            .collect()
    }

    /// The device closes its connection.
    pub fn close(&mut self, device: &str) -> Vec<String> {
        self.detach(device, Departure::Closed)
    }

    /// The device's connection breaks.
    pub fn lose(&mut self, device: &str) -> Vec<String> {
        self.detach(device, Departure::Lost)
    }

    fn detach(&mut self, device: &str, departure: Departure) -> Vec<String> {
        let (user, connection) = (self.user.clone(), self.current[device]);
        let applied = self.apply(Command::Detach { user, device: DeviceId::parse(device).unwrap(), connection, departure });
        self.lines(&applied.effects)
    }

    pub fn show(&mut self, device: &str) -> Vec<String> {
        self.set_visibility(device, Visibility::Visible)
    }

    pub fn hide(&mut self, device: &str) -> Vec<String> {
        self.set_visibility(device, Visibility::Hidden)
    }

    fn set_visibility(&mut self, device: &str, visibility: Visibility) -> Vec<String> {
        let (user, connection) = (self.user.clone(), self.current[device]);
        let applied = self.apply(Command::Visible { user, device: DeviceId::parse(device).unwrap(), connection, visibility });
        self.lines(&applied.effects)
    }

    pub fn key(&self, id: &str) -> Key {
        Key { id: EngagementId::parse(id).unwrap(), window: self.windows[id] }
    }

    pub fn ack_of(&self, id: &str, step: u32, data: Option<&str>) -> Ack {
        let Key { id, window } = self.key(id);
        Ack { id, window, step, data: data.map(|text| Payload(Bytes::from(text.to_string()))) }
    }

    pub fn ack(&mut self, device: &str, id: &str, step: u32) -> (AckReply, Vec<String>) {
        let ack = self.ack_of(id, step, None);
        self.ack_with(device, ack)
    }

    /// Whoever says something on the last connection of this device.
    pub fn by(&self, device: &str) -> By {
        By { device: DeviceId::parse(device).unwrap(), connection: self.current.get(device).copied() }
    }

    pub fn ack_with(&mut self, device: &str, ack: Ack) -> (AckReply, Vec<String>) {
        let by = self.by(device);
        self.ack_by(by, ack)
    }

    pub fn ack_by(&mut self, by: By, ack: Ack) -> (AckReply, Vec<String>) {
        let applied = self.apply(Command::Ack { user: self.user.clone(), by, ack });
        self.answered(applied)
    }

    pub fn dismiss(&mut self, device: &str, id: &str) -> (AckReply, Vec<String>) {
        let by = self.by(device);
        self.dismiss_by(by, id)
    }

    pub fn dismiss_by(&mut self, by: By, id: &str) -> (AckReply, Vec<String>) {
        let Key { id, window } = self.key(id);
        let applied = self.apply(Command::Dismiss { user: self.user.clone(), by, id, window });
        self.answered(applied)
    }

    fn answered(&mut self, applied: Applied) -> (AckReply, Vec<String>) {
        let Reply::Ack(reply) = applied.reply else { panic!("an ack was answered with {:?}", applied.reply) };
        let said = self.lines(&applied.effects);
        (reply, said)
    }

    pub fn withdraw(&mut self, id: &str) -> (Option<Ended>, Vec<String>) {
        let applied = self.apply(Command::Withdraw { user: self.user.clone(), id: EngagementId::parse(id).unwrap() });
        let Reply::Withdraw(reply) = applied.reply else { panic!("a withdraw was answered with {:?}", applied.reply) };
        let said = self.lines(&applied.effects);
        (reply, said)
    }

    /// What became of deliveries, as `what id [device] [reason]`, without the published and offered ones.
    pub fn outcomes(&self) -> Vec<String> {
        let all = self.ledger.outcomes().after(0, usize::MAX).unwrap();
        let told = all.iter().map(|(_, outcome)| {
            let device = outcome.device.as_ref().map(|device| format!(" on {device}")).unwrap_or_default();
            let reason = outcome.reason.map(|reason| format!(" {reason:?}")).unwrap_or_default();
            format!("{} {}{device}{reason}", outcome.what.as_str(), outcome.id)
        });
        told.filter(|line| !line.starts_with("published") && !line.starts_with("offered")).collect()
    }

    pub fn lines(&self, effects: &[Effect]) -> Vec<String> {
        effects.iter().map(|effect| format!("{}: {}", self.name(effect.connection), line(&effect.action))).collect()
    }

    /// A connection that is not its device's newest bears its number.
    fn name(&self, connection: ConnectionId) -> String {
        let device = &self.devices[&connection];
        if self.current[device] == connection { device.clone() } else { format!("{device}/{}", connection.number) }
    }
}

fn line(action: &Action) -> String {
    match action {
        Action::Offer(offer) => {
            let data = offer.data.as_ref().map(|data| format!(" {}", String::from_utf8_lossy(&data.0))).unwrap_or_default();
            format!("offer {} #{} step {}/{}{data}", offer.id, offer.offer, offer.step, offer.steps)
        }
        Action::Progress { id, step, data, .. } => {
            let data = data.as_ref().map(|data| format!(" {}", String::from_utf8_lossy(&data.0))).unwrap_or_default();
            format!("progress {id} {step}{data}")
        }
        Action::Withdraw { id, reason, .. } => format!("withdraw {id} {reason:?}"),
        Action::Window(_) => "window".to_string(),
        Action::CaughtUp => "caught up".to_string(),
        Action::Close(CloseReason::Replaced) => "close replaced".to_string(),
        Action::Close(CloseReason::Forgotten) => "close forgotten".to_string(),
    }
}

/// `State step yours`, of a confirm.
pub fn confirmed(reply: &AckReply) -> String {
    match reply {
        AckReply::Confirm(confirm) => {
            let yours = if confirm.yours { " yours" } else { "" };
            format!("{:?} {}/{}{yours}", confirm.state, confirm.step, confirm.steps)
        }
        AckReply::Unknown { .. } => "unknown".to_string(),
        AckReply::OutOfRange { .. } => "out of range".to_string(),
    }
}

pub const HOUR: u64 = 3_600_000;
pub const fn ms(span: u64) -> Millis {
    Millis(span)
}

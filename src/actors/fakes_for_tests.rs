//! Stand-ins for tests: a ledger that says what it is told to, and samples of all that is said. [`house`] has whole nodes of stand-ins.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::clock;
use crate::ledger::command::{Ack, Attach, Greeting, Visibility};
use crate::ledger::effect::{Action, Effect, Offer};
use crate::ledger::engagement::{Payload, Scope, SettleOn};
use crate::ledger::ids::{ConnectionId, DeviceId, EdgeId, EngagementId, UserId, WindowId};
use crate::ledger::reply::{AckReply, AttachReply, Confirm, Reply, State};
use crate::ledger::time::{LedgerTime, Millis};
use crate::ledger::window::Window;
use crate::ledger::{Applied, Command};
use crate::ports::{Done, Propose, ProposeError};

/// What the fake ledger says to a command; none: nothing yet.
pub type Script = Box<dyn FnMut(&Command) -> Option<Result<Applied, ProposeError>> + Send>;

/// Records commands, and answers them by a script.
pub struct FakeLedger {
    state: Mutex<Record>,
}

struct Record {
    commands: Vec<Command>,
    held: VecDeque<(Command, Done)>,
    script: Script,
}

impl FakeLedger {
    /// One that says yes to everything, or what the script says.
    pub fn new(script: impl FnMut(&Command) -> Option<Result<Applied, ProposeError>> + Send + 'static) -> Arc<FakeLedger> {
        Arc::new(FakeLedger { state: Mutex::new(Record { commands: Vec::new(), held: VecDeque::new(), script: Box::new(script) }) })
    }

    pub fn agreeable() -> Arc<FakeLedger> {
        FakeLedger::new(|command| Some(Ok(yes(command))))
    }

    fn state(&self) -> MutexGuard<'_, Record> {
        self.state.lock().unwrap()
    }

    pub fn commands(&self) -> Vec<Command> {
        self.state().commands.clone()
    }

    /// Answers the oldest command that is held.
    pub fn release(&self, result: Result<Applied, ProposeError>) -> Command {
        let (command, done) = self.state().held.pop_front().expect("a command is held");
        done(result);
        command
    }

    pub fn held_count(&self) -> usize {
        self.state().held.len()
    }
}

impl Propose for FakeLedger {
    fn propose(&self, command: Command, done: Done) {
        let mut state = self.state();
        state.commands.push(command.clone());
        let answer = (state.script)(&command);
        match answer {
            Some(result) => {
                drop(state);
                done(result);
            }
            None => state.held.push_back((command, done)),
        }
    }
}

/// A plausible answer.
pub fn yes(command: &Command) -> Applied {
    let confirmed = |ack: &Ack| AckReply::Confirm(confirm(&ack.id, ack.window, State::InProgress));
    let reply = match command {
        Command::Attach { attach, .. } => {
            Reply::Attach(AttachReply::Attached { window: session(), acks: attach.acks.iter().map(confirmed).collect() })
        }
        Command::Ack { ack, .. } => Reply::Ack(confirmed(ack)),
        Command::Dismiss { id, window, .. } => Reply::Ack(AckReply::Confirm(confirm(id, *window, State::Dismissed))),
        Command::Withdraw { .. } => Reply::Withdraw(None),
        _ => Reply::Done,
    };
    Applied { at: LedgerTime(7), reply, effects: Vec::new() }
}

/// The same, with effects.
pub fn yes_and(command: &Command, effects: Vec<Effect>) -> Applied {
    Applied { effects, ..yes(command) }
}

pub fn session() -> Window {
    Window { id: window("w1"), opened_at: LedgerTime(1), closes_at: LedgerTime(1_000) }
}

pub fn confirm(id: &EngagementId, window: WindowId, state: State) -> Confirm {
    Confirm { id: id.clone(), window, step: 1, steps: 3, state, yours: true, at: LedgerTime(7) }
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub fn device(name: &str) -> DeviceId {
    DeviceId::parse(name).unwrap()
}

pub fn engagement(name: &str) -> EngagementId {
    EngagementId::parse(name).unwrap()
}

pub fn window(text: &str) -> WindowId {
    text.parse().unwrap()
}

pub fn connection(number: u64) -> ConnectionId {
    ConnectionId { edge: EdgeId(1), number }
}

pub fn attach(name: &str, number: u64) -> Attach {
    Attach {
        device: device(name),
        connection: connection(number),
        visibility: Visibility::Visible,
        max_in_flight: 16,
        acks: Vec::new(),
        open: Vec::new(),
        greeting: Greeting::Hello,
    }
}

pub fn ack(name: &str) -> Ack {
    Ack { id: engagement(name), window: window("w1"), step: 1, data: None }
}

pub fn effect(to: ConnectionId, action: Action) -> Effect {
    Effect { user: user("u1"), connection: to, action }
}

pub fn offer(name: &str, scope: Scope, payload_bytes: usize) -> Action {
    Action::Offer(Box::new(Offer {
        id: engagement(name),
        window: window("w1"),
        scope,
        offer: 1,
        step: 1,
        steps: 3,
        settle_on: SettleOn::Completed,
        data: None,
        payload: Payload(format!("\"{}\"", "x".repeat(payload_bytes)).into()),
        priority: 0,
        expires_in: Millis(1),
        at: LedgerTime(7),
    }))
}

/// Waits until a condition holds; fails after ten seconds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = clock::monotonic() + Duration::from_secs(10);
    while !condition() {
        assert!(clock::monotonic() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

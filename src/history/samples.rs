//! Short histories, put together entry by entry, for the checker's own tests. An entry's time is its place, in steps of 10 ms, unless the test says otherwise.

use serde_json::{Value, json};

use super::record::{Entry, Fault, Key, Leave, Publish, Run, Session, Targets, Transport, What};

/// The wall clock at the start of each sample. Ledger time at the n-th step is `WALL_MS + 10 * n`.
pub const WALL_MS: u64 = 1_000_000;
pub const STEP_US: u64 = 10_000;

/// The delivery that the samples are about.
pub fn key() -> Key {
    Key::new("u", "x", "w")
}

pub fn payload() -> Value {
    json!({"for": "u", "named": "x"})
}

/// A history that grows.
#[derive(Clone)]
pub struct Sample {
    pub entries: Vec<Entry>,
    now: u64,
    targets: Targets,
}

impl Sample {
    /// With a lease of 100 ms, and 1 s for each request.
    pub fn new(targets: Targets) -> Sample {
        let run = What::Run(Run { wall_ms: WALL_MS, lease_ms: 100, request_timeout_ms: 1_000, ..Run::default() });
        Sample { entries: vec![Entry::at(0, run)], now: 0, targets }
    }

    /// With other settings of its run.
    pub fn with(mut self, change: impl FnOnce(&mut Run)) -> Sample {
        if let What::Run(run) = &mut self.entries[0].what {
            change(run);
        }
        self
    }

    pub fn then(mut self, what: What) -> Sample {
        self.now += STEP_US;
        self.entries.push(Entry::at(self.now, what));
        self
    }

    /// Lets so many steps pass.
    pub fn wait(mut self, steps: u64) -> Sample {
        self.now += steps * STEP_US;
        self
    }

    /// Ledger time at the next entry.
    pub fn at(&self) -> u64 {
        WALL_MS + (self.now + STEP_US) / 1_000
    }

    pub fn publish(self, call: u64) -> Sample {
        let targets = self.targets;
        let publish = Publish { call, user: "u".to_owned(), id: "x".to_owned(), targets, payload: payload(), ..Publish::default() };
        self.then(What::Publish(publish))
    }

    /// Another engagement than the one that the sample is about.
    pub fn publish_other(self, call: u64, id: &str) -> Sample {
        self.then(What::Publish(Publish { call, user: "u".to_owned(), id: id.to_owned(), payload: payload(), ..Publish::default() }))
    }

    /// A publish is answered 201, with its window.
    pub fn created(self, call: u64, key: Key, closes_at: u64) -> Sample {
        let state = Some("queued".to_owned());
        self.then(What::Published { call, status: 201, key: Some(key), state, step: Some(0), closes_at: Some(closes_at) })
    }

    pub fn published(self, call: u64, status: u16, state: &str) -> Sample {
        let step = if state == "completed" { 2 } else { 0 };
        self.then(What::Published { call, status, key: Some(key()), state: Some(state.to_owned()), step: Some(step), closes_at: None })
    }

    /// A device says hello; phone and laptop have odd and even sessions, on n1 and n2.
    pub fn hello(self, session: Session) -> Sample {
        self.hello_with(session, &[])
    }

    pub fn hello_with(self, session: Session, open: &[Key]) -> Sample {
        let (device, node) = if session % 2 == 1 { ("phone", "n1") } else { ("laptop", "n2") };
        let hello = What::Hello {
            session,
            user: "u".to_owned(),
            device: device.to_owned(),
            node: node.to_owned(),
            visible: true,
            max_in_flight: 2,
            open: open.to_vec(),
            transport: Transport::Websocket,
        };
        self.then(hello).then(What::Welcome { session, window: None })
    }

    /// A device's connection was a stream.
    pub fn on_stream(mut self, of: Session) -> Sample {
        for entry in &mut self.entries {
            if let What::Hello { session, transport, .. } = &mut entry.what
                && *session == of
            {
                *transport = Transport::Stream;
            }
        }
        self
    }

    pub fn offer(self, session: Session, step: u64) -> Sample {
        let at = self.at();
        self.offer_at(session, step, at)
    }

    pub fn offer_at(self, session: Session, step: u64, at: u64) -> Sample {
        let data = if step > 1 { json!({"step": step - 1}) } else { Value::Null };
        self.then(What::Offer { session, key: key(), offer: 1, step, at, data, payload: payload() })
    }

    pub fn offer_of(self, session: Session, key: Key) -> Sample {
        let at = self.at();
        self.then(What::Offer { session, key, offer: 1, step: 1, at, data: Value::Null, payload: payload() })
    }

    /// The offer of that count.
    pub fn offer_number(self, session: Session, offer: u64) -> Sample {
        let at = self.at();
        self.then(What::Offer { session, key: key(), offer, step: 1, at, data: Value::Null, payload: payload() })
    }

    /// An ack that stands in the hello: between that and its welcome.
    pub fn ack_of_hello(mut self, step: u64) -> Sample {
        let welcome = self.entries.pop().expect("a welcome");
        let session = super::violation::session_of(&welcome.what).expect("a welcome");
        let ack = What::Ack { session, key: key(), step: Some(step), data: json!({"step": step}), reference: None };
        self.then(ack).then(welcome.what)
    }

    /// Its answer, in the welcome.
    pub fn confirm_of_hello(self, session: Session, step: u64, state: &str) -> Sample {
        let (at, yours) = (self.at(), state == "completed");
        self.then(What::Confirm { session, key: key(), step, state: state.to_owned(), yours, at, reference: None })
    }

    pub fn dismiss(self, session: Session) -> Sample {
        self.then(What::Ack { session, key: key(), step: None, data: Value::Null, reference: Some(99) })
    }

    pub fn ack(self, session: Session, step: u64) -> Sample {
        let reference = Some(i64::try_from(step).expect("a small number"));
        self.then(What::Ack { session, key: key(), step: Some(step), data: json!({"step": step}), reference })
    }

    pub fn confirm(self, session: Session, step: u64, state: &str) -> Sample {
        let (at, reference) = (self.at(), i64::try_from(step).ok());
        self.then(What::Confirm { session, key: key(), step, state: state.to_owned(), yours: state == "completed", at, reference })
    }

    pub fn withdraw(self, session: Session, reason: &str) -> Sample {
        let at = self.at();
        self.then(What::Withdraw { session, key: key(), reason: reason.to_owned(), at })
    }

    /// The answer to a dismiss.
    pub fn dismissed(self, session: Session, state: &str) -> Sample {
        let at = self.at();
        self.then(What::Confirm {
            session,
            key: key(),
            step: 0,
            state: state.to_owned(),
            yours: state == "dismissed",
            at,
            reference: Some(99),
        })
    }

    pub fn taken_back(self, call: u64, state: &str) -> Sample {
        let (user, id) = ("u".to_owned(), "x".to_owned());
        self.then(What::TakeBack { call, user: user.clone(), id: id.clone() }).then(What::TakenBack {
            call,
            user,
            id,
            state: state.to_owned(),
        })
    }

    pub fn gave_up(self, call: u64) -> Sample {
        self.then(What::GaveUp { call, why: "503".to_owned() })
    }

    pub fn unanswered(self, call: u64) -> Sample {
        self.then(What::Unanswered { call, why: "no answer".to_owned() })
    }

    pub fn refused(self, call: u64) -> Sample {
        self.then(What::Refused { call, code: "buffer_full".to_owned() })
    }

    pub fn replica(self, node: &str, applied_index: u64, state_hash: &str) -> Sample {
        self.then(What::Replica { node: node.to_owned(), shard: 3, applied_index, state_hash: state_hash.to_owned() })
    }

    /// A line of the feed, of any delivery, with its ledger time: `published`, or a settling state with its reason.
    pub fn feed(self, key: Key, outcome: &str, reason: Option<&str>) -> Sample {
        let (at, cursor) = (Some(self.at()), format!("c{}", self.entries.len()));
        let state = super::record::is_settled(outcome).then(|| outcome.to_owned());
        self.then(What::Outcome { key, outcome: outcome.to_owned(), state, cursor, at, reason: reason.map(str::to_owned) })
    }

    pub fn end(self, session: Session, leave: Leave) -> Sample {
        self.then(What::End { session, leave })
    }

    pub fn fault(self, node: &str, kind: Fault) -> Sample {
        self.then(What::Fault { node: node.to_owned(), kind })
    }

    pub fn outcome(self, state: Option<&str>, cursor: &str) -> Sample {
        let outcome = state.unwrap_or("published").to_owned();
        self.then(What::Outcome { key: key(), outcome, state: state.map(str::to_owned), cursor: cursor.to_owned(), at: None, reason: None })
    }

    /// Published, offered to the phone, acked, confirmed as completed, and told by the feed.
    pub fn whole() -> Sample {
        Sample::settled().outcome(None, "c1").outcome(Some("completed"), "c2")
    }

    /// The same, before anybody read the feed.
    pub fn settled() -> Sample {
        Sample::held().ack(1, 1).confirm(1, 1, "in_progress").ack(1, 2).confirm(1, 2, "completed")
    }

    /// Published, and offered to the phone.
    pub fn held() -> Sample {
        Sample::new(Targets::Active).publish(1).published(1, 201, "queued").hello(1).offer(1, 1)
    }

    /// The rules that it breaks, in the order of time.
    pub fn broken(&self) -> Vec<&'static str> {
        super::judge(&self.entries).violations.iter().map(|violation| violation.rule).collect()
    }
}

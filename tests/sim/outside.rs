//! What clients, publishers and operators can do to the nodes of a run. They live on a host of their own.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::net::Net;
use crate::post::{Address, Letter, OUTSIDE, WireId, now_us};

/// Signs the tokens of all clients.
pub const JWT_SECRET: &str = "a secret of the simulation, 32 bytes at least";
/// What all callers have.
pub const ADMIN_KEY: &str = "a key of the simulation, 32 bytes or more";
/// A call that has no answer by then is given up.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// As long as any run, and its clocks' jumps.
const TOKEN_EXPIRES_S: u64 = 4_000_000_000;

/// A call of the API.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub body: Option<Value>,
}

/// What a node answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// No answer: it may have happened.
#[derive(Clone, Copy, Debug)]
pub struct Lost;

/// What a client hears on its connection.
#[derive(Clone, Debug)]
pub enum Heard {
    Text(String),
    Closed(u16),
    Lost,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Outside(Rc<Inner>);

/// Who was called, and who waits.
type Called = (Address, oneshot::Sender<Option<Answer>>);

struct Inner {
    net: Net,
    /// The nodes by place.
    nodes: RefCell<Vec<(String, Option<Address>)>>,
    calls: RefCell<BTreeMap<u64, Called>>,
    opening: RefCell<BTreeMap<WireId, oneshot::Sender<bool>>>,
    wires: RefCell<BTreeMap<WireId, mpsc::UnboundedSender<Heard>>>,
    next: Cell<u64>,
}

impl Outside {
    pub fn new(net: Net) -> Outside {
        let inner = Inner {
            net,
            nodes: RefCell::default(),
            calls: RefCell::default(),
            opening: RefCell::default(),
            wires: RefCell::default(),
            next: Cell::new(1),
        };
        Outside(Rc::new(inner))
    }

    /// Virtual time since the start of the run, microseconds.
    pub fn now_us(&self) -> u64 {
        now_us()
    }

    /// The places that there ever were.
    pub fn node_count(&self) -> usize {
        self.0.nodes.borrow().len()
    }

    pub fn name(&self, place: usize) -> String {
        self.0.nodes.borrow()[place].0.clone()
    }

    /// Who is in a place, if anybody is.
    pub fn address(&self, place: usize) -> Option<Address> {
        self.0.nodes.borrow()[place].1
    }

    /// Somebody is in a place from now on, or nobody.
    pub fn note_node(&self, place: usize, name: &str, address: Option<Address>) {
        let mut nodes = self.0.nodes.borrow_mut();
        if nodes.len() <= place {
            nodes.resize(place + 1, (String::new(), None));
        }
        nodes[place] = (name.to_owned(), address);
    }

    /// Opens a connection. None: nobody listens there, or no more are taken.
    pub async fn connect(&self, place: usize) -> Option<Wire> {
        let (Some(node), wire) = (self.address(place), self.next_number()) else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            return None;
        };
        let (opened, is_opened) = oneshot::channel();
        let (sender, hears) = mpsc::unbounded_channel();
        self.0.opening.borrow_mut().insert(wire, opened);
        self.0.wires.borrow_mut().insert(wire, sender);
        self.0.net.send_on_wire(wire, (OUTSIDE, node), Letter::Open { wire });
        // Made before it is waited for: dropped, it tells the node.
        let made = Wire { outside: self.clone(), id: wire, node, hears, is_ended: false };
        let is_open = matches!(tokio::time::timeout(CALL_TIMEOUT, is_opened).await, Ok(Ok(true)));
        self.0.opening.borrow_mut().remove(&wire);
        is_open.then_some(made)
    }

    /// Calls the API of a node.
    pub async fn call(&self, place: usize, request: Request) -> Result<Answer, Lost> {
        let Some(node) = self.address(place) else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            return Err(Lost);
        };
        let id = self.next_number();
        let (answer, answered) = oneshot::channel();
        self.0.calls.borrow_mut().insert(id, (node, answer));
        self.0.net.send_loose((OUTSIDE, node), Letter::Call { id, request });
        let answered = tokio::time::timeout(CALL_TIMEOUT, answered).await;
        self.0.calls.borrow_mut().remove(&id);
        match answered {
            Ok(Ok(Some(answer))) => Ok(answer),
            _ => Err(Lost),
        }
    }

    /// A node died, and its kernel says so to those who wait for it.
    pub fn fail_calls(&self, node: Address) {
        self.0.calls.borrow_mut().retain(|_, (called, _)| *called != node);
    }

    /// What nodes say to those outside.
    pub fn take(&self, letter: Letter) {
        match letter {
            Letter::Answer { id, answer } => {
                let call = self.0.calls.borrow_mut().remove(&id);
                if let Some((_, call)) = call {
                    let _ = call.send(answer);
                }
            }
            Letter::Opened { wire, is_open } => {
                let opening = self.0.opening.borrow_mut().remove(&wire);
                if let Some(opening) = opening {
                    let _ = opening.send(is_open);
                }
            }
            Letter::Hear { wire, heard } => {
                if let Some(sender) = self.0.wires.borrow().get(&wire) {
                    let _ = sender.send(heard);
                }
            }
            _ => {}
        }
    }

    fn next_number(&self) -> u64 {
        self.0.next.replace(self.0.next.get() + 1)
    }
}

/// The client's end of a connection. Dropped, it is lost without a Close frame.
pub struct Wire {
    outside: Outside,
    id: WireId,
    node: Address,
    hears: mpsc::UnboundedReceiver<Heard>,
    is_ended: bool,
}

impl Wire {
    pub fn say(&self, text: String) {
        self.send(Letter::Say { wire: self.id, text });
    }

    pub async fn hear(&mut self) -> Heard {
        let heard = self.hears.recv().await.unwrap_or(Heard::Lost);
        self.is_ended |= !matches!(heard, Heard::Text(_));
        heard
    }

    /// Ends it with a Close frame.
    pub fn close(mut self) {
        self.is_ended = true;
        self.send(Letter::Hang { wire: self.id, is_closed: true });
    }

    fn send(&self, letter: Letter) {
        self.outside.0.net.send_on_wire(self.id, (OUTSIDE, self.node), letter);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if !self.is_ended {
            self.send(Letter::Hang { wire: self.id, is_closed: false });
        }
        self.outside.0.wires.borrow_mut().remove(&self.id);
    }
}

/// A token that all nodes accept, for the whole run.
pub fn token(user: &str) -> String {
    let claims = json!({"sub": user, "exp": TOKEN_EXPIRES_S});
    let key = EncodingKey::from_secret(JWT_SECRET.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("claims can be signed")
}

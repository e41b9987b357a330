//! One run of a simulated node: the real node without its sockets, with the HTTP handlers and conversations with clients around it, fed from its letter box.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Service, ServiceResponse};
use actix_web::{App, body, test};
use async_trait::async_trait;
use bytes::Bytes;
use engage::actors::conversation::{Closing, Conversation};
use engage::actors::line::{Kind, Outgoing};
use engage::actors::place::Place;
use engage::cluster::links::GuestError;
use engage::config::{Config, Storage};
use engage::dice::dice;
use engage::ledger::ids::EdgeId;
use engage::node::NodeError;
use engage::node::inner::{Foundation, Guest, Inner, Joining};
use engage::ports::peers::Answer as PeerAnswer;
use engage::shard::{Home, RamDisk};
use futures_util::future::LocalBoxFuture;
use rand::RngExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::net::Net;
use crate::outside::{ADMIN_KEY, Answer, Heard, Request};
use crate::peers::SimPeers;
use crate::post::{Address, Letter, OUTSIDE, WireId};

/// A client that was told of the end has that long to say goodbye.
const GOODBYE: Duration = Duration::from_millis(500);
/// How often a node looks whether one of its groups has failed.
/// And so many entries, which are fewer than a run makes.
const KEEP_LOG_ENTRIES: u64 = 500;
const LOOK: Duration = Duration::from_millis(250);

/// What a run of a node starts with.
pub struct Birth {
    pub address: Address,
    pub config: Config,
    pub disk: RamDisk,
    /// Asks to be taken in, unless it is a member already.
    pub joins: bool,
    /// What of the log stays behind a snapshot.
    pub keep_log_bytes: u64,
    pub net: Net,
    pub status: Rc<RefCell<Status>>,
}

/// How a run of a node goes on.
#[derive(Default)]
pub struct Status {
    pub inner: Option<Rc<Inner>>,
    pub ended: Option<Ended>,
}

/// How it ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// It was taken out of its cluster.
    Removed,
    /// It did not start, or a part of it failed.
    Failed(String),
}

/// What the letters of a node lead to.
struct Node {
    address: Address,
    net: Net,
    peers: RefCell<Option<Arc<SimPeers>>>,
    guests: Arc<SimGuest>,
    app: RefCell<Option<Rc<dyn Handler>>>,
    inner: RefCell<Option<Rc<Inner>>>,
    clients: RefCell<BTreeMap<WireId, UnboundedSender<FromClient>>>,
    stop: RefCell<Option<oneshot::Sender<()>>>,
}

enum FromClient {
    Text(String),
    Gone { is_closed: bool },
}

/// The HTTP handlers, whatever their type.
trait Handler {
    fn handle(&self, request: Request) -> LocalBoxFuture<'static, Answer>;
}

impl<S, B> Handler for Rc<S>
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: body::MessageBody + 'static,
{
    fn handle(&self, request: Request) -> LocalBoxFuture<'static, Answer> {
        let service = Rc::clone(self);
        Box::pin(async move {
            let method = request.method.parse().expect("a method of HTTP");
            let call = test::TestRequest::with_uri(&request.path).method(method).peer_addr(SocketAddr::from(([127, 0, 0, 1], 9)));
            // What a client posts brings its token in its body.
            let is_client = request.path == "/v1/messages";
            let call = if is_client { call } else { call.insert_header(("authorization", format!("Bearer {ADMIN_KEY}"))) };
            let call = match &request.body {
                Some(body) => call.set_json(body),
                None => call,
            };
            match service.call(call.to_request()).await {
                Ok(response) => {
                    let status = response.status().as_u16();
                    let body = body::to_bytes(response.into_body()).await.map(|bytes| bytes.to_vec()).unwrap_or_default();
                    Answer { status, body }
                }
                Err(error) => {
                    let response = error.error_response();
                    let status = response.status().as_u16();
                    let body = body::to_bytes(response.into_body()).await.map(|bytes| bytes.to_vec()).unwrap_or_default();
                    Answer { status, body }
                }
            }
        })
    }
}

/// Asks a member to be taken in.
struct SimGuest {
    net: Net,
    address: Address,
    asked: std::sync::Mutex<(u64, BTreeMap<u64, oneshot::Sender<Bytes>>)>,
}

#[async_trait]
impl Guest for SimGuest {
    async fn ask(&self, _: &str, body: Bytes) -> Result<Bytes, GuestError> {
        let unreachable = || GuestError::Unreachable { address: "any".to_owned(), error: io::Error::other("nobody is there") };
        let member = self.net.any_but(self.address.place).ok_or_else(unreachable)?;
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut asked = self.asked.lock().expect("nobody panics over guests");
            asked.0 += 1;
            let id = asked.0;
            asked.1.insert(id, answer);
            id
        };
        self.net.send_loose((self.address, member), Letter::GuestAsks { from: self.address, id, body });
        let answered = tokio::time::timeout(Duration::from_secs(5), answered).await;
        self.asked.lock().expect("nobody panics over guests").1.remove(&id);
        match answered {
            Ok(Ok(body)) => Ok(body),
            _ => Err(GuestError::NoAnswer { address: "any".to_owned() }),
        }
    }
}

/// Where the actors of a simulated node run.
struct Here(UnboundedSender<Box<dyn FnOnce() + Send>>);

impl Place for Here {
    fn start(&self, start: Box<dyn FnOnce() + Send>) {
        let _ = self.0.send(start);
    }

    fn is_alive(&self) -> bool {
        !self.0.is_closed()
    }
}

fn here() -> Here {
    let (sender, mut starts) = unbounded_channel::<Box<dyn FnOnce() + Send>>();
    tokio::task::spawn_local(async move {
        while let Some(start) = starts.recv().await {
            start();
        }
    });
    Here(sender)
}

/// Lives until the node ends; what became of it stands in its status.
pub async fn live(birth: Birth, letters: UnboundedReceiver<Letter>) {
    let status = Rc::clone(&birth.status);
    let ended = match run(birth, letters).await {
        Ok(ended) => ended,
        Err(NodeError::Removed { .. }) => Ended::Removed,
        Err(error) => Ended::Failed(error.to_string()),
    };
    let mut status = status.borrow_mut();
    status.inner = None;
    status.ended = Some(ended);
}

async fn run(birth: Birth, letters: UnboundedReceiver<Letter>) -> Result<Ended, NodeError> {
    let Birth { address, config, disk, joins, keep_log_bytes, net, status } = birth;
    let guests = Arc::new(SimGuest { net: net.clone(), address, asked: std::sync::Mutex::default() });
    let (stop, is_stopped) = oneshot::channel();
    let node = Rc::new(Node {
        address,
        net: net.clone(),
        peers: RefCell::default(),
        guests: Arc::clone(&guests),
        app: RefCell::default(),
        inner: RefCell::default(),
        clients: RefCell::default(),
        stop: RefCell::new(Some(stop)),
    });
    tokio::task::spawn_local(Rc::clone(&node).read(letters));
    let joining = joins.then(|| Joining { peer: "any".to_owned(), progress: Arc::new(|_| {}), guest: guests.clone() });
    let home = match config.node.storage {
        Storage::Disk => {
            std::fs::create_dir_all(&config.node.data_dir).expect("there is room for a folder");
            Home::simulated(&config.node.data_dir, disk)?
        }
        Storage::Memory => Home::open(None)?,
    };
    let run = EdgeId(dice().random());
    let foundation = Foundation {
        config: &config,
        run,
        http: address_of(10_000, address.place),
        cluster: address_of(20_000, address.place),
        home,
        runtime: Handle::current(),
        network: &mut |identity| {
            net.register(identity.node_id, address, (run, config.node.name.clone()));
            let peers = SimPeers::new(net.clone(), identity.node_id);
            *node.peers.borrow_mut() = Some(Arc::clone(&peers));
            Ok(peers)
        },
        tune: &|tuning| {
            tuning.keep_log_bytes = keep_log_bytes;
            tuning.keep_log_entries = KEEP_LOG_ENTRIES;
        },
    };
    let inner = Rc::new(Inner::start(foundation, joining.as_ref()).await?);
    inner.place(here());
    let app = test::init_service(App::new().configure(inner.served())).await;
    *node.app.borrow_mut() = Some(Rc::new(Rc::new(app)));
    *node.inner.borrow_mut() = Some(Rc::clone(&inner));
    status.borrow_mut().inner = Some(Rc::clone(&inner));
    Ok(until_the_end(&inner, &config, is_stopped).await)
}

async fn until_the_end(inner: &Inner, config: &Config, is_stopped: oneshot::Receiver<()>) -> Ended {
    let mut removed = inner.obey(&config.limits);
    let failed = async {
        while inner.shards.is_sound() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let ended = tokio::select! {
        biased;
        _ = is_stopped => Ended::Stopped,
        Ok(_) = removed.wait_for(|removed| *removed) => Ended::Removed,
        () = failed => return Ended::Failed("a group has failed for good".to_owned()),
    };
    inner.give_away().await;
    inner.send_away(&config.limits).await;
    Arc::clone(&inner.shards).stop().await;
    ended
}

fn address_of(base: u16, place: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], base + u16::try_from(place).expect("places are few")))
}

/// Where a node keeps what is not its log.
pub fn folder_of(root: &std::path::Path, place: usize) -> PathBuf {
    root.join(format!("place-{place}"))
}

impl Node {
    async fn read(self: Rc<Self>, mut letters: UnboundedReceiver<Letter>) {
        while let Some(letter) = letters.recv().await {
            self.take(letter);
        }
    }

    fn take(self: &Rc<Self>, letter: Letter) {
        match letter {
            Letter::GuestAsks { from, id, body } => self.guest_asks(from, id, body),
            Letter::GuestAnswer { id, body } => {
                let asked = self.guests.asked.lock().expect("nobody panics over guests").1.remove(&id);
                if let Some(asked) = asked {
                    let _ = asked.send(body);
                }
            }
            Letter::Call { id, request } => self.call(id, request),
            Letter::Open { wire } => self.open(wire),
            Letter::Say { wire, text } => self.pass_on(wire, FromClient::Text(text)),
            Letter::Hang { wire, is_closed } => self.pass_on(wire, FromClient::Gone { is_closed }),
            Letter::Stop => {
                if let Some(stop) = self.stop.borrow_mut().take() {
                    let _ = stop.send(());
                }
            }
            other => {
                let peers = self.peers.borrow().clone();
                if let Some(peers) = peers {
                    peers.take(other);
                }
            }
        }
    }

    fn guest_asks(&self, from: Address, id: u64, body: Bytes) {
        let Some(peers) = self.peers.borrow().clone() else { return };
        let (net, me) = (self.net.clone(), self.address);
        let answer = PeerAnswer::new(move |body| net.send_loose((me, from), Letter::GuestAnswer { id, body }));
        peers.guest_asks(body, answer);
    }

    fn call(self: &Rc<Self>, id: u64, request: Request) {
        let app = self.app.borrow().clone();
        let node = Rc::clone(self);
        tokio::task::spawn_local(async move {
            // Before it serves, nobody listens.
            let answer = match app {
                Some(app) => Some(app.handle(request).await),
                None => None,
            };
            node.net.send_loose((node.address, OUTSIDE), Letter::Answer { id, answer });
        });
    }

    fn pass_on(&self, wire: WireId, words: FromClient) {
        let sender = self.clients.borrow().get(&wire).cloned();
        if let Some(sender) = sender {
            let _ = sender.send(words);
        }
    }

    fn to_client(&self, wire: WireId, letter: Letter) {
        self.net.send_on_wire(wire, (self.address, OUTSIDE), letter);
    }

    fn open(self: &Rc<Self>, wire: WireId) {
        let inner = self.inner.borrow().clone();
        let opened = inner.and_then(|inner| Some((inner.edge.connections.open(Kind::WebSocket, None).ok()?, Arc::clone(&inner.edge))));
        self.to_client(wire, Letter::Opened { wire, is_open: opened.is_some() });
        let Some((open, edge)) = opened else { return self.net.end_wire(wire) };
        let (sender, said) = unbounded_channel();
        self.clients.borrow_mut().insert(wire, sender);
        let node = Rc::clone(self);
        tokio::task::spawn_local(async move {
            node.converse(wire, Conversation::new(edge, open, None), said).await;
            node.clients.borrow_mut().remove(&wire);
            node.net.end_wire(wire);
        });
    }

    /// Carries the frames of one client both ways, until the connection ends.
    async fn converse(&self, wire: WireId, mut conversation: Conversation, mut said: UnboundedReceiver<FromClient>) {
        enum Next {
            Said(Option<FromClient>),
            Goes(Outgoing),
        }
        loop {
            let next = tokio::select! {
                biased;
                said = said.recv() => Next::Said(said),
                goes = poll_fn(|task| conversation.poll_next(task)) => Next::Goes(goes),
            };
            match next {
                Next::Said(Some(FromClient::Text(text))) => conversation.text(&text),
                Next::Said(Some(FromClient::Gone { is_closed: true })) => {
                    if conversation.closed_by_client() == Closing::Client {
                        self.to_client(wire, Letter::Hear { wire, heard: Heard::Closed(1000) });
                    }
                    return;
                }
                Next::Said(_) => return,
                Next::Goes(Outgoing::Frame(text)) => self.to_client(wire, Letter::Hear { wire, heard: Heard::Text(text.to_string()) }),
                // A client's browser answers by itself.
                Next::Goes(Outgoing::Ping) => conversation.heard(),
                Next::Goes(Outgoing::End(ending)) => {
                    self.to_client(wire, Letter::Hear { wire, heard: Heard::Closed(ending.close) });
                    let _ = tokio::time::timeout(GOODBYE, said.recv()).await;
                    return;
                }
                Next::Goes(Outgoing::Cut) => {
                    self.to_client(wire, Letter::Hear { wire, heard: Heard::Lost });
                    return;
                }
            }
        }
    }
}

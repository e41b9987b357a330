//! Nodes that have nothing but links, a service that records and answers, and a hand-made peer for what no node would do.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::runtime::Handle;

use super::super::handshake::{self, HandshakeError, Me, Peer, Wish};
use super::super::hello::{Identity, Role};
use super::super::*;
use crate::clock;
use crate::ledger::ids::EdgeId;
use crate::ports::peers::Answer;

pub const SECRET: &str = "a cluster's secret";
pub const SOON: Duration = Duration::from_secs(10);

/// Waits until a condition holds; fails after ten seconds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = clock::monotonic() + SOON;
    while !condition() {
        assert!(clock::monotonic() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// What a node is made with.
pub fn config(node: u64) -> LinkConfig {
    LinkConfig {
        cluster_id: "cluster".to_owned(),
        me: NodeId(node),
        node_uuid: format!("uuid-{node}"),
        run: EdgeId(rand::random()),
        name: format!("n{node}"),
        secret: LinkSecret::new(SECRET),
        tls: None,
        tuning: LinkTuning::default(),
    }
}

/// Records what it is told, and answers questions with the question; keeps those that say so.
#[derive(Default)]
pub struct Recorder {
    pub told: Mutex<Vec<(NodeId, Bytes)>>,
    pub kept: Mutex<Vec<Answer>>,
}

pub const KEEP: &[u8] = b"keep this question";
pub const DROP: &[u8] = b"drop this question";

impl Serve for Recorder {
    fn told(&self, from: NodeId, body: Bytes) {
        self.told.lock().unwrap().push((from, body));
    }

    fn asked(&self, _: NodeId, body: Bytes, answer: Answer) {
        match &body[..] {
            KEEP => self.kept.lock().unwrap().push(answer),
            DROP => {}
            _ => answer.send(body),
        }
    }
}

/// What a watcher saw: a link's number, and whether it came up.
pub type Seen = (NodeId, u64, bool);

#[derive(Default)]
pub struct Watcher(pub Mutex<Vec<Seen>>);

impl LinkWatch for Watcher {
    fn up(&self, link: LinkUp) {
        self.0.lock().unwrap().push((link.node, link.link, true));
    }

    fn down(&self, node: NodeId, link: u64) {
        self.0.lock().unwrap().push((node, link, false));
    }
}

/// A node that has nothing but links.
pub struct Node {
    pub links: Arc<Links>,
    pub address: SocketAddr,
    pub raft: Arc<Recorder>,
    pub session: Arc<Recorder>,
    pub join: Arc<Recorder>,
    pub watcher: Arc<Watcher>,
}

impl Node {
    pub fn start(config: LinkConfig) -> Node {
        Node::start_at(config, "127.0.0.1:0".parse().unwrap())
    }

    pub fn start_at(config: LinkConfig, address: SocketAddr) -> Node {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let links = Links::new(config, Handle::current());
        let [raft, session, join] = [(); 3].map(|()| Arc::new(Recorder::default()));
        links.serve(Service::Raft, Arc::clone(&raft) as Arc<dyn Serve>);
        links.serve(Service::Session, Arc::clone(&session) as Arc<dyn Serve>);
        links.serve(Service::Join, Arc::clone(&join) as Arc<dyn Serve>);
        let watcher = Arc::new(Watcher::default());
        links.on_change(Arc::clone(&watcher) as Arc<dyn LinkWatch>);
        links.listen(listener);
        Node { links, address, raft, session, join, watcher }
    }

    pub fn is_linked_to(&self, node: u64) -> bool {
        self.links.up().iter().any(|up| up.node == NodeId(node))
    }

    pub async fn until_refused(&self, refusal: Refusal) {
        until(refusal.word(), || self.links.refused_count(refusal) > 0).await;
    }

    /// Waits until its watcher saw just this.
    pub async fn until_seen(&self, seen: &[Seen]) {
        until("what the watcher saw", || *self.watcher.0.lock().unwrap() == seen).await;
    }

    pub async fn until_linked(&self, node: u64) {
        until("a link", || self.is_linked_to(node)).await;
    }

    pub async fn ask(&self, to: u64, body: &[u8], timeout: Duration) -> Result<Bytes, PeerError> {
        self.links.ask(NodeId(to), Lane::Raft, Service::Raft, Bytes::copy_from_slice(body), timeout).await
    }
}

/// Two nodes with a link: 1 and 2.
pub async fn pair() -> (Node, Node) {
    linked(config(1), config(2)).await
}

pub async fn linked(one: LinkConfig, two: LinkConfig) -> (Node, Node) {
    let (one, two) = (Node::start(one), Node::start(two));
    one.links.know(NodeId(2), two.address.to_string());
    two.links.know(NodeId(1), one.address.to_string());
    one.until_linked(2).await;
    two.until_linked(1).await;
    (one, two)
}

/// What a hand-made peer says of itself.
#[derive(Clone, Debug)]
pub struct Forged {
    pub cluster_id: &'static str,
    pub node: u64,
    pub uuid: &'static str,
    pub secret: &'static str,
    pub role: Role,
    pub to: u64,
}

impl Forged {
    /// Node 9, as it should be, that dials node 1.
    pub const MEMBER: Forged = Forged { cluster_id: "cluster", node: 9, uuid: "uuid-9", secret: SECRET, role: Role::Member, to: 1 };
    pub const GUEST: Forged = Forged { cluster_id: "", node: 0, uuid: "uuid-g", secret: SECRET, role: Role::Guest, to: 0 };

    /// Dials and shakes hands.
    pub async fn dial(&self, address: SocketAddr) -> Result<(TcpStream, Peer), HandshakeError> {
        let mut stream = TcpStream::connect(address).await?;
        let secret = LinkSecret::new(self.secret);
        let identity =
            Identity { cluster_id: self.cluster_id, node: NodeId(self.node), uuid: self.uuid, run: EdgeId(rand::random()), name: "forged" };
        let me = Me { identity, secret: &secret };
        let peer = handshake::dial(&mut stream, &me, Wish { role: self.role, to: NodeId(self.to) }, |_| Ok(())).await?;
        Ok((stream, peer))
    }
}

//! The links of one simulated node: what it plugs in where a real one has TCP.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use engage::ports::network::{LinkWatch, Network};
use engage::ports::peers::{Answer, Lane, NodeId, PeerError, Peers, Serve, Service};
use tokio::sync::{oneshot, watch};

use crate::net::Net;
use crate::post::{Letter, Words};

/// See the head of the file.
pub struct SimPeers {
    net: Net,
    me: NodeId,
    inner: Mutex<Inner>,
    removed: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    services: BTreeMap<Service, Arc<dyn Serve>>,
    watchers: Vec<Arc<dyn LinkWatch>>,
    asked: BTreeMap<u64, (NodeId, oneshot::Sender<Bytes>)>,
    next_ask: u64,
    is_stopped: bool,
}

impl SimPeers {
    pub fn new(net: Net, me: NodeId) -> Arc<SimPeers> {
        Arc::new(SimPeers { net, me, inner: Mutex::default(), removed: watch::Sender::new(false) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nobody panics over the links of a node")
    }

    fn service(&self, service: Service) -> Option<Arc<dyn Serve>> {
        self.inner().services.get(&service).cloned()
    }

    /// What arrived over the links, or of them.
    pub fn take(&self, letter: Letter) {
        if self.inner().is_stopped {
            return;
        }
        match letter {
            Letter::Peer { link, from, words } if self.net.stands(self.me, from, link) => self.hear(from, link, words),
            Letter::LinkUp(up) => self.watchers().iter().for_each(|watcher| watcher.up(up.clone())),
            Letter::LinkDown { node, link } => {
                self.inner().asked.retain(|_, (asked, _)| *asked != node);
                self.watchers().iter().for_each(|watcher| watcher.down(node, link));
            }
            Letter::Removed => drop(self.removed.send_replace(true)),
            _ => {}
        }
    }

    /// A guest asks to be taken in.
    pub fn guest_asks(&self, body: Bytes, answer: Answer) {
        if let Some(join) = self.service(Service::Join) {
            join.asked(NodeId(0), body, answer);
        }
    }

    fn hear(&self, from: NodeId, link: u64, words: Words) {
        match words {
            Words::Tell { service, body } => {
                if let Some(service) = self.service(service) {
                    service.told(from, body);
                }
            }
            Words::Ask { service, id, body } => {
                let (net, me) = (self.net.clone(), self.me);
                let answer = Answer::new(move |body| net.answer((me, from), link, Words::Answer { id, body }));
                if let Some(service) = self.service(service) {
                    service.asked(from, body, answer);
                }
            }
            Words::Answer { id, body } => {
                let asked = self.inner().asked.remove(&id);
                // Who does not wait any more needs no answer.
                if let Some((_, answer)) = asked {
                    let _ = answer.send(body);
                }
            }
        }
    }

    fn watchers(&self) -> Vec<Arc<dyn LinkWatch>> {
        self.inner().watchers.clone()
    }
}

#[async_trait]
impl Peers for SimPeers {
    fn tell(&self, to: NodeId, lane: Lane, service: Service, body: Bytes) -> Result<(), PeerError> {
        self.net.send((self.me, to), lane, Words::Tell { service, body }).map(drop)
    }

    async fn ask(&self, to: NodeId, lane: Lane, service: Service, body: Bytes, timeout: Duration) -> Result<Bytes, PeerError> {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut inner = self.inner();
            inner.next_ask += 1;
            let id = inner.next_ask;
            inner.asked.insert(id, (to, answer));
            id
        };
        let sent = self.net.send((self.me, to), lane, Words::Ask { service, id, body });
        let result = match sent {
            Ok(_) => match tokio::time::timeout(timeout, answered).await {
                Ok(Ok(body)) => Ok(body),
                Ok(Err(_)) | Err(_) => Err(PeerError::NoAnswer),
            },
            Err(error) => Err(error),
        };
        self.inner().asked.remove(&id);
        result
    }
}

#[async_trait]
impl Network for SimPeers {
    fn serve(&self, service: Service, with: Arc<dyn Serve>) {
        self.inner().services.insert(service, with);
    }

    fn on_change(&self, watcher: Arc<dyn LinkWatch>) {
        self.inner().watchers.push(watcher);
    }

    fn know(&self, node: NodeId, _: String) {
        self.net.know(self.me, node);
    }

    fn forget(&self, node: NodeId) {
        self.net.forget(self.me, node);
    }

    fn refused_as_removed(&self) -> watch::Receiver<bool> {
        self.removed.subscribe()
    }

    async fn stop(&self) {
        self.inner().is_stopped = true;
    }
}

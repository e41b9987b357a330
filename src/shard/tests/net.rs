//! Links between nodes of one process, with faults: nodes that are cut off, messages that are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::ports::peers::{Answer, Lane, NodeId, PeerError, Peers, Serve, Service};

/// Says of a question whether it gets lost.
type Loses = Box<dyn Fn(&[u8]) -> bool + Send>;

/// All links.
#[derive(Default)]
pub struct Net(Mutex<State>);

#[derive(Default)]
struct State {
    services: BTreeMap<NodeId, Arc<dyn Serve>>,
    cut_off: BTreeSet<NodeId>,
    loses: Option<Loses>,
}

impl Net {
    pub fn plug(&self, node: NodeId, service: Arc<dyn Serve>) {
        self.0.lock().unwrap().services.insert(node, service);
    }

    pub fn unplug(&self, node: NodeId) {
        self.0.lock().unwrap().services.remove(&node);
    }

    /// Nobody reaches this node any more, nor does it reach anybody.
    pub fn cut_off(&self, node: NodeId) {
        self.0.lock().unwrap().cut_off.insert(node);
    }

    pub fn heal(&self) {
        let mut state = self.0.lock().unwrap();
        state.cut_off.clear();
        state.loses = None;
    }

    /// Questions get lost of which this is true.
    pub fn lose(&self, loses: impl Fn(&[u8]) -> bool + Send + 'static) {
        self.0.lock().unwrap().loses = Some(Box::new(loses));
    }

    fn way(&self, from: NodeId, to: NodeId) -> Result<Arc<dyn Serve>, PeerError> {
        let state = self.0.lock().unwrap();
        if state.cut_off.contains(&from) || state.cut_off.contains(&to) {
            return Err(PeerError::NotSent);
        }
        state.services.get(&to).cloned().ok_or(PeerError::NotSent)
    }

    fn loses(&self, body: &[u8]) -> bool {
        self.0.lock().unwrap().loses.as_ref().is_some_and(|loses| loses(body))
    }
}

/// One node's end of the links.
pub struct Port {
    pub net: Arc<Net>,
    pub me: NodeId,
}

#[async_trait]
impl Peers for Port {
    fn tell(&self, to: NodeId, _lane: Lane, _service: Service, body: Bytes) -> Result<(), PeerError> {
        self.net.way(self.me, to)?.told(self.me, body);
        Ok(())
    }

    async fn ask(&self, to: NodeId, _lane: Lane, _service: Service, body: Bytes, timeout: Duration) -> Result<Bytes, PeerError> {
        let service = self.net.way(self.me, to)?;
        let (sender, receiver) = oneshot::channel();
        // A lost question keeps its sender waiting, like a lost answer.
        let kept = if self.net.loses(&body) {
            Some(sender)
        } else {
            let send = move |body| {
                sender.send(body).ok();
            };
            service.asked(self.me, body, Answer::new(send));
            None
        };
        let answer = tokio::time::timeout(timeout, receiver).await;
        drop(kept);
        // The link may have been cut meanwhile.
        self.net.way(self.me, to).map_err(|_| PeerError::NoAnswer)?;
        answer.map_err(|_| PeerError::NoAnswer)?.map_err(|_| PeerError::NoAnswer)
    }
}

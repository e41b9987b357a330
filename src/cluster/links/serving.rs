//! What becomes of a message that arrived: it goes to its service, or to the question that it answers. Everything here is called on the reader of a link, and waits for nothing.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::ending::Ending;
use super::frame::{Header, Kind, index_of, service_of};
use super::inbox::Incoming;
use super::lanes::Outgoing;
use super::link::Link;
use super::refusal::Refusal;
use super::shared::Shared;
use crate::ports::peers::{Answer, Lane, Serve, Service};

/// Who serves what.
#[derive(Default)]
pub struct Services([OnceLock<Arc<dyn Serve>>; Service::ALL.len()]);

impl Services {
    /// Puts a service in its place, once.
    pub fn set(&self, service: Service, with: Arc<dyn Serve>) {
        let is_first = self.0[service as usize - 1].set(with).is_ok();
        assert!(is_first, "invariant: a service is served once");
    }

    /// Who serves it, if somebody does.
    #[must_use]
    pub fn get(&self, service: Service) -> Option<&Arc<dyn Serve>> {
        self.0[service as usize - 1].get()
    }
}

/// Hands one message on.
///
/// # Errors
/// The link ends.
pub fn take(link: &Arc<Link>, shared: &Shared, message: Incoming) -> Result<(), Ending> {
    let Incoming { kind, lane, service, id, body } = message;
    let way = &link.meters.r#in[index_of(lane)];
    way.bytes.increment(u64::try_from(body.len()).unwrap_or(u64::MAX));
    way.messages.increment(1);
    // A service that only a later version knows is none.
    let serve = service_of(service).and_then(|service| shared.services.get(service));
    match kind {
        Kind::Tell => {
            if let Some(serve) = serve {
                serve.told(link.up.node, body);
            }
        }
        Kind::Ask => {
            let reply = Reply { link: Arc::clone(link), lane, id, is_sent: false };
            if let Some(serve) = serve {
                serve.asked(link.up.node, body, Answer::new(move |body| reply.send(body)));
            }
        }
        Kind::Answer => link.asks.answer(id, body),
        Kind::Void => link.asks.void(id),
        Kind::Ping => link.lanes.push_control(Header::bare(Kind::Pong, id)),
        Kind::Pong => link.pong(id),
        Kind::Goodbye => {
            let number = u8::try_from(id).unwrap_or(u8::MAX);
            return Err(Ending::Goodbye((number != 0).then(|| Refusal::of(number))));
        }
    }
    Ok(())
}

/// The way back for one answer. Dropped without one, it says that there will be none, so that the asker need not wait for its timeout.
struct Reply {
    link: Arc<Link>,
    lane: Lane,
    id: u64,
    is_sent: bool,
}

impl Reply {
    fn send(mut self, body: Bytes) {
        self.is_sent = self.push(Kind::Answer, body);
    }

    fn push(&self, kind: Kind, body: Bytes) -> bool {
        self.link.send(self.lane, Outgoing { kind, service: 0, id: self.id, body }).is_ok()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // Where there is no room for this either, the asker is left to its timeout.
        if !self.is_sent && !self.link.is_ended() {
            self.push(Kind::Void, Bytes::new());
        }
    }
}

//! Why a link ended, and what is said and counted of it.

use tokio::task::JoinError;
use tracing::{error, info, warn};

use super::frame::FrameError;
use super::inbox::InboxError;
use super::refusal::Refusal;
use super::shared::Shared;
use crate::ports::network::LinkUp;

/// Why a link ended.
#[derive(Debug)]
pub enum Ending {
    /// This node closed it.
    Wanted,
    /// The other node closed it, and said why, if there is more to say than that it stops.
    Goodbye(Option<Refusal>),
    /// Nothing was heard for too long.
    Silent,
    Broken(InboxError),
    /// What a service did with a message has panicked.
    Panicked,
}

impl Ending {
    /// What the first task to end came back with.
    pub fn of(ended: Option<Result<Ending, JoinError>>) -> Ending {
        match ended {
            Some(Ok(ending)) => ending,
            Some(Err(_)) | None => Ending::Panicked,
        }
    }

    /// Says and counts it.
    pub fn report(&self, up: &LinkUp, shared: &Shared) {
        let (node, name, link) = (up.node, &up.name, up.link);
        match self {
            Ending::Wanted => info!(%node, name, link, "link closed"),
            Ending::Goodbye(None) => info!(%node, name, link, "link closed by the other node"),
            Ending::Goodbye(Some(refusal)) => warn!(%node, name, link, reason = refusal.word(), "link ended by the other node"),
            Ending::Silent => warn!(%node, name, link, "link down: the other node is silent"),
            Ending::Broken(InboxError::Frame(error)) => {
                let refusal = if *error == FrameError::TooLong { Refusal::TooLong } else { Refusal::Broken };
                shared.refusals.count(refusal);
                error!(%node, name, link, %error, "link down: the other node sent what can't be taken");
            }
            Ending::Broken(error) => warn!(%node, name, link, %error, "link down"),
            Ending::Panicked => error!(%node, name, link, "link down: a message could not be handled"),
        }
        if matches!(self, Ending::Goodbye(Some(Refusal::Removed))) {
            shared.was_removed();
        }
    }
}

//! What all nodes measure, for a caller on any of them: each member is asked, all at once, and whoever does not answer soon has no figures. Nothing is kept, and nothing is sent
//! that nobody asked for.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::debug;

use super::directory::Directory;
use super::format;
use crate::clock;
use crate::ports::figures::{Figures, Measure, MemberFigures, NodeFigures};
use crate::ports::peers::{Answer, Lane, NodeId, Peers, Serve, Service};

/// A node that takes longer has no figures this time: whoever asks comes again in a second.
const PATIENCE: Duration = Duration::from_millis(700);
/// Questions of other nodes that are being answered; more get no answer.
const ANSWERS_MAX: usize = 16;

/// Implements [`Figures`].
pub struct AllFigures {
    directory: Arc<Directory>,
    peers: Arc<dyn Peers>,
    own: Arc<dyn Measure>,
}

impl AllFigures {
    /// Puts the parts together.
    #[must_use]
    pub fn new(directory: Arc<Directory>, peers: Arc<dyn Peers>, own: Arc<dyn Measure>) -> AllFigures {
        AllFigures { directory, peers, own }
    }

    async fn of(&self, id: NodeId, name: String) -> MemberFigures {
        if id == self.directory.node() {
            return MemberFigures { name, id, figures: Some(self.own.measure().await), clock_ahead_ms: Some(0) };
        }
        let (asked_at, started) = (clock::wall_ms(), clock::monotonic_ms());
        let answer = self.peers.ask(id, Lane::Session, Service::Figures, Bytes::new(), PATIENCE).await;
        let took_ms = clock::monotonic_ms().saturating_sub(started);
        let figures = answer.ok().and_then(|bytes| format::decode::<NodeFigures>(&bytes).ok());
        let clock_ahead_ms = figures.as_ref().map(|figures| difference(figures.at, asked_at + took_ms / 2));
        MemberFigures { name, id, figures, clock_ahead_ms }
    }
}

fn difference(there: u64, here: u64) -> i64 {
    i64::try_from(i128::from(there) - i128::from(here)).unwrap_or(i64::MAX)
}

#[async_trait]
impl Figures for AllFigures {
    fn me(&self) -> String {
        let (state, me) = (self.directory.meta().state(), self.directory.node());
        state.members().find(|(id, _)| *id == me).map(|(_, member)| member.name.clone()).unwrap_or_default()
    }

    async fn of_all(&self) -> Vec<MemberFigures> {
        let members: Vec<_> = self.directory.meta().state().members().map(|(id, member)| (id, member.name.clone())).collect();
        join_all(members.into_iter().map(|(id, name)| self.of(id, name))).await
    }
}

/// Answers other nodes with what this one measures.
pub struct ServeFigures {
    own: Arc<dyn Measure>,
    runtime: Handle,
    places: Arc<Semaphore>,
}

impl ServeFigures {
    /// Measures on `runtime`.
    #[must_use]
    pub fn new(own: Arc<dyn Measure>, runtime: Handle) -> ServeFigures {
        ServeFigures { own, runtime, places: Arc::new(Semaphore::new(ANSWERS_MAX)) }
    }
}

impl Serve for ServeFigures {
    fn told(&self, from: NodeId, _body: Bytes) {
        debug!(node = from.0, "a question for figures that wants no answer is dropped");
    }

    fn asked(&self, from: NodeId, _body: Bytes, answer: Answer) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            debug!(node = from.0, "figures are asked for too often");
            return;
        };
        let own = Arc::clone(&self.own);
        self.runtime.spawn(async move {
            answer.send(format::encode(&own.measure().await));
            drop(place);
        });
    }
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;

//! Serves a guest: a node that knows the secret and is no member yet. It may ask one question of `Service::Join`, and nothing else.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tracing::debug;

use super::frame::{FrameError, Kind};
use super::guest_frame::{read, write};
use super::inbox::InboxError;
use super::refusal::Refusal;
use super::shared::Shared;
use super::socket::Duplex;
use crate::ports::peers::{Answer, NodeId, Service};

/// One guest and its connection.
pub struct GuestCall {
    pub shared: Arc<Shared>,
    pub stream: Box<dyn Duplex>,
    pub address: SocketAddr,
    /// Held to the end.
    pub _place: Option<OwnedSemaphorePermit>,
}

impl GuestCall {
    /// From the question to the answer.
    pub async fn run(mut self) {
        let question_ms = self.shared.config.tuning.handshake_timeout_ms;
        match tokio::time::timeout(Duration::from_millis(question_ms), self.question()).await {
            Ok(Ok(body)) => self.answer(body).await,
            Ok(Err(refusal)) => self.shared.refusals.refused(self.address, refusal),
            Err(_) => self.shared.refusals.refused(self.address, Refusal::Timeout),
        }
        let _ = self.stream.shutdown().await;
    }

    async fn question(&mut self) -> Result<Bytes, Refusal> {
        let (header, body) = read(&mut self.stream).await.map_err(|error| match error {
            InboxError::Frame(FrameError::TooLong) => Refusal::TooLong,
            InboxError::Frame(FrameError::Broken) | InboxError::Closed | InboxError::Io(_) => Refusal::Broken,
        })?;
        if header.kind == Kind::Ask && header.service == Service::Join as u8 { Ok(body) } else { Err(Refusal::Stranger) }
    }

    async fn answer(&mut self, question: Bytes) {
        let (sender, receiver) = oneshot::channel();
        if let Some(serve) = self.shared.services.get(Service::Join) {
            // A guest that is gone loses its answer.
            let answer = Answer::new(move |body| drop(sender.send(body)));
            serve.asked(NodeId(0), question, answer);
        } else {
            drop(sender);
        }
        let in_time = tokio::time::timeout(Duration::from_millis(self.shared.config.tuning.guest_answer_ms), receiver).await;
        let (kind, body) = in_time.ok().and_then(Result::ok).map_or((Kind::Void, Bytes::new()), |body| (Kind::Answer, body));
        if let Err(error) = write(&mut self.stream, (kind, 0), &body).await {
            debug!(peer = %self.address, %error, "a guest did not get its answer");
        }
    }
}

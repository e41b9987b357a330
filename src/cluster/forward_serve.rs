//! Answers calls and reads for users that this node owns. It never hands a call on: who asks a node that is not the owner is told so.

use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::debug;

use super::format;
use super::forward_wire::{Call, DELIVERIES_MAX, Found, OUTCOMES_MAX, Question, encode_answer};
use crate::ledger::Applied;
use crate::ports::calls::{CallError, Users};
use crate::ports::peers::{Answer, NodeId, Serve};
use crate::ports::{Read, ReadError};

/// Calls of other nodes that are in progress here; more are refused as overload.
const CALLS_MAX: usize = 16_384;

/// Answers [`crate::ports::peers::Service::Call`] with the users and the ledgers of this node.
pub struct ServeCalls {
    local: Arc<Local>,
    runtime: Handle,
    places: Arc<Semaphore>,
}

/// What this node owns.
struct Local {
    users: Arc<dyn Users>,
    read: Arc<dyn Read>,
}

impl ServeCalls {
    /// Calls run on `runtime`. Neither `users` nor `read` may lead back to other nodes.
    #[must_use]
    pub fn new(users: Arc<dyn Users>, read: Arc<dyn Read>, runtime: Handle) -> ServeCalls {
        ServeCalls { local: Arc::new(Local { users, read }), runtime, places: Arc::new(Semaphore::new(CALLS_MAX)) }
    }
}

impl Serve for ServeCalls {
    fn told(&self, from: NodeId, _body: Bytes) {
        debug!(node = from.0, "a call that wants no answer is dropped");
    }

    fn asked(&self, from: NodeId, body: Bytes, answer: Answer) {
        let Ok(call) = format::decode::<Call>(&body) else {
            debug!(node = from.0, "a call is not understood");
            return;
        };
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return answer.send(encode_answer(Err(CallError::Overloaded)));
        };
        let local = self.local.clone();
        self.runtime.spawn(async move {
            let timeout = call.timeout();
            let found = tokio::time::timeout(timeout, local.find(call.question)).await.unwrap_or(Err(CallError::Unknown));
            answer.send(encode_answer(found));
            drop(place);
        });
    }
}

impl Local {
    async fn find(&self, question: Question) -> Result<Found, CallError> {
        let found = match question {
            Question::Command(command) => {
                let applied = self.users.call(command).await?;
                return Ok(Found::Applied(Applied { effects: Vec::new(), ..applied }));
            }
            Question::Notice { user, id, payload, targets } => return self.users.notice(user, id, payload, targets).await.map(Found::Sent),
            Question::User(user) => self.read.user(&user).await.map(Found::User),
            Question::Deliveries { user, after, limit } => {
                self.read.deliveries(&user, after, limit.min(DELIVERIES_MAX)).await.map(Found::Deliveries)
            }
            Question::Engagement { user, id } => self.read.engagement(&user, &id).await.map(Found::Engagement),
            Question::Outcomes { shard, after, limit } => {
                let outcomes = self.read.outcomes(shard, after, limit.min(OUTCOMES_MAX)).await;
                outcomes.map(|outcomes| Found::Outcomes(outcomes.map_err(|expired| expired.oldest)))
            }
            Question::OutcomesBeforeOldest(shard) => self.read.outcomes_before_oldest(shard).await.map(Found::OutcomesBeforeOldest),
        };
        found.map_err(|ReadError| CallError::Unavailable)
    }
}

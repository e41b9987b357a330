//! What a node asks the owner of a user or a shard, and what that answers. Nothing is decided here.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::format;
use crate::ledger::engagement::{Payload, Targets};
use crate::ledger::ids::{EngagementId, ShardId, UserId};
use crate::ledger::outcome::Outcome;
use crate::ledger::view::{DeliveryView, EngagementView, UserView};
use crate::ledger::{Applied, Command};
use crate::ports::calls::CallError;

/// Longest answer, in bytes.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Most deliveries that are asked for at once: each has up to 4 KiB of data.
pub(super) const DELIVERIES_MAX: usize = 256;
/// Most outcomes that are asked for at once.
pub(super) const OUTCOMES_MAX: usize = 1_024;

/// A call, with the time that its caller gives it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    timeout_ms: u64,
    pub question: Question,
}

impl Call {
    pub fn new(question: Question, timeout: Duration) -> Call {
        Call { timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX), question }
    }

    /// The time that it may take, up to a minute.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.min(60_000))
    }
}

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    Command(Command),
    Notice { user: UserId, id: EngagementId, payload: Payload, targets: Targets },
    User(UserId),
    Deliveries { user: UserId, after: u64, limit: usize },
    Engagement { user: UserId, id: EngagementId },
    Outcomes { shard: ShardId, after: u64, limit: usize },
    OutcomesBeforeOldest(ShardId),
}

/// Outcomes, or the oldest cursor that can be read after.
pub(super) type OutcomesOrOldest = Result<Vec<(u64, Outcome)>, u64>;

/// What is answered; the variants fit those of [`Question`].
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Found {
    /// Without its effects: those are on their way.
    Applied(Applied),
    Sent(u32),
    User(Option<UserView>),
    Deliveries(Vec<DeliveryView>),
    Engagement(Option<EngagementView>),
    Outcomes(OutcomesOrOldest),
    OutcomesBeforeOldest(u64),
}

/// An answer as bytes, of bounded length: of a long timeline, the newest stays.
pub(super) fn encode_answer(mut answer: Result<Found, CallError>) -> Bytes {
    loop {
        let bytes = format::encode(&answer);
        if bytes.len() <= ANSWER_MAX_BYTES {
            return bytes;
        }
        match &mut answer {
            Ok(Found::Engagement(Some(view))) if !view.timeline.is_empty() => {
                let half = view.timeline.len().div_ceil(2);
                view.timeline.drain(..half);
            }
            _ => answer = Err(CallError::Overloaded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::outcome::What;
    use crate::ledger::time::LedgerTime;

    #[test]
    fn a_long_timeline_loses_its_old_end() {
        let id = EngagementId::parse(&"e".repeat(128)).unwrap();
        let user = UserId::parse(&"u".repeat(128)).unwrap();
        let outcome = |at| Outcome {
            at: LedgerTime(at),
            what: What::Offered,
            user: user.clone(),
            device: None,
            id: id.clone(),
            window: None,
            step: 0,
            reason: None,
        };
        let view = EngagementView { deliveries: Vec::new(), timeline: (0..40_000).map(outcome).collect() };
        let bytes = encode_answer(Ok(Found::Engagement(Some(view))));
        assert!(bytes.len() <= ANSWER_MAX_BYTES);
        let answer: Result<Found, CallError> = format::decode(&bytes).unwrap();
        let Ok(Found::Engagement(Some(view))) = answer else { panic!("{answer:?}") };
        assert_eq!(view.timeline.last().map(|outcome| outcome.at), Some(LedgerTime(39_999)));
        assert!(view.timeline.len() >= 10_000);
    }
}

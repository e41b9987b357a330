//! Calls as a careful publisher makes them: one without an answer, or answered that it may be tried again, is made again at another node, until it is answered for good.

use engage::history::record::What;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::coverage;
use crate::crowd::{Crowd, pass_ms};
use crate::outside::{Answer, Lost, Request};

/// Between two tries.
const PAUSE_MS: std::ops::Range<u64> = 20..1_000;
/// A read that is tried so often in vain is left.
const READS_MAX: usize = 20;

/// Makes calls, one at a time.
pub struct Caller {
    crowd: Crowd,
    random: StdRng,
    /// Where it has just failed.
    avoid: Option<usize>,
}

impl Caller {
    pub fn new(crowd: Crowd, random: StdRng) -> Caller {
        Caller { crowd, random, avoid: None }
    }

    /// Makes a call that changes something, until it is answered for good. None: it was given up, or its publisher fell over and will never know.
    pub async fn call(&mut self, call: u64, request: &Request) -> Option<Answer> {
        loop {
            let why = match self.once(request).await {
                Ok(answer) if !is_for_now(answer.status) => return Some(answer),
                Ok(answer) => format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body)),
                Err(Lost) => "lost".to_owned(),
            };
            if self.crowd.has_failed() {
                self.crowd.note(What::GaveUp { call, why });
                return None;
            }
            self.crowd.note(What::Unanswered { call, why });
            coverage::count("tried_again");
            if self.random.random_bool(self.crowd.population().mix.forgets) {
                coverage::count("publisher_fell_over");
                return None;
            }
            let pause_ms = self.random.random_range(PAUSE_MS);
            pass_ms(pause_ms).await;
        }
    }

    /// Reads something, at one node after another.
    pub async fn read(&mut self, request: &Request) -> Option<Answer> {
        for _ in 0..READS_MAX {
            match self.once(request).await {
                Ok(answer) if !is_for_now(answer.status) => return Some(answer),
                Ok(_) | Err(Lost) => {}
            }
            let pause_ms = self.random.random_range(PAUSE_MS);
            pass_ms(pause_ms).await;
        }
        None
    }

    /// Makes one try, at any node but where it has just failed.
    pub async fn once(&mut self, request: &Request) -> Result<Answer, Lost> {
        let node = self.crowd.somewhere(&mut self.random, self.avoid);
        let answer = self.crowd.outside().call(node, request.clone()).await;
        let is_good = answer.as_ref().is_ok_and(|answer| !is_for_now(answer.status));
        self.avoid = (!is_good).then_some(node);
        answer
    }
}

/// A body of JSON.
pub fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("a body is not JSON: {error}: {:?}", String::from_utf8_lossy(&answer.body)))
}

/// Whether the same call may be answered otherwise a little later.
pub fn is_for_now(status: u16) -> bool {
    matches!(status, 408 | 429 | 503)
}

//! Counts what the product logs. What a client can't see (a change of voters, an old owner that does not know it yet) stands in the log for operators, so it needs no hook
//! of its own. Every line is also an event of the trace: what two runs of a seed log differently, they did differently. No run depends on it.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Mutex;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::count;
use crate::trace;

const OWNED: &str = "shard_owned";
const OWNED_AGAIN: &str = "shard_owned_again";
const DISOWNED: &str = "shard_disowned";

/// Lines of the log, and the counters that they raise.
const LINES: &[(&str, &str)] = &[
    ("shard owned", OWNED),
    ("shard owned again", OWNED_AGAIN),
    ("shard no longer owned", DISOWNED),
    ("learner added", "learner_added"),
    ("voters changed", "voters_changed"),
    ("learner removed", "replica_removed"),
    ("sending a snapshot was given up", "snapshot_given_up"),
    ("lead handed over", "leader_transferred"),
    ("the lead was not taken over; this node runs for it again", "leader_transfer_failed"),
    ("entries that another leader did not keep are truncated", "log_truncated"),
    ("what was held of the shard is gone, but for the vote", "replica_wiped"),
    ("a node has joined", "node_joined"),
    ("the node holds nothing any more and is removed", "node_removed"),
    ("replicas are placed anew", "replicas_placed"),
    ("this node is drained: its clients have been sent away", "node_drained"),
    ("this node was taken out of its cluster; stopping", "node_told_to_stop"),
];

/// The layer that counts.
pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    // What is not wanted is asked about once for each place in the code, and costs nothing then.
    let is_ours =
        |metadata: &Metadata<'_>| metadata.is_event() && metadata.target().starts_with("engage") && *metadata.level() <= Level::DEBUG;
    Counting::default().with_filter(filter_fn(is_ours))
}

#[derive(Default)]
struct Counting {
    /// The newest term in which each shard was owned, on whichever node.
    terms: Mutex<BTreeMap<u64, u64>>,
}

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        trace::note("log", line.text.as_bytes());
        let Some(counter) = line.counter else { return };
        count(counter);
        let mut terms = self.terms.lock().expect("invariant: nobody panics while counting");
        let newest = terms.entry(line.shard).or_default();
        match counter {
            OWNED | OWNED_AGAIN => {
                if *newest > 0 && line.term > *newest {
                    count("failover");
                }
                *newest = line.term.max(*newest);
            }
            // It ceases to own only now what another owned already.
            DISOWNED if line.term < *newest => count("stale_owner"),
            _ => {}
        }
    }
}

/// What is read of a line.
#[derive(Default)]
struct Line {
    text: String,
    counter: Option<&'static str>,
    shard: u64,
    term: u64,
}

impl Visit for Line {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_debug(field, &value);
        match field.name() {
            "shard" => self.shard = value,
            "term" => self.term = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let start = self.text.len();
        let _ = write!(self.text, "{value:?}");
        if field.name() == "message" {
            let message = &self.text[start..];
            self.counter = LINES.iter().find(|(line, _)| *line == message).map(|(_, counter)| *counter);
        }
        let _ = write!(self.text, " ");
    }
}

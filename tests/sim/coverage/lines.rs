//! Counts what the product logs. What a client can't see (a snapshot, a change of voters) stands in the log for operators, so it needs no hook of its own. Only counts: it writes
//! nothing, and no run depends on it.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::count;

/// Lines of the log, and the counters that they raise.
const LINES: &[(&str, &str)] = &[
    ("shard owned", "shard_owned"),
    ("shard owned again", "shard_owned_again"),
    ("shard no longer owned", "shard_disowned"),
    ("learner added", "learner_added"),
    ("voters changed", "voters_changed"),
    ("learner removed", "replica_removed"),
    ("snapshot installed", "snapshot_installed"),
    ("snapshot sent", "snapshot_sent"),
    ("sending a snapshot was given up", "snapshot_given_up"),
    ("lead handed over", "leader_transferred"),
    ("the lead was not taken over; this node runs for it again", "leader_transfer_failed"),
    ("what was held of the shard is gone, but for the vote", "replica_wiped"),
    ("a node has joined", "node_joined"),
    ("the node holds nothing any more and is removed", "node_removed"),
    ("replicas are placed anew", "replicas_placed"),
    ("this node is drained: its clients have been sent away", "node_drained"),
    ("this node was taken out of its cluster; stopping", "node_told_to_stop"),
    ("clients have been sent away", "clients_sent_away"),
    ("a connection is lost", "connection_lost"),
    ("the ledger offers what was confirmed as settled", "offer_of_settled"),
];

/// The layer that counts.
pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    // What is not wanted is asked about once for each place in the code, and costs nothing then.
    let is_ours =
        |metadata: &Metadata<'_>| metadata.is_event() && metadata.target().starts_with("engage") && *metadata.level() <= Level::DEBUG;
    Counting.with_filter(filter_fn(is_ours))
}

struct Counting;

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message(None);
        event.record(&mut message);
        if let Some(counter) = message.0 {
            count(counter);
        }
    }
}

/// Finds the counter of a message, without keeping the text.
struct Message(Option<&'static str>);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let text = format!("{value:?}");
            self.0 = LINES.iter().find(|(line, _)| *line == text).map(|(_, counter)| *counter);
        }
    }
}

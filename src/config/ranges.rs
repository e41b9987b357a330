//! The range of every number, duration and size, in one table. A test sees to it that no such key is missing here.

use serde_json::Value;
use std::fmt;

use super::units::{Size, Span};

/// What a value may be, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Count(u64, u64),
    Span(Span, Span),
    Size(Size, Size),
}

use Range::Count;

const fn ms(min: u64, max: u64) -> Range {
    Range::Span(Span::from_ms(min), Span::from_ms(max))
}

const fn bytes(min: u64, max: u64) -> Range {
    Range::Size(Size::from_bytes(min), Size::from_bytes(max))
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const DAY: u64 = 24 * 60 * MINUTE;
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The largest payload of an engagement, in bytes (CONTRACT §7).
pub const PAYLOAD_MAX_BYTES: u64 = 16 * KIB;

/// A payload, its data (4 KiB) and its ids: what the buffers below must hold at least, so that no valid publish is refused for good.
const DELIVERY_MAX_BYTES: u64 = PAYLOAD_MAX_BYTES + 8 * KIB;

pub(super) const RANGES: &[(&str, Range)] = &[
    ("http.request_timeout", ms(100, MINUTE)),
    ("http.workers", Count(0, 1_024)),
    ("http.backlog", Count(16, 65_535)),
    ("http.header_timeout", ms(100, 5 * MINUTE)),
    ("http.body_timeout", ms(100, 10 * MINUTE)),
    ("http.keep_alive", ms(SECOND, 60 * MINUTE)),
    ("cluster.shards", Count(1, 1_024)),
    ("cluster.replication", Count(1, 7)),
    ("cluster.lease", ms(SECOND, 10 * MINUTE)),
    ("cluster.heartbeat", ms(10, 10 * SECOND)),
    ("cluster.election_timeout_min", ms(50, MINUTE)),
    ("cluster.election_timeout_max", ms(100, 2 * MINUTE)),
    ("cluster.snapshot_log_bytes", bytes(MIB, 64 * GIB)),
    ("cluster.snapshot_interval", ms(SECOND, 7 * DAY)),
    ("cluster.threads", Count(0, 1_024)),
    ("window.length", ms(SECOND, 366 * DAY)),
    ("window.carry", ms(0, 366 * DAY)),
    ("buffer.max_deliveries", Count(1, 65_536)),
    ("buffer.max_bytes", bytes(DELIVERY_MAX_BYTES, GIB)),
    ("limits.max_frame", bytes(8 * KIB, 16 * MIB)),
    ("limits.max_body", bytes(PAYLOAD_MAX_BYTES + 4 * KIB, 16 * MIB)),
    ("limits.max_bulk_body", bytes(PAYLOAD_MAX_BYTES + 4 * KIB, GIB)),
    ("limits.requests", Count(1, 1_000_000)),
    ("limits.bulk_requests", Count(1, 10_000)),
    ("limits.feeds", Count(1, 100_000)),
    ("limits.connections", Count(1, 10_000_000)),
    ("limits.connections_per_user", Count(1, 1_024)),
    ("limits.messages_per_second", Count(1, 1_000_000)),
    ("limits.publishes_per_second", Count(0, 10_000_000)),
    ("limits.heartbeat", ms(100, 10 * MINUTE)),
    ("limits.hello_timeout", ms(100, 5 * MINUTE)),
    ("limits.close_timeout", ms(100, MINUTE)),
    ("limits.write_timeout", ms(100, 10 * MINUTE)),
    ("limits.send_buffer", bytes(4 * KIB, 16 * MIB)),
    ("limits.outbox_messages", Count(640, 65_536)),
    ("limits.outbox_bytes", bytes(64 * KIB, GIB)),
    ("limits.users", Count(1, 100_000_000)),
    ("limits.user_idle", ms(100, DAY)),
    ("limits.user_in_flight", Count(1, 65_536)),
    ("limits.user_queue", Count(16, 65_536)),
    ("limits.records_per_user", Count(16, 1_000_000)),
    ("limits.outcomes_per_shard", Count(1_024, 100_000_000)),
    ("limits.ledger_bytes_per_shard", bytes(MIB, 1_024 * GIB)),
    ("limits.shard_queue_commands", Count(16, 10_000_000)),
    ("limits.shard_queue_bytes", bytes(MIB, 16 * GIB)),
    ("limits.drain_timeout", ms(0, 10 * MINUTE)),
    ("limits.drain_spread", ms(0, 10 * MINUTE)),
];

/// The range of a key; none for those that are no number, duration or size.
pub(super) fn range_of(key: &str) -> Option<Range> {
    RANGES.iter().find(|(name, _)| *name == key).map(|(_, range)| *range)
}

impl Range {
    /// Whether a value, as serde writes it, lies in the range.
    pub(super) fn holds(self, value: &Value) -> bool {
        match self {
            Range::Count(min, max) => value.as_u64().is_some_and(|count| (min..=max).contains(&count)),
            Range::Span(min, max) => {
                value.as_str().and_then(|text| text.parse::<Span>().ok()).is_some_and(|span| (min..=max).contains(&span))
            }
            Range::Size(min, max) => {
                value.as_str().and_then(|text| text.parse::<Size>().ok()).is_some_and(|size| (min..=max).contains(&size))
            }
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Count(min, max) => write!(f, "a whole number from {min} to {max}"),
            Range::Span(min, max) => write!(f, "from {min} to {max}"),
            Range::Size(min, max) => write!(f, "from {min} to {max}"),
        }
    }
}

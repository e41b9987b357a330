//! The metrics of one link, looked up once: a message costs an addition.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::frame::{LANES, word_of};
use crate::telemetry::names;

/// Metrics of the links to one node.
pub struct Meters {
    pub out: [Way; 3],
    pub r#in: [Way; 3],
    pub queue_bytes: [Gauge; 3],
    pub not_sent: [Counter; 3],
    pub round_trip: Histogram,
    up: Gauge,
    opened: Counter,
}

/// One direction of one lane.
pub struct Way {
    pub bytes: Counter,
    pub messages: Counter,
}

impl Meters {
    /// By the name of the node.
    #[must_use]
    pub fn new(node: &str) -> Meters {
        let way = |direction: &'static str| {
            LANES.map(|lane| Way {
                bytes: counter!(names::LINK_BYTES_TOTAL, "node" => node.to_owned(), "lane" => word_of(lane), "direction" => direction),
                messages: counter!(names::LINK_MESSAGES_TOTAL, "node" => node.to_owned(), "lane" => word_of(lane), "direction" => direction),
            })
        };
        Meters {
            out: way("out"),
            r#in: way("in"),
            queue_bytes: LANES.map(|lane| gauge!(names::LINK_QUEUE_BYTES, "node" => node.to_owned(), "lane" => word_of(lane))),
            not_sent: LANES.map(|lane| counter!(names::LINK_NOT_SENT_TOTAL, "node" => node.to_owned(), "lane" => word_of(lane))),
            round_trip: histogram!(names::LINK_ROUND_TRIP_SECONDS, "node" => node.to_owned()),
            up: gauge!(names::LINK_UP, "node" => node.to_owned()),
            opened: counter!(names::LINK_OPENED_TOTAL, "node" => node.to_owned()),
        }
    }

    /// The link came up.
    pub fn came_up(&self) {
        self.up.set(1.0);
        self.opened.increment(1);
    }

    /// The link went down: nothing waits any more.
    pub fn went_down(&self) {
        self.up.set(0.0);
        self.show_queues([0; 3]);
    }

    /// What waits, for each lane.
    pub fn show_queues(&self, bytes: [usize; 3]) {
        for (gauge, bytes) in self.queue_bytes.iter().zip(bytes) {
            gauge.set(f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)));
        }
    }
}

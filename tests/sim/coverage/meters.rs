//! Counts what the product counts: its metrics tell of paths that no client sees and no line of the log tells. On the thread of the run alone, where it stands before the
//! recorder of the process.

use std::sync::Arc;

use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, LocalRecorderGuard, Metadata, Recorder, SharedString, Unit};

use super::add;

/// Labels that tell what happened; others tell where.
const LABELS: [&str; 8] = ["greeting", "result", "reason", "limit", "kind", "code", "type", "status"];

static METERS: Meters = Meters;

/// From now on, and until the guard is dropped, what is counted on this thread is counted here.
pub fn begin() -> LocalRecorderGuard<'static> {
    metrics::set_default_local_recorder(&METERS)
}

struct Meters;

/// `session_attaches_again` for `engage_session_attaches_total{greeting="again"}`.
fn name_of(key: &Key) -> String {
    let name = key.name().trim_start_matches("engage_").trim_end_matches("_total");
    let labels = key.labels().filter(|label| LABELS.contains(&label.key()));
    labels.fold(name.to_owned(), |name, label| format!("{name}_{}", label.value()))
}

impl Recorder for Meters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        // What goes on between nodes all the time tells nothing, and would be counted for each message.
        if key.name().contains("_link_") || key.name().contains("_http_") {
            return Counter::noop();
        }
        Counter::from_arc(Arc::new(Meter(name_of(key))))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

struct Meter(String);

impl CounterFn for Meter {
    fn increment(&self, value: u64) {
        add(&self.0, value);
    }

    /// Nobody in the product sets a counter.
    fn absolute(&self, _: u64) {}
}

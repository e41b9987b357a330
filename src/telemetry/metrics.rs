//! The recorder behind the `metrics` macros, one for the process, and its text for Prometheus.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::fmt::Write as _;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::describe::{HELP, Kind, help_of, kind_of};
use super::names;

/// Upper bounds of the buckets of every `_seconds`: from 50 µs to 10 s.
pub const SECONDS_BUCKETS: [f64; 17] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const COMMANDS_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// The recorder can't be set up.
#[derive(Debug, thiserror::Error)]
#[error("the metrics can't be set up: {0}")]
pub struct MetricsError(String);

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Sets the recorder of this process up. A second call changes nothing.
///
/// # Errors
/// [`MetricsError`], when another recorder is in place.
pub fn install_metrics() -> Result<(), MetricsError> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if HANDLE.get().is_some() {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| MetricsError(error.to_string());
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS_BUCKETS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(names::ENTRY_COMMANDS.to_owned()), &COMMANDS_BUCKETS))
        .map_err(|error| failed(&error))?;
    let handle = builder.install_recorder().map_err(|error| failed(&error))?;
    describe_all();
    let _ = HANDLE.set(handle);
    Ok(())
}

fn describe_all() {
    for &(name, help) in HELP {
        match kind_of(name) {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
            Kind::Histogram => metrics::describe_histogram!(name, help),
        }
    }
    // These must be seen at 0: an alert on a counter that does not exist never fires.
    metrics::counter!(names::REDELIVERY_AFTER_ACK_TOTAL).increment(0);
    metrics::counter!(names::OFFERS_TOTAL).increment(0);
    metrics::counter!(names::SNAPSHOTS_TOTAL).increment(0);
}

/// All metrics recorded so far, as text for Prometheus; empty before [`install_metrics`].
#[must_use]
pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Folds what histograms have gathered. To be called every few seconds: they grow between two calls.
pub fn upkeep() {
    if let Some(handle) = HANDLE.get() {
        handle.run_upkeep();
    }
}

/// Appends a metric that is read off at scraping instead of recorded: its help, and a line for each value with its labels. Nothing, where there is no value,
/// so that a shard that moved away leaves no stale line behind.
pub fn write_gauge(text: &mut String, name: &str, values: impl IntoIterator<Item = (String, u64)>) {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return;
    }
    let kind = if kind_of(name) == Kind::Counter { "counter" } else { "gauge" };
    let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", help_of(name));
    for (labels, value) in values {
        let _ = if labels.is_empty() { writeln!(text, "{name} {value}") } else { writeln!(text, "{name}{{{labels}}} {value}") };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_recorded_is_rendered_with_its_help() {
        install_metrics().unwrap();
        install_metrics().unwrap();
        metrics::histogram!(names::COMMIT_SECONDS).record(0.003);
        upkeep();
        let text = render();
        for part in [
            "# TYPE engage_redelivery_after_ack_total counter",
            "engage_redelivery_after_ack_total 0",
            "# HELP engage_commit_seconds From proposing an entry to its result.",
            "engage_commit_seconds_bucket{le=\"0.005\"}",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn a_metric_read_at_scraping_has_help_type_and_labels() {
        let mut text = String::new();
        write_gauge(&mut text, names::USERS, []);
        assert_eq!(text, "");
        write_gauge(&mut text, names::USERS, [("shard=\"3\"".to_owned(), 7)]);
        write_gauge(&mut text, names::PROCESS_OPEN_FDS, [(String::new(), 9)]);
        let expected = "# HELP engage_users Users in the ledger of a shard owned here.\n# TYPE engage_users gauge\nengage_users{shard=\"3\"} 7\n\
                        # HELP process_open_fds File descriptors that the process has open.\n# TYPE process_open_fds gauge\nprocess_open_fds 9\n";
        assert_eq!(text, expected);
    }
}

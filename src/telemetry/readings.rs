//! Reads back what this process has recorded, from the text that it shows to Prometheus: numbers by name and label. Knows nothing of what they mean, and reads no text but our own.

use std::collections::BTreeMap;

/// What was recorded, as of a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings(Vec<Reading>);

/// One line.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Reading {
    fn label(&self, label: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| name == label).map(|(_, value)| value.as_str())
    }

    fn has(&self, labels: &[(&str, &str)]) -> bool {
        labels.iter().all(|(label, value)| self.label(label) == Some(value))
    }
}

impl Readings {
    /// All metrics recorded so far; none before they were set up.
    #[must_use]
    pub fn now() -> Readings {
        Readings::of(&super::render())
    }

    fn of(text: &str) -> Readings {
        Readings(text.lines().filter(|line| !line.starts_with('#')).filter_map(read).collect())
    }

    /// The sum over all lines of a metric that have these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        whole(self.lines(name, labels).map(|reading| reading.value).sum())
    }

    /// A metric's numbers by the values of one of its labels, summed over the others.
    #[must_use]
    pub fn by(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let mut sums: BTreeMap<String, f64> = BTreeMap::new();
        for reading in self.lines(name, &[]) {
            *sums.entry(reading.label(label).unwrap_or_default().to_owned()).or_default() += reading.value;
        }
        sums.into_iter().map(|(value, sum)| (value, whole(sum))).collect()
    }

    /// How often each bucket of a histogram was met, those with these labels together; one number more than there are bounds, for what lies beyond them.
    #[must_use]
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Vec<u64> {
        let mut up_to: Vec<(f64, f64)> = Vec::new();
        for reading in self.lines(&format!("{name}_bucket"), labels) {
            let Some(bound) = reading.label("le").and_then(|bound| bound.parse::<f64>().ok()) else { continue };
            match up_to.iter_mut().find(|(known, _)| known.total_cmp(&bound).is_eq()) {
                Some((_, count)) => *count += reading.value,
                None => up_to.push((bound, reading.value)),
            }
        }
        up_to.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        let before = std::iter::once(0.0).chain(up_to.iter().map(|(_, count)| *count));
        up_to.iter().zip(before).map(|((_, count), before)| whole(count - before)).collect()
    }

    fn lines<'a>(&'a self, name: &'a str, labels: &'a [(&str, &str)]) -> impl Iterator<Item = &'a Reading> {
        self.0.iter().filter(move |reading| reading.name == name && reading.has(labels))
    }
}

/// Counts are whole numbers, and stay far below the point where a float is none.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is cut to what fits")]
fn whole(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

fn read(line: &str) -> Option<Reading> {
    let (key, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = key.split_once('{') else {
        return Some(Reading { name: key.to_owned(), labels: Vec::new(), value });
    };
    Some(Reading { name: name.to_owned(), labels: labels_of(labels.strip_suffix('}')?)?, value })
}

/// Reads `a="1",b="2"`. In a value, a backslash stands before a quote, a backslash, and the `n` of a line's end.
fn labels_of(text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        let end = loop {
            match chars.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match chars.next()?.1 {
                    'n' => '\n',
                    escaped => escaped,
                }),
                (_, plain) => value.push(plain),
            }
        };
        labels.push((name.to_owned(), value));
        rest = quoted[end + 1..].trim_start_matches(',');
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{install_metrics, names};

    const TEXT: &str = "# HELP engage_acks_total Acks.\n# TYPE engage_acks_total counter\n\
        engage_acks_total{result=\"confirm\"} 7\nengage_acks_total{result=\"unavailable\"} 2\n\nengage_offers_total 9\n\
        t_seconds_bucket{shard=\"0\",le=\"0.001\"} 1\nt_seconds_bucket{shard=\"0\",le=\"0.01\"} 4\nt_seconds_bucket{shard=\"0\",le=\"+Inf\"} 5\nt_seconds_sum{shard=\"0\"} 0.3\n\
        t_seconds_bucket{shard=\"1\",le=\"0.001\"} 0\nt_seconds_bucket{shard=\"1\",le=\"0.01\"} 2\nt_seconds_bucket{shard=\"1\",le=\"+Inf\"} 2\n\
        odd{node=\"a \\\"b\\\\ {c},d\\n\",lane=\"raft\"} 1.5\nnonsense\n";

    #[test]
    fn counts_are_read_alone_and_by_a_label() {
        let readings = Readings::of(TEXT);
        assert_eq!(readings.sum("engage_offers_total", &[]), 9);
        assert_eq!(readings.sum("engage_acks_total", &[]), 9);
        assert_eq!(readings.sum("engage_acks_total", &[("result", "confirm")]), 7);
        assert_eq!(readings.sum("missing", &[]), 0);
        assert_eq!(readings.by("engage_acks_total", "result"), BTreeMap::from([("confirm".to_owned(), 7), ("unavailable".to_owned(), 2)]));
    }

    #[test]
    fn a_value_of_a_label_may_hold_any_text() {
        assert_eq!(Readings::of(TEXT).sum("odd", &[("node", "a \"b\\ {c},d\n"), ("lane", "raft")]), 2);
    }

    #[test]
    fn the_buckets_of_a_histogram_are_told_apart_and_added_up() {
        let readings = Readings::of(TEXT);
        assert_eq!(readings.histogram("t_seconds", &[]), [1, 5, 1]);
        assert_eq!(readings.histogram("t_seconds", &[("shard", "1")]), [0, 2, 0]);
        assert!(readings.histogram("missing", &[]).is_empty());
    }

    #[test]
    fn what_is_recorded_is_read_back() {
        install_metrics().unwrap();
        metrics::counter!(names::LIMITED_TOTAL, "limit" => "read back \"{here}\"").increment(3);
        metrics::histogram!(names::SNAPSHOT_SECONDS).record(0.003);
        let readings = Readings::now();
        assert_eq!(readings.sum(names::LIMITED_TOTAL, &[("limit", "read back \"{here}\"")]), 3);
        let buckets = readings.histogram(names::SNAPSHOT_SECONDS, &[]);
        assert_eq!(buckets.len(), super::super::SECONDS_BUCKETS.len() + 1);
        assert!(buckets[6] >= 1, "{buckets:?}");
    }
}

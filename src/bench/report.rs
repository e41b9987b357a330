//! What a bench found: figures with their names and units, for people and for programs.

use serde_json::{Map, Value, json};

use super::tally::Tally;
use super::waits::{Point, Waits};

/// One figure.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// In JSON, with its unit last.
    pub(super) key: String,
    /// For people.
    pub(super) label: String,
    pub(super) value: f64,
}

/// What a bench found.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was measured, in words.
    pub title: String,
    pub(super) figures: Vec<Figure>,
    /// Latency over time, by the name of what was waited for.
    pub(super) series: Vec<(String, Vec<Point>)>,
    /// Moments of the run, in seconds: a kill, say.
    pub(super) marks: Vec<(f64, String)>,
    errors: Vec<(String, u64)>,
    /// Promises that were broken.
    pub broken: Vec<String>,
}

impl Report {
    pub(super) fn new(title: String) -> Report {
        Report { title, figures: Vec::new(), series: Vec::new(), marks: Vec::new(), errors: Vec::new(), broken: Vec::new() }
    }

    pub(super) fn add(&mut self, key: &str, label: &str, value: f64) {
        self.figures.push(Figure { key: key.to_owned(), label: label.to_owned(), value });
    }

    /// The quantiles of waits.
    pub(super) fn add_waits(&mut self, (key, label): (&str, &str), waits: &Waits) {
        for (word, part) in [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)] {
            self.add(&format!("{key}_{word}_ms"), &format!("{label}, {word}, ms"), waits.quantile_ms(part));
        }
        self.add(&format!("{key}_max_ms"), &format!("{label}, max, ms"), waits.max_ms());
    }

    /// What every job with persons tells.
    pub(super) fn add_promises(&mut self, tally: &Tally) {
        self.add("offered_again_after_confirm", "offered again after confirm", tally.again_after_confirm as f64);
        self.add("offered_again_before_confirm", "offered again before confirm", tally.again_before_confirm as f64);
        self.add("errors", "errors", tally.errors().values().sum::<u64>() as f64);
        self.errors = tally.errors().iter().map(|(kind, count)| (kind.clone(), *count)).collect();
        if tally.again_after_confirm > 0 {
            self.broken.push(format!("{} offers came after their confirm", tally.again_after_confirm));
        }
    }

    /// A figure by its key.
    #[must_use]
    pub fn figure(&self, key: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.key == key).map(|figure| figure.value)
    }

    /// A row for each figure, and one for each kind of error.
    #[must_use]
    pub fn rows(&self) -> Vec<Vec<String>> {
        let figures = self.figures.iter().map(|figure| vec![figure.label.clone(), number(figure.value)]);
        let errors = self.errors.iter().map(|(kind, count)| vec![format!("error: {kind}"), count.to_string()]);
        figures.chain(errors).collect()
    }

    /// The same for programs, with the points of the plot.
    #[must_use]
    pub fn json(&self) -> Value {
        let figures: Map<String, Value> = self.figures.iter().map(|figure| (figure.key.clone(), json!(figure.value))).collect();
        let errors: Map<String, Value> = self.errors.iter().map(|(kind, count)| (kind.clone(), json!(count))).collect();
        let point = |point: &Point| json!({"at_s": point.at_s, "p50_ms": point.p50_ms, "p99_ms": point.p99_ms, "max_ms": point.max_ms});
        let series: Map<String, Value> =
            self.series.iter().map(|(name, points)| (name.clone(), points.iter().map(point).collect())).collect();
        json!({"title": self.title, "figures": figures, "errors": errors, "series": series, "broken": self.broken})
    }
}

/// As many digits as mean something.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        small if small < 10.0 && small.fract() != 0.0 => 3,
        middle if middle < 1_000.0 && middle.fract() != 0.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_people_read_them() {
        assert_eq!([0.1234, 12.34, 123.0, 1_234.5, 1_234_567.0].map(number), ["0.123", "12.3", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn an_offer_after_its_confirm_is_told_as_a_broken_promise() {
        let mut tally = Tally::new();
        let mut report = Report::new("a run".to_owned());
        report.add_promises(&tally);
        assert!(report.broken.is_empty());
        tally.again_after_confirm = 1;
        report.add_promises(&tally);
        assert_eq!(report.broken.len(), 1);
        assert_eq!(report.json()["figures"]["offered_again_after_confirm"], 1.0);
    }
}

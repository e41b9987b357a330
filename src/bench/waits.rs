//! How long things took: as a whole, and over the time of the run. Counts and merges; measures nothing itself.

use std::time::Duration;

use hdrhistogram::Histogram;

/// What a point of the plot stands for.
pub const SLOT: Duration = Duration::from_millis(250);
/// No run is longer.
const SLOTS_MAX: usize = 4 * 3_600;
const LONGEST_US: u64 = 600_000_000;

/// Waits in µs, from when they should have begun.
#[derive(Clone, Debug)]
pub struct Waits {
    all: Histogram<u64>,
    /// By the slot of the run in which they ended.
    slots: Vec<Option<Histogram<u64>>>,
}

/// A point of the plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// When it began, in seconds of the run.
    pub at_s: f64,
    /// The median.
    pub p50_ms: f64,
    /// What one in a hundred exceeds.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits::new()
    }
}

impl Waits {
    /// Of which none has ended yet.
    #[must_use]
    pub fn new() -> Waits {
        Waits { all: histogram(3), slots: Vec::new() }
    }

    /// Notes one that ended so long after the run began.
    pub fn note(&mut self, ended: Duration, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(LONGEST_US).clamp(1, LONGEST_US);
        self.all.saturating_record(us);
        let slot = usize::try_from(ended.as_millis() / SLOT.as_millis()).unwrap_or(usize::MAX).min(SLOTS_MAX - 1);
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot].get_or_insert_with(|| histogram(2)).saturating_record(us);
    }

    /// Adds another's.
    ///
    /// # Panics
    /// Never: all have the same bounds.
    pub fn merge(&mut self, other: &Waits) {
        self.all.add(&other.all).expect("both have the same bounds");
        if self.slots.len() < other.slots.len() {
            self.slots.resize_with(other.slots.len(), || None);
        }
        for (mine, others) in self.slots.iter_mut().zip(&other.slots) {
            if let Some(others) = others {
                mine.get_or_insert_with(|| histogram(2)).add(others).expect("both have the same bounds");
            }
        }
    }

    /// How many ended.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.all.len()
    }

    /// In ms; 0 where nothing was noted.
    #[must_use]
    pub fn quantile_ms(&self, part: f64) -> f64 {
        ms(self.all.value_at_quantile(part))
    }

    /// The longest, in ms.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        ms(self.all.max())
    }

    /// The run in points.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        let slots = self.slots.iter().enumerate().filter_map(|(slot, waits)| Some((slot, waits.as_ref()?)));
        slots
            .map(|(slot, waits)| Point {
                at_s: SLOT.as_secs_f64() * slot as f64,
                p50_ms: ms(waits.value_at_quantile(0.5)),
                p99_ms: ms(waits.value_at_quantile(0.99)),
                max_ms: ms(waits.max()),
            })
            .collect()
    }
}

fn histogram(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_US, digits).expect("the bounds are in order")
}

fn ms(us: u64) -> f64 {
    us as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_of_two_threads_become_one() {
        let (mut one, mut two) = (Waits::new(), Waits::new());
        for ms in 1..=50 {
            one.note(Duration::from_millis(100), Duration::from_millis(ms));
            two.note(Duration::from_millis(600), Duration::from_millis(50 + ms));
        }
        one.merge(&two);
        assert_eq!(one.count(), 100);
        assert!((one.quantile_ms(0.5) - 50.0).abs() < 0.1, "{}", one.quantile_ms(0.5));
        let points = one.points();
        assert_eq!(points.iter().map(|point| point.at_s).collect::<Vec<_>>(), [0.0, 0.5]);
        assert!(points[1].p50_ms > points[0].max_ms);
    }
}

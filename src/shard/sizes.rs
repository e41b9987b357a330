//! How many bytes of log lie after an index, about: what tells when to snapshot and how far to purge. Samples, not a count for every entry.

use std::collections::VecDeque;

/// A sample closes when it holds that much.
const SAMPLE_BYTES: u64 = 64 * 1024;

/// Bytes of the log by index. Positions are exact at the samples, and low by less than a sample between them.
#[derive(Debug, Default)]
pub struct Sizes {
    /// (last index of the sample, bytes appended up to and with it). Invariant: both grow.
    samples: VecDeque<(u64, u64)>,
    /// Bytes ever appended.
    total_bytes: u64,
    /// Bytes up to the last purged entry.
    purged_bytes: u64,
}

impl Sizes {
    /// An entry was appended.
    pub fn append(&mut self, index: u64, bytes: u64) {
        self.total_bytes += bytes;
        let closed_bytes = match self.samples.len() {
            0 | 1 => self.purged_bytes,
            count => self.samples[count - 2].1,
        };
        match self.samples.back_mut() {
            Some(open) if open.1 - closed_bytes < SAMPLE_BYTES => *open = (index, self.total_bytes),
            _ => self.samples.push_back((index, self.total_bytes)),
        }
    }

    /// The entries after `index` are gone.
    pub fn truncate(&mut self, index: Option<u64>) {
        while self.samples.back().is_some_and(|sample| Some(sample.0) > index) {
            self.samples.pop_back();
        }
        self.total_bytes = self.samples.back().map_or(self.purged_bytes, |sample| sample.1);
    }

    /// The entries up to `index` are gone.
    pub fn purge(&mut self, index: u64) {
        while let Some(&(last, bytes)) = self.samples.front() {
            if last > index {
                break;
            }
            self.purged_bytes = bytes;
            self.samples.pop_front();
        }
    }

    /// Bytes of what is kept.
    pub fn kept_bytes(&self) -> u64 {
        self.total_bytes - self.purged_bytes
    }

    /// Bytes of the kept entries after `index`.
    pub fn bytes_after(&self, index: Option<u64>) -> u64 {
        let count = self.samples.partition_point(|sample| Some(sample.0) <= index);
        let before = count.checked_sub(1).map_or(self.purged_bytes, |last| self.samples[last].1);
        self.total_bytes - before
    }

    /// The last entry that can go if about `bytes` of the newest are to stay.
    pub fn last_beyond(&self, bytes: u64) -> Option<u64> {
        let count = self.samples.partition_point(|sample| self.total_bytes - sample.1 >= bytes);
        count.checked_sub(1).map(|last| self.samples[last].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_follow_appends_truncations_and_purges() {
        let mut sizes = Sizes::default();
        for index in 1..=100 {
            sizes.append(index, 32 * 1024);
        }
        assert_eq!(sizes.kept_bytes(), 100 * 32 * 1024);
        assert_eq!(sizes.bytes_after(Some(50)), 50 * 32 * 1024);
        assert_eq!(sizes.bytes_after(None), sizes.kept_bytes());
        assert_eq!(sizes.last_beyond(20 * 32 * 1024), Some(80));
        sizes.purge(80);
        assert_eq!(sizes.kept_bytes(), 20 * 32 * 1024);
        assert_eq!(sizes.last_beyond(u64::MAX), None);
        sizes.truncate(Some(90));
        assert_eq!(sizes.kept_bytes(), 10 * 32 * 1024);
        sizes.append(91, 10);
        assert_eq!(sizes.kept_bytes(), 10 * 32 * 1024 + 10);
        sizes.truncate(None);
        assert_eq!(sizes.kept_bytes(), 0);
    }
}

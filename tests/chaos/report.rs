//! The end of a scenario: its verdict, and a line of the table that `tests/chaos/run` prints. Judges nothing itself.

use std::collections::BTreeMap;
use std::io::Write;

use engage::history;
use engage::history::record::{Entry, What};

use crate::blow::Blow;
use crate::load::{Ended, Load, shows_enough};
use crate::said::aloud;
use crate::scenario::Stage;
use crate::support::cluster::Cluster;

/// The file to which the lines of the table are added; none is written where it isn't set.
const TABLE: &str = "ENGAGE_CHAOS_TABLE";

/// What a scenario did.
pub struct Report {
    name: &'static str,
    faults: String,
}

impl Report {
    pub fn of(name: &'static str, dealt: &BTreeMap<Blow, usize>) -> Report {
        let faults: Vec<String> = dealt.iter().map(|(blow, count)| format!("{} {count}", blow.name())).collect();
        Report { name, faults: faults.join(", ") }
    }

    /// The same with something that is no blow.
    pub fn and(mut self, what: &str, count: usize) -> Report {
        let comma = if self.faults.is_empty() { "" } else { ", " };
        self.faults.push_str(&format!("{comma}{what} {count}"));
        self
    }

    /// Ends the load on a cluster that is healed, and says how it went; fails where a promise was broken, or nothing was shown.
    pub async fn finish(self, load: Load, (cluster, stage): (&Cluster, &Stage)) {
        let ended = load.end(cluster).await;
        let ended = if stage.has_wrong_clocks() { ended.with_clocks_apart() } else { ended };
        self.tell(&ended);
        shows_enough(&ended.judge());
    }

    fn tell(&self, ended: &Ended) {
        let verdict = history::judge(&ended.entries);
        let count = |kind| verdict.count(kind);
        let broken = verdict.violations.len() + ended.unsettled.len();
        let outage = longest_outage_ms(&ended.entries);
        aloud(&format!(
            "{}: {} | {} publishes, {} offers, {} confirms checked | {broken} violations | longest outage {outage} ms",
            self.name,
            self.faults,
            count("published"),
            count("offer"),
            count("confirm"),
        ));
        let Some(path) = std::env::var_os(TABLE) else { return };
        let mut table = std::fs::File::options().create(true).append(true).open(path).expect("the table can be opened");
        let row = [
            self.name,
            &self.faults,
            &count("published").to_string(),
            &count("offer").to_string(),
            &count("confirm").to_string(),
            &broken.to_string(),
            &outage.to_string(),
        ];
        writeln!(table, "{}", row.join("\t")).expect("the table can be written");
    }
}

/// The longest time in which no publish was accepted, at any node, while publishers tried.
fn longest_outage_ms(entries: &[Entry]) -> u64 {
    let accepted = entries.iter().filter_map(|Entry { t, what, .. }| match what {
        What::Published { status: 200 | 201, .. } => Some(*t),
        _ => None,
    });
    let times: Vec<u64> = accepted.collect();
    times.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000).max().unwrap_or(0)
}

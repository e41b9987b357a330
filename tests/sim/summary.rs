//! What is said of many runs: a line now and then while they go on, and a table at the end.

use std::fmt::Write;

use engage::clock;

use crate::arguments::Arguments;
use crate::child::Finished;
use crate::coverage::{self, Counts, gates};

/// Between two lines of progress.
const PROGRESS_MS: u64 = 10_000;
/// Violations of one seed that are shown.
const SHOWN: usize = 8;

/// What is known so far.
pub struct Summary {
    wanted: usize,
    counts: Counts,
    done: usize,
    failed: Vec<Finished>,
    virtual_ms: u64,
    events: u64,
    slowest: Option<(u64, u64)>,
    start: std::time::Instant,
    said: std::time::Instant,
}

impl Summary {
    pub fn new(wanted: usize) -> Summary {
        let now = clock::monotonic();
        let counts = Counts::new();
        Summary { wanted, counts, done: 0, failed: Vec::new(), virtual_ms: 0, events: 0, slowest: None, start: now, said: now }
    }

    pub fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// Takes a seed in.
    pub fn add(&mut self, finished: Finished, arguments: &Arguments) {
        self.done += 1;
        coverage::sum(&mut self.counts, &finished.report.counts);
        self.virtual_ms += finished.report.virtual_ms;
        self.events += finished.report.events;
        self.slowest = self.slowest.max(Some((finished.wall_ms, finished.seed)));
        if arguments.trace {
            println!("seed {} trace {:016x} events {}", finished.seed, finished.report.trace_hash, finished.report.events);
        }
        if !finished.report.violations.is_empty() {
            eprint!("{}", failure(&finished, arguments));
            self.failed.push(finished);
        }
        if self.said.elapsed().as_millis() >= u128::from(PROGRESS_MS) {
            self.said = clock::monotonic();
            eprintln!("{} of {} seeds, {} failed", self.done, self.wanted, self.failed.len());
        }
    }

    /// Prints the table; whether all is well.
    pub fn end(&self, arguments: &Arguments) -> bool {
        let missed = self.missed(arguments);
        print!("{}", self.table());
        for gate in &missed {
            eprintln!("missed: {gate}");
        }
        if !self.failed.is_empty() {
            let seeds: Vec<String> = self.failed.iter().map(|finished| finished.seed.to_string()).collect();
            eprintln!("failed: {} of {} seeds: {}", seeds.len(), self.done, seeds.join(","));
        }
        missed.is_empty() && self.failed.is_empty()
    }

    /// Gates are for whole plans, and for many.
    fn missed(&self, arguments: &Arguments) -> Vec<String> {
        let is_whole =
            arguments.only.is_empty() && arguments.without.is_empty() && self.done >= gates::SEEDS_MIN && self.done == self.wanted;
        if is_whole { gates::missed(&self.counts) } else { Vec::new() }
    }

    fn table(&self) -> String {
        let wall_s = self.start.elapsed().as_secs_f64();
        let (slowest_ms, slowest_seed) = self.slowest.unwrap_or_default();
        let outage_ms = self.counts.get("outage_max_ms").copied().unwrap_or(0);
        let mut table = String::new();
        let mut row = |name: &str, value: String| writeln!(table, "{name:<28} {value:>14}").expect("text can be written to");
        row("seeds", self.done.to_string());
        row("failed", self.failed.len().to_string());
        row("virtual hours", format!("{:.2}", self.virtual_ms as f64 / 3_600_000.0));
        row("events", self.events.to_string());
        row("longest outage", format!("{:.1} s", outage_ms as f64 / 1_000.0));
        row("slowest seed", format!("{slowest_seed}: {:.1} s", slowest_ms as f64 / 1_000.0));
        row("seeds/s", format!("{:.2}", self.done as f64 / wall_s));
        let (faults, paths): (Vec<_>, Vec<_>) =
            self.counts.iter().filter(|(name, _)| !name.ends_with("_max_ms")).partition(|(name, _)| name.starts_with("fault_"));
        for (title, counts) in [("faults", faults), ("paths", paths)] {
            let _ = writeln!(table, "\n{title}");
            for (name, value) in counts {
                let _ = writeln!(table, "  {:<26} {value:>14}", name.trim_start_matches("fault_"));
            }
        }
        table
    }
}

/// A seed that failed, and how to see it again.
fn failure(finished: &Finished, arguments: &Arguments) -> String {
    let mut text = format!("seed {} failed:\n", finished.seed);
    for violation in finished.report.violations.iter().take(SHOWN) {
        let _ = writeln!(text, "  {violation}");
    }
    if finished.report.violations.len() > SHOWN {
        let _ = writeln!(text, "  and {} more", finished.report.violations.len() - SHOWN);
    }
    for line in finished.stderr.lines() {
        let _ = writeln!(text, "  | {line}");
    }
    let run = arguments.of_the_run().iter().map(|argument| format!(" {argument}")).collect::<String>();
    let _ =
        writeln!(text, "  repeat: cargo run --release --bin engage-sim -- --seed {}{run} --log --history seed-{0}.jsonl", finished.seed);
    text
}

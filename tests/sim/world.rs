//! Stands in for the simulated world: walks the virtual time of a plan, and does nothing in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engage::history::record::Entry;
use engage::history::{file, judge};
use serde::{Deserialize, Serialize};

use crate::coverage;
use crate::plan::Plan;
use crate::planted::{self, Planted};
use crate::trace;

/// What a run is asked for beside its plan.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Keeps the history in this file, as JSONL.
    pub history: Option<PathBuf>,
    /// Breaks a promise in the history before it is judged.
    pub planted: Option<Planted>,
}

/// What a run was.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub violations: Vec<String>,
    pub counts: BTreeMap<String, u64>,
    pub trace_hash: u64,
    pub virtual_ms: u64,
    pub events: u64,
}

/// Runs a plan.
pub fn run(plan: Plan, options: Options) -> Report {
    let mut entries: Vec<Entry> = Vec::new();
    for timed in &plan.faults {
        trace::enter(timed.at_ms * 1_000, "world");
        trace::note("fault", format!("{:?}", timed.fault).as_bytes());
        coverage::count(timed.fault.kind().counter());
    }
    if let Some(planted) = options.planted {
        planted::plant(planted, &mut entries);
    }
    if let Some(path) = &options.history {
        file::write(path, &entries).unwrap_or_else(|error| panic!("{} can't be written: {error}", path.display()));
    }
    let mut counts = coverage::take();
    coverage::history::count(&entries, &mut counts);
    let violations = judge(&entries).violations.iter().map(ToString::to_string).collect();
    let (trace_hash, events) = trace::end();
    Report { violations, counts, trace_hash, virtual_ms: plan.safety_ms, events }
}

//! Which node ran as which edge, for as long as somebody may ask: a device on a lease still bears the name of a run that has ended.

use std::collections::{BTreeMap, VecDeque};

use crate::ledger::ids::EdgeId;

/// Runs that are remembered; the oldest is forgotten first.
const RUNS_MAX: usize = 1_024;

/// The names of runs.
#[derive(Debug, Default)]
pub(super) struct EdgeNames {
    names: BTreeMap<EdgeId, String>,
    /// Oldest first. Invariant: the keys of `names`, each once.
    order: VecDeque<EdgeId>,
}

impl EdgeNames {
    /// Remembers the name of a run.
    pub fn note(&mut self, run: EdgeId, name: &str) {
        match self.names.get_mut(&run) {
            Some(known) if known == name => {}
            Some(known) => name.clone_into(known),
            None => {
                self.names.insert(run, name.to_owned());
                self.order.push_back(run);
                if self.order.len() > RUNS_MAX
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.names.remove(&oldest);
                }
            }
        }
    }

    /// The name of the node that ran, or runs, as this edge.
    pub fn of(&self, run: EdgeId) -> Option<String> {
        self.names.get(&run).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_runs_are_remembered_and_no_more() {
        let mut names = EdgeNames::default();
        for run in 0..=RUNS_MAX as u64 {
            names.note(EdgeId(run), "n1");
        }
        names.note(EdgeId(7), "n7");
        assert_eq!((names.of(EdgeId(0)), names.of(EdgeId(7))), (None, Some("n7".to_owned())));
        assert_eq!((names.names.len(), names.order.len()), (RUNS_MAX, RUNS_MAX));
    }
}

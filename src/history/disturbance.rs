//! Which nodes had a fault when, and a while after. What a rule excuses by it, the rule says.

use std::collections::{BTreeMap, HashMap};

use super::record::Fault;

/// From and to, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: u64,
    pub to: u64,
}

/// Spans that don't overlap, in their order.
#[derive(Clone, Debug, Default)]
pub struct Spans(Vec<Span>);

impl Spans {
    fn of(mut spans: Vec<Span>) -> Spans {
        spans.sort_by_key(|span| span.from);
        let mut merged: Vec<Span> = Vec::new();
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                _ => merged.push(span),
            }
        }
        Spans(merged)
    }

    /// Whether one of them, made longer by `grace`, overlaps a time.
    #[must_use]
    pub fn meets(&self, from: u64, to: u64, grace: u64) -> bool {
        let later = self.0.partition_point(|span| span.to.saturating_add(grace) < from);
        self.0.get(later).is_some_and(|span| span.from <= to)
    }
}

/// A fault, as it was noted.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    pub t: u64,
    pub kind: Fault,
}

/// All faults of a history.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    of_node: HashMap<String, Vec<Noted>>,
    disturbed: HashMap<String, Spans>,
    without_majority: Spans,
    slow: Spans,
    /// Times at which some wall clock jumped.
    has_jumps: bool,
}

impl Faults {
    /// Of faults in their order; what has not ended by `last` lasted until then.
    #[must_use]
    pub fn of(noted: &[(u64, String, Fault)], last: u64) -> Faults {
        let mut of_node: HashMap<String, Vec<Noted>> = HashMap::new();
        for (t, node, kind) in noted {
            of_node.entry(node.clone()).or_default().push(Noted { t: *t, kind: *kind });
        }
        let disturbs = |kind: Fault| !kind.is_harmless();
        let disturbed = of_node.iter().map(|(node, faults)| (node.clone(), Spans::of(spans(faults, last, disturbs)))).collect();
        let is_of_majority = |kind: Fault| matches!(kind, Fault::NoMajority | Fault::Majority);
        let lost = of_node.values().flat_map(|faults| {
            let of_all: Vec<Noted> = faults.iter().filter(|noted| is_of_majority(noted.kind)).copied().collect();
            spans(&of_all, last, |_| true)
        });
        let slow = of_node.values().flat_map(|faults| spans(faults, last, Fault::slows));
        Faults {
            without_majority: Spans::of(lost.collect()),
            slow: Spans::of(slow.collect()),
            disturbed,
            has_jumps: noted.iter().any(|(_, _, kind)| *kind == Fault::ClockJump),
            of_node,
        }
    }

    /// The times in which a node was not as it should be.
    #[must_use]
    pub fn disturbs(&self, node: &str, (from, to): (u64, u64), grace: u64) -> bool {
        self.disturbed.get(node).is_some_and(|spans| spans.meets(from, to, grace))
    }

    /// The times without a majority.
    #[must_use]
    pub fn without_majority(&self) -> &Spans {
        &self.without_majority
    }

    /// The times in which links or disks were slow, wherever.
    #[must_use]
    pub fn slow(&self) -> &Spans {
        &self.slow
    }

    /// Whether any wall clock jumped.
    #[must_use]
    pub fn has_jumps(&self) -> bool {
        self.has_jumps
    }

    /// The faults of a node from a time on, in their order.
    pub fn since(&self, node: &str, t: u64) -> impl Iterator<Item = Noted> {
        let faults = self.of_node.get(node).map_or(&[][..], Vec::as_slice);
        faults[faults.partition_point(|noted| noted.t < t)..].iter().copied()
    }
}

/// From each fault that counts to its end.
fn spans(faults: &[Noted], last: u64, counts: impl Fn(Fault) -> bool) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut began: BTreeMap<Fault, u64> = BTreeMap::new();
    for Noted { t, kind } in faults {
        let ended = kind.ends().iter().filter_map(|earlier| began.remove(earlier));
        spans.extend(ended.map(|from| Span { from, to: *t }));
        if kind.is_momentary() && counts(*kind) {
            spans.push(Span { from: *t, to: *t });
        } else if kind.ends().is_empty() && counts(*kind) {
            began.entry(*kind).or_insert(*t);
        }
    }
    spans.extend(began.into_values().map(|from| Span { from, to: last }));
    spans
}

#[test]
fn spans_are_met_with_their_grace_and_no_later() {
    let noted: Vec<_> = [(10, Fault::Kill), (20, Fault::Start), (40, Fault::ClockJump), (50, Fault::Delay), (60, Fault::Heal)]
        .map(|(t, kind)| (t, "n1".to_owned(), kind))
        .to_vec();
    let faults = Faults::of(&noted, 100);
    let disturbs: Vec<bool> = [5, 15, 24, 30, 45, 55, 70].map(|t| faults.disturbs("n1", (t, t), 5)).to_vec();
    assert_eq!(disturbs, [false, true, true, false, false, true, false]);
    assert!(faults.slow().meets(58, 59, 0) && !faults.slow().meets(15, 16, 0) && faults.has_jumps());
    assert!(!faults.disturbs("n2", (0, 100), 0));
    let broken = Faults::of(&[(10, "n1".to_owned(), Fault::DropClients)], 100);
    assert!(broken.disturbs("n1", (0, 15), 0) && !broken.disturbs("n1", (16, 100), 5));
    assert_eq!(faults.since("n1", 45).map(|noted| noted.t).collect::<Vec<_>>(), [50, 60]);
}

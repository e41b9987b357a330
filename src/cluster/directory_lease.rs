//! Who owns which shard, and until when that may be believed: pure arithmetic on this node's monotonic time, which its caller brings.
//!
//! An owner says how long ago a majority stood behind it, and the last time of ours that it had heard before it said so. That time less that age was never later than the
//! moment when the majority answered, so a lease counted from there ends before the truth does.

use crate::ledger::ids::ShardId;
use crate::ports::peers::NodeId;

/// The reign of an owner over a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reign {
    pub node: NodeId,
    pub term: u64,
    /// The link over which it was told; 0 for this node itself.
    pub link: u64,
    /// Before this time, in ms of this node's monotonic time, its word may be acted on.
    pub until_ms: u64,
}

/// What an owner says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    pub node: NodeId,
    pub term: u64,
    pub link: u64,
    pub proven: ProvenAt,
}

/// When a majority stood behind an owner, at the earliest. Kept as two numbers: their difference may lie before the clock's zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProvenAt {
    heard_ms: u64,
    age_ms: u64,
}

impl ProvenAt {
    /// `heard_ms` is a time of this node; at some moment after it, the last answer of a majority was `age_ms` old.
    #[must_use]
    pub fn new(heard_ms: u64, age_ms: u64) -> ProvenAt {
        ProvenAt { heard_ms, age_ms }
    }
}

/// The newest reign over each shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reigns {
    /// A little less than `cluster.lease`: clocks of two machines don't run equally fast, and times are whole ms.
    lease_ms: u64,
    shards: Vec<Newest>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Newest {
    term: u64,
    /// None: the owner in this term is not known, or has said that it owns the shard no more.
    reign: Option<Reign>,
    /// The last reign that is over: its term, and until when its lease goes.
    last: Option<(u64, u64)>,
}

impl Newest {
    /// What is remembered when this reign ends.
    fn ended(self) -> Option<(u64, u64)> {
        self.reign.map(|reign| (reign.term, reign.until_ms)).or(self.last)
    }
}

impl Reigns {
    /// Nobody is known to own anything.
    #[must_use]
    pub fn new(shard_count: u16, lease_ms: u64) -> Reigns {
        let margin_ms = (lease_ms / 100).max(5);
        Reigns { lease_ms: lease_ms.saturating_sub(margin_ms), shards: vec![Newest::default(); usize::from(shard_count)] }
    }

    /// Takes an owner's word. A newer term ends every older one at once; an older one is not heard.
    pub fn claim(&mut self, shard: ShardId, claim: Claim) {
        let lease_ms = self.lease_ms;
        let Some(newest) = self.shards.get_mut(usize::from(shard.0)) else { return };
        let Claim { node, term, link, proven } = claim;
        if term < newest.term {
            return;
        }
        let mut until_ms =
            proven.heard_ms.saturating_add(lease_ms).saturating_sub(if mutant!(QuorumAgeIgnored) { 0 } else { proven.age_ms });
        if let Some(before) = newest.reign.filter(|before| before.term == term) {
            // Two leaders of one term can't be; if somebody says so, the first is believed.
            if before.node != node {
                return;
            }
            // Both were true.
            until_ms = until_ms.max(before.until_ms);
        }
        let last = if newest.term == term { newest.last } else { newest.ended() };
        *newest = Newest { term, reign: Some(Reign { node, term, link, until_ms }), last };
    }

    /// A newer term is known, whoever owns the shard in it.
    pub fn saw_term(&mut self, shard: ShardId, term: u64) {
        if let Some(newest) = self.shards.get_mut(usize::from(shard.0)).filter(|newest| newest.term < term) {
            *newest = Newest { term, reign: None, last: newest.ended() };
        }
    }

    /// A node owns this shard no more.
    pub fn disown(&mut self, shard: ShardId, node: NodeId) {
        let newest = self.shards.get_mut(usize::from(shard.0));
        if let Some(newest) = newest.filter(|newest| newest.reign.is_some_and(|reign| reign.node == node)) {
            *newest = Newest { reign: None, last: newest.ended(), ..*newest };
        }
    }

    /// The reign over a shard that may be believed now.
    #[must_use]
    pub fn owner(&self, shard: ShardId, now_ms: u64) -> Option<Reign> {
        self.shards.get(usize::from(shard.0))?.reign.filter(|reign| now_ms < reign.until_ms)
    }

    /// Whether the owner in this term may be believed now.
    #[must_use]
    pub fn is_valid(&self, shard: ShardId, term: u64, now_ms: u64) -> bool {
        self.owner(shard, now_ms).is_some_and(|reign| reign.term == term)
    }

    /// How many ms are left of the lease under the owner in this term, that owner's reign over or not.
    #[must_use]
    pub fn lease_left_ms(&self, shard: ShardId, term: u64, now_ms: u64) -> u64 {
        let Some(newest) = self.shards.get(usize::from(shard.0)) else { return 0 };
        let reign = newest.reign.map(|reign| (reign.term, reign.until_ms));
        let of_term = [reign, newest.last].into_iter().flatten().find(|(of, _)| *of == term);
        of_term.map_or(0, |(_, until_ms)| until_ms.saturating_sub(now_ms))
    }

    /// Over each shard, in order.
    pub fn owners(&self, now_ms: u64) -> impl Iterator<Item = Option<Reign>> {
        self.shards.iter().map(move |newest| newest.reign.filter(|reign| now_ms < reign.until_ms))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: ShardId = ShardId(0);

    fn claim(node: u64, term: u64, heard_ms: u64, age_ms: u64) -> Claim {
        Claim { node: NodeId(node), term, link: 1, proven: ProvenAt::new(heard_ms, age_ms) }
    }

    #[test]
    fn a_lease_goes_on_when_its_owner_hands_over_and_ends_when_it_would_have() {
        let mut reigns = Reigns::new(1, 10_000);
        reigns.claim(S, claim(1, 3, 50_000, 200));
        reigns.disown(S, NodeId(1));
        assert!(!reigns.is_valid(S, 3, 50_001));
        assert_eq!((reigns.lease_left_ms(S, 3, 59_699), reigns.lease_left_ms(S, 3, 59_700)), (1, 0));
        reigns.claim(S, claim(2, 4, 55_000, 0));
        assert_eq!((reigns.lease_left_ms(S, 3, 59_600), reigns.lease_left_ms(S, 4, 60_900)), (100, 4_000));
        assert_eq!(reigns.lease_left_ms(S, 2, 55_000), 0);
        reigns.saw_term(S, 5);
        assert_eq!(
            (reigns.lease_left_ms(S, 4, 60_900), reigns.lease_left_ms(S, 3, 55_000), reigns.lease_left_ms(S, 5, 55_000)),
            (4_000, 0, 0)
        );
    }

    #[test]
    fn a_lease_ends_a_little_before_it_would_in_truth() {
        let mut reigns = Reigns::new(1, 10_000);
        reigns.claim(S, claim(1, 3, 50_000, 200));
        assert!(reigns.is_valid(S, 3, 59_699));
        assert!(!reigns.is_valid(S, 3, 59_700));
        assert!(!reigns.is_valid(S, 2, 50_000) && !reigns.is_valid(S, 4, 50_000));
    }

    #[test]
    fn a_newer_term_ends_an_older_one_at_once_and_for_ever() {
        let mut reigns = Reigns::new(1, 10_000);
        reigns.claim(S, claim(1, 3, 50_000, 0));
        // It is newer although its own lease has run out already.
        reigns.claim(S, claim(2, 4, 10_000, 0));
        assert_eq!(reigns.owner(S, 50_001), None);
        reigns.claim(S, claim(1, 3, 60_000, 0));
        assert_eq!(reigns.owner(S, 60_001), None);
        reigns.claim(S, claim(2, 4, 60_000, 0));
        assert_eq!(reigns.owner(S, 60_001).map(|reign| reign.node), Some(NodeId(2)));
        reigns.saw_term(S, 5);
        assert!(!reigns.is_valid(S, 4, 60_001));
    }

    #[test]
    fn an_owner_that_says_so_owns_no_more_and_nobody_else_can_say_it() {
        let mut reigns = Reigns::new(1, 10_000);
        reigns.claim(S, claim(1, 3, 50_000, 0));
        reigns.disown(S, NodeId(2));
        assert!(reigns.is_valid(S, 3, 50_001));
        reigns.disown(S, NodeId(1));
        assert!(!reigns.is_valid(S, 3, 50_001));
    }

    #[test]
    fn two_owners_of_one_term_are_not_believed() {
        let mut reigns = Reigns::new(1, 10_000);
        reigns.claim(S, claim(1, 3, 50_000, 0));
        reigns.claim(S, claim(2, 3, 50_000, 0));
        assert_eq!(reigns.owner(S, 50_001).map(|reign| reign.node), Some(NodeId(1)));
    }

    #[test]
    fn a_later_word_never_shortens_what_was_true_and_an_unknown_shard_is_nobodys() {
        let mut reigns = Reigns::new(1, 10_000);
        reigns.claim(S, claim(1, 3, 50_000, 0));
        reigns.claim(S, claim(1, 3, 50_100, 5_000));
        assert!(reigns.is_valid(S, 3, 59_899));
        reigns.claim(ShardId(9), claim(1, 3, 50_000, 0));
        assert_eq!(reigns.owner(ShardId(9), 50_001), None);
        // At the very start of a process, times lie before its clock's zero.
        let mut reigns = Reigns::new(1, 10_000);
        reigns.claim(S, claim(1, 3, 100, 20_000));
        assert_eq!(reigns.owner(S, 100), None);
    }

    proptest! {
        /// Two nodes whose clocks have nothing in common: an owner hears of time `heard`, later asks how old its last majority is, and says so.
        #[test]
        fn a_lease_is_never_believed_longer_than_since_the_majority_answered(
            heard in 0_u64..100_000, wait in 0_u64..5_000, age in 0_u64..12_000, late in 0_u64..5_000, lease in 1_000_u64..20_000,
        ) {
            let said_at = heard + wait;
            let mut reigns = Reigns::new(1, lease);
            reigns.claim(S, claim(1, 1, heard, age));
            let now = said_at + late;
            let true_end = (said_at + lease).saturating_sub(age);
            prop_assert!(!reigns.is_valid(S, 1, now) || now < true_end);
        }
    }
}

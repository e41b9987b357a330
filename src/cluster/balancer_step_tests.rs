//! The balancer's steps, driven against a model of a group: it ends where it should, whatever it starts from, and never leaves a group without a live majority.

use proptest::prelude::*;

use super::*;

const N: fn(u64) -> NodeId = NodeId;

fn ids(ids: &[u64]) -> Vec<NodeId> {
    ids.iter().copied().map(NodeId).collect()
}

/// A group as openraft would run it.
struct Model {
    leader: NodeId,
    members: GroupMembers,
}

impl Model {
    fn of(voters: &[u64], leader: u64) -> Model {
        let lags = voters.iter().map(|node| (N(*node), 0)).collect();
        Model { leader: N(leader), members: GroupMembers { term: 1, voters: ids(voters), lags, ..GroupMembers::default() } }
    }

    fn carry_out(&mut self, step: Step) {
        let GroupMembers { voters, learners, lags, .. } = &mut self.members;
        match step {
            Step::AddLearner { node, .. } => {
                learners.push(node);
                lags.insert(node, 1_000_000);
            }
            Step::SetVoters { voters: wanted } => {
                assert!(wanted.iter().all(|node| voters.contains(node) || lags[node] <= CAUGHT_UP_LAG), "a voter lags");
                *voters = wanted;
                learners.retain(|node| !voters.contains(node));
                assert!(voters.contains(&self.leader), "the leader was voted out");
            }
            Step::RemoveLearner { node } => learners.retain(|learner| *learner != node),
            Step::Transfer { to } => {
                assert!(voters.contains(&to));
                self.leader = to;
                // A new leader hears from each follower anew.
                for node in voters.iter().chain(learners.iter()) {
                    lags.insert(*node, 0);
                }
            }
        }
    }

    /// Does all there is to do; learners catch up when there is nothing else.
    fn settle(&mut self, wanted: &Wanted, live: &Live) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..50 {
            match next_step(wanted, self.leader, &self.members, live) {
                Next::Done => return steps,
                Next::Wait => self.members.lags.values_mut().for_each(|lag| *lag = 0),
                Next::Do(step) => {
                    steps.push(step.clone());
                    self.carry_out(step);
                }
            }
        }
        panic!("it never ends: {steps:?}");
    }
}

fn wanted(voters: &[u64], leader: u64) -> Wanted {
    Wanted { voters: ids(voters), learners: BTreeSet::new(), leader: Some(N(leader)) }
}

fn live(reachable: &[u64]) -> Live {
    let reachable: BTreeSet<_> = ids(reachable).into_iter().collect();
    Live { may_lead: reachable.clone(), reachable, names: BTreeMap::new() }
}

#[test]
fn a_group_of_one_grows_to_three_by_one_change_of_voters() {
    let mut group = Model::of(&[1], 1);
    let steps = group.settle(&wanted(&[1, 2, 3], 2), &live(&[1, 2, 3]));
    let voters = steps.iter().filter(|step| matches!(step, Step::SetVoters { .. })).count();
    assert_eq!((voters, group.leader), (1, N(2)));
    assert_eq!(next_step(&wanted(&[1, 2, 3], 2), group.leader, &group.members, &live(&[1, 2, 3])), Next::Done);
}

#[test]
fn a_replacement_comes_before_what_it_replaces_goes() {
    let mut group = Model::of(&[1, 2, 3], 1);
    let steps = group.settle(&wanted(&[1, 2, 4], 1), &live(&[1, 2, 3, 4]));
    let expected = [Step::AddLearner { node: N(4), name: String::new() }, Step::SetVoters { voters: ids(&[1, 2, 4]) }];
    assert_eq!(steps, expected);
}

#[test]
fn a_voter_that_is_to_go_stays_while_its_replacement_does_not_answer() {
    let mut group = Model::of(&[1, 2, 3], 1);
    assert_eq!(group.settle(&wanted(&[1, 2, 4], 1), &live(&[1, 2, 3])), []);
    // A dead one is of no use, so it goes.
    assert_eq!(group.settle(&wanted(&[1, 2, 4], 1), &live(&[1, 2])), [Step::SetVoters { voters: ids(&[1, 2]) }]);
}

#[test]
fn a_dead_voter_that_is_still_wanted_stays() {
    let mut group = Model::of(&[1, 2, 3], 1);
    assert_eq!(group.settle(&wanted(&[1, 2, 3], 3), &live(&[1, 2])), []);
}

#[test]
fn nothing_is_changed_that_would_leave_no_live_majority() {
    let mut group = Model::of(&[1, 2, 3, 4, 5], 1);
    assert_eq!(group.settle(&wanted(&[1, 4, 5], 1), &live(&[1, 2, 3])), []);
}

#[test]
fn a_leader_that_leaves_hands_over_before_it_is_voted_out() {
    let mut group = Model::of(&[1, 2, 3], 1);
    let steps = group.settle(&wanted(&[2, 3], 3), &live(&[1, 2, 3]));
    assert_eq!(steps, [Step::Transfer { to: N(2) }, Step::SetVoters { voters: ids(&[2, 3]) }, Step::Transfer { to: N(3) }]);
    let mut alone = Model::of(&[1], 1);
    let steps = alone.settle(&wanted(&[2], 2), &live(&[1, 2]));
    let expected = [
        Step::AddLearner { node: N(2), name: String::new() },
        Step::SetVoters { voters: ids(&[2, 1]) },
        Step::Transfer { to: N(2) },
        Step::SetVoters { voters: ids(&[2]) },
    ];
    assert_eq!(steps, expected);
}

#[test]
fn a_leader_that_may_not_lead_hands_over_even_if_the_preferred_one_is_dead() {
    let mut group = Model::of(&[1, 2, 3], 1);
    let mut nodes = live(&[1, 3]);
    nodes.may_lead.remove(&N(1));
    assert_eq!(group.settle(&wanted(&[1, 2, 3], 2), &nodes), [Step::Transfer { to: N(3) }]);
}

#[test]
fn a_half_done_change_is_finished() {
    let mut group = Model::of(&[1, 2, 3], 1);
    group.members.is_joint = true;
    let next = next_step(&wanted(&[1, 2], 1), group.leader, &group.members, &live(&[1, 2, 3]));
    assert_eq!(next, Next::Do(Step::SetVoters { voters: ids(&[1, 2]) }));
    // Also while it would rather wait for a learner.
    group.members.learners.push(N(4));
    let next = next_step(&wanted(&[1, 2, 4], 1), group.leader, &group.members, &live(&[1, 2, 3, 4]));
    assert_eq!(next, Next::Do(Step::SetVoters { voters: ids(&[1, 2, 3]) }));
}

#[test]
fn a_learner_that_nobody_wants_is_removed_and_one_that_is_wanted_stays() {
    let mut group = Model::of(&[1], 1);
    group.members.learners = ids(&[2, 3]);
    group.members.lags.extend([(N(2), 0), (N(3), 0)]);
    let wanted = Wanted { voters: ids(&[1]), learners: ids(&[3]).into_iter().collect(), leader: None };
    assert_eq!(group.settle(&wanted, &live(&[1, 2, 3])), [Step::RemoveLearner { node: N(2) }]);
}

proptest! {
    #[test]
    fn from_anywhere_a_group_of_live_nodes_gets_where_it_is_wanted(
        from in prop::collection::btree_set(1_u64..7, 1..5),
        to in prop::collection::btree_set(1_u64..7, 1..5),
        leader in 0_usize..5,
        preferred in 0_usize..5,
    ) {
        let (from, to): (Vec<_>, Vec<_>) = (from.into_iter().collect(), to.into_iter().collect());
        let mut group = Model::of(&from, from[leader % from.len()]);
        let goal = wanted(&to, to[preferred % to.len()]);
        group.settle(&goal, &live(&[1, 2, 3, 4, 5, 6]));
        prop_assert!(same(&group.members.voters, &goal.voters));
        prop_assert!(group.members.learners.is_empty());
        prop_assert_eq!(Some(group.leader), goal.leader);
    }
}

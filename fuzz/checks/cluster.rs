//! What nodes say to each other behind the frames, and what the meta group keeps. Whatever comes, it is read or refused, never a panic; what is read is read again as it was
//! written.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::balancer_ops::{GroupMembers, OpError, Question};
use super::format::{self, Unreadable};
use super::forward_wire::{Call, Found, encode_answer};
use super::membership_wire::{Decision, JoinAnswer, JoinRequest, Request};
use super::meta::State;
use super::meta_command::{Command, Reply};
use super::meta_group::Meta;
use super::pulse::Pulse;
use crate::ports::calls::CallError;

/// Longest answer to a call, with its head.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Bodies of messages: the first byte says of which kind, the rest is the body.
pub fn node_message(data: &[u8]) {
    let Some((kind, body)) = data.split_first() else { return };
    match kind {
        0 => again::<Call>(body),
        1 => {
            if let Ok(answer) = format::decode::<Result<Found, CallError>>(body) {
                assert!(encode_answer(answer).len() <= ANSWER_MAX_BYTES);
            }
            again::<Result<Found, CallError>>(body);
        }
        2 => again::<Pulse>(body),
        3 => again::<Question>(body),
        4 => again::<Result<GroupMembers, OpError>>(body),
        5 => again::<Request>(body),
        6 => again::<Decision>(body),
        7 => {
            if let Ok(request) = format::decode::<JoinRequest>(body) {
                request.is_sound();
            }
            again::<JoinRequest>(body);
        }
        8 => again::<JoinAnswer>(body),
        9 => again::<Command>(body),
        10 => again::<Reply>(body),
        11 => again::<State>(body),
        _ => commands(body),
    }
}

fn again<T: Serialize + DeserializeOwned>(body: &[u8]) {
    if let Ok(message) = format::decode::<T>(body) {
        let bytes = format::encode(&message);
        let second: T = format::decode(&bytes).expect("what was written is read");
        assert_eq!(format::encode(&second), bytes);
    }
}

/// Entries of the meta group's log, one behind the other, each with its length before it: applied on every node, so none may panic, and all nodes come to the same.
fn commands(mut bytes: &[u8]) {
    let (one, other) = (Meta::default(), Meta::default());
    while let Some((length, rest)) = bytes.split_first() {
        let (command, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        bytes = rest;
        // A command of a newer version ends the process, on purpose.
        if !matches!(format::decode::<Command>(command), Err(Unreadable::Version { .. })) {
            assert_eq!(one.apply(command), other.apply(command));
        }
    }
    assert_eq!(one.save(), other.save());
    other.restore(&one.save()).expect("what was saved is read");
    assert_eq!(one.state(), other.state());
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::super::balancer_ops::{Group, Step};
    use super::super::fakes_for_tests::{introduction, meta_of, settings};
    use super::super::forward_wire::Question as Asked;
    use super::super::membership_wire::Welcome;
    use super::super::meta::Placed;
    use super::super::meta_command::{Reach, Refusal};
    use super::super::pulse::{About, Echo, Owned};
    use super::*;
    use crate::fuzz_corpus::walk;
    use crate::ledger::ids::{EdgeId, EngagementId, ShardId, UserId};
    use crate::ports::peers::NodeId;

    fn body(kind: u8, message: &impl Serialize) -> Vec<u8> {
        [&[kind][..], &format::encode(message)].concat()
    }

    fn log(commands: &[Command]) -> Vec<u8> {
        let entry = |command: &Command| {
            let bytes = format::encode(command);
            [&[u8::try_from(bytes.len()).unwrap()][..], &bytes].concat()
        };
        [vec![12], commands.iter().flat_map(entry).collect()].concat()
    }

    fn calls() -> Vec<(&'static str, Vec<u8>)> {
        let (user, id) = (UserId::parse("u1").unwrap(), EngagementId::parse("nps").unwrap());
        let call = |question: Asked| body(0, &Call::new(question, Duration::from_secs(5)));
        let found = |found: Found| body(1, &Ok::<_, CallError>(found));
        vec![
            ("call_advance", call(Asked::Command(crate::ledger::Command::Withdraw { user: user.clone(), id: id.clone() }))),
            ("call_deliveries", call(Asked::Deliveries { user: user.clone(), after: 7, limit: 100 })),
            ("call_engagement", call(Asked::Engagement { user, id })),
            ("call_outcomes", call(Asked::Outcomes { shard: ShardId(3), after: u64::MAX, limit: 10 })),
            ("found_deliveries", found(Found::Deliveries(Vec::new()))),
            ("found_outcomes", found(Found::Outcomes(Err(7)))),
            ("found_nothing", body(1, &Err::<Found, _>(CallError::Unknown))),
        ]
    }

    fn words() -> Vec<(&'static str, Vec<u8>)> {
        let members = GroupMembers {
            term: 3,
            voters: vec![NodeId(1), NodeId(2)],
            learners: vec![NodeId(3)],
            lags: BTreeMap::from([(NodeId(2), 9)]),
            ..GroupMembers::default()
        };
        let owned = Owned { term: 3, quorum_age_ms: 4, members: members.clone(), applied_index: 77, user_count: 5 };
        let about = About { run: EdgeId(8), http: "h:1".to_owned(), owned: BTreeMap::from([(ShardId(0), owned)]), ..About::default() };
        let echo = Some(Echo { run: EdgeId(9), sent_at_ms: 4 });
        let join = JoinRequest { introduction: introduction("n4", 4), settings: settings() };
        let welcome =
            Welcome { cluster_id: "c".to_owned(), node: NodeId(4), settings: settings(), members: vec![(NodeId(1), "a:1".to_owned())] };
        vec![
            ("pulse", body(2, &Pulse { sent_at_ms: 5, echo, about })),
            ("step", body(3, &Question { group: Group::Shard(ShardId(2)), step: Some(Step::SetVoters { voters: vec![NodeId(1)] }) })),
            ("members", body(4, &Ok::<_, OpError>(members))),
            ("meta_request", body(5, &Request::Drain { name: "n1".to_owned() })),
            ("meta_decision", body(6, &Decision::Ok(Reply::Added { node: NodeId(4) }))),
            ("join", body(7, &join)),
            ("welcome", body(8, &JoinAnswer::Welcome(welcome))),
            ("join_refused", body(8, &JoinAnswer::Refused(Refusal::NameTaken { name: "n1".to_owned() }))),
        ]
    }

    fn meta() -> Vec<(&'static str, Vec<u8>)> {
        let placed = Placed { voters: vec![NodeId(1), NodeId(2)], leader: Some(NodeId(1)) };
        let placement =
            Command::SetPlacement { nodes_revision: 2, placement: BTreeMap::from([(ShardId(0), placed)]), meta_voters: vec![NodeId(1)] };
        let founded = Command::Found { node: NodeId(1), introduction: introduction("n1", 1), settings: settings() };
        let added = Command::AddNode { introduction: introduction("n2", 2), settings: settings(), replaces: None };
        let removed = Command::Remove { node: NodeId(2), reach: Reach::Unreachable };
        let life = [founded, added, placement.clone(), Command::Drain { node: NodeId(2) }, removed, Command::Gone { node: NodeId(2) }];
        vec![
            ("command", body(9, &placement)),
            ("reply", body(10, &Reply::Refused(Refusal::Stale))),
            ("state", body(11, meta_of(3).state().as_ref())),
            ("life_of_a_cluster", log(&life)),
        ]
    }

    #[test]
    fn messages_between_nodes_of_the_corpus_are_read_or_refused() {
        walk("node_message", [calls(), words(), meta()].concat(), node_message);
    }
}

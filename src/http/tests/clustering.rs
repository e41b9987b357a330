//! The cluster routes: what they show, whom they drain and take out, and where a shard is copied.

use actix_web::http::Method;
use serde_json::json;

use super::fakes::node;
use super::{admin, send};
use crate::ledger::ids::ShardId;
use crate::ports::members::{MembershipError, NodeState};
use crate::protocol::api::cursor::Cursor;

const DRAIN: &str = "/v1/cluster/nodes/n2/drain";
const REMOVE: &str = "/v1/cluster/nodes/n2";

#[actix_web::test]
async fn the_cluster_is_shown_with_names_states_and_lags() {
    let node = node();
    let answer = send(&node, admin(Method::GET, "/v1/cluster")).await;
    assert_eq!(answer.status, 200);
    let cluster = answer.json();
    assert_eq!(cluster["cluster_id"], "c1");
    assert_eq!(
        cluster["nodes"][1],
        json!({
            "name": "n2", "id": 2, "http": "127.0.0.1:7410", "cluster": "127.0.0.1:7411", "state": "ready", "leaders": 1, "replicas": 3,
            "connections": 2,
        })
    );
    assert_eq!(
        cluster["shards"][2],
        json!({
            "shard": 2, "leader": "n3", "term": 4, "voters": ["n1", "n2", "n3"], "learners": [], "applied_index": 90, "users": 7, "lag": 2,
        })
    );
}

#[actix_web::test]
async fn what_all_nodes_measure_is_shown_and_who_gives_no_answer_has_no_figures() {
    let node = node();
    let answer = send(&node, admin(Method::GET, "/v1/cluster/figures")).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    let figures = answer.json();
    assert_eq!(figures["node"], "n1");
    assert_eq!(figures["bounds_seconds"].as_array().map(Vec::len), Some(17));
    let second = &figures["nodes"][1];
    assert_eq!((&second["name"], &second["id"], &second["clock_ahead_ms"]), (&json!("n2"), &json!(2), &json!(-4)));
    assert_eq!(second["figures"]["links"][0]["node"], "n1");
    assert_eq!(second["figures"]["shards"][0]["lags"], json!({"n3": 40, "node-77": 2}));
    assert_eq!(second["figures"]["bounds"]["replication"], 3);
    let cursor = Cursor::parse(figures["outcomes_cursor"].as_str().unwrap(), 3).unwrap();
    assert_eq!(cursor.positions(), [10, 20, 30], "behind the newest of every shard");

    node.members.view.lock().unwrap().nodes[2].state = NodeState::Unreachable;
    let figures = send(&node, admin(Method::GET, "/v1/cluster/figures")).await.json();
    assert_eq!(figures["nodes"][2], json!({"name": "n3", "id": 3, "clock_ahead_ms": null, "figures": null}));
    assert_eq!(figures["outcomes_cursor"], json!(null), "where the shard of n3 ends is not known");
}

#[actix_web::test]
async fn the_replicas_of_the_node_that_is_asked_are_shown_with_their_hashes() {
    let node = node();
    let answer = send(&node, admin(Method::GET, "/v1/cluster/replicas")).await;
    let expected = json!({"node": "n1", "replicas": [{"shard": 2, "applied_index": 90, "state_hash": "00000000000000ab"}]});
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected));
    assert_eq!(answer.header("cache-control"), "no-store");
    node.members.view.lock().unwrap().shards.clear();
    let problem = send(&node, admin(Method::GET, "/v1/cluster/replicas")).await.problem(503, "unavailable");
    assert!(problem["detail"].as_str().unwrap().starts_with("shard 3 is busy"), "{problem}");
}

#[actix_web::test]
async fn what_is_not_known_is_null_and_a_node_that_is_gone_has_a_number() {
    let node = node();
    {
        let mut view = node.members.view.lock().unwrap();
        view.nodes.pop();
        view.nodes[1].connections = None;
        (view.shards[0].leader, view.shards[0].lag) = (None, None);
    }
    let cluster = send(&node, admin(Method::GET, "/v1/cluster")).await.json();
    assert_eq!(cluster["nodes"][1]["connections"], json!(null));
    assert_eq!((&cluster["shards"][0]["leader"], &cluster["shards"][0]["lag"]), (&json!(null), &json!(null)));
    assert_eq!(cluster["shards"][0]["voters"], json!(["n1", "n2", "node-3"]));
}

#[actix_web::test]
async fn a_drain_and_a_remove_are_answered_202_each_time() {
    let node = node();
    for _ in 0..2 {
        let drained = send(&node, admin(Method::POST, DRAIN)).await;
        assert_eq!((drained.status.as_u16(), drained.json()), (202, json!({"name": "n2", "state": "draining"})));
        let removed = send(&node, admin(Method::DELETE, REMOVE)).await;
        assert_eq!((removed.status.as_u16(), removed.json()), (202, json!({"name": "n2", "state": "leaving"})));
    }
    assert_eq!(*node.members.asked.lock().unwrap(), ["drain n2", "remove n2", "drain n2", "remove n2"]);
}

#[actix_web::test]
async fn a_change_that_the_cluster_refuses_says_why_and_what_to_do() {
    let node = node();
    let cases = [
        (MembershipError::NotDrained, 409, "not_drained", "hint: drain it first"),
        (MembershipError::LastNode, 409, "last_node", "hint: have another one join first"),
        (MembershipError::WouldLoseMajority { shard: ShardId(5) }, 409, "loses_majority", "shard 5"),
        (MembershipError::Unavailable, 503, "unavailable", "hint: try again"),
    ];
    for (refusal, status, code, said) in cases {
        *node.members.refuses.lock().unwrap() = Some(refusal);
        for (method, path) in [(Method::POST, DRAIN), (Method::DELETE, REMOVE)] {
            let answer = send(&node, admin(method, path)).await;
            let problem = answer.problem(status, code);
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.starts_with("node n2: ") && detail.contains(said), "{detail}");
            assert_eq!(answer.headers.contains_key("retry-after"), status == 503);
        }
    }
    send(&node, admin(Method::POST, "/v1/cluster/nodes/n%209/drain")).await.problem(404, "not_found");
    send(&node, admin(Method::DELETE, "/v1/cluster/nodes/%ff")).await.problem(400, "bad_request");
}

#[actix_web::test]
async fn a_shard_is_copied_by_its_owner_and_the_others_say_who_that_is() {
    let node = node();
    let copied = send(&node, admin(Method::GET, "/v1/cluster/backup?shard=0")).await;
    assert_eq!((copied.status.as_u16(), copied.header("content-type")), (200, "application/octet-stream"));
    assert_eq!(copied.body, "all of shard 0");
    let elsewhere = send(&node, admin(Method::GET, "/v1/cluster/backup?shard=2")).await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.header("location")), (307, "http://127.0.0.1:7420/v1/cluster/backup?shard=2"));
    node.members.view.lock().unwrap().shards[2].leader = None;
    send(&node, admin(Method::GET, "/v1/cluster/backup?shard=2")).await.problem(503, "unavailable");
}

#[actix_web::test]
async fn a_copy_names_a_shard_that_there_is() {
    let node = node();
    for query in ["", "?shard=3", "?shard=-1", "?shard=x"] {
        let problem = send(&node, admin(Method::GET, &format!("/v1/cluster/backup{query}"))).await.problem(400, "bad_request");
        assert_eq!(problem["field"], "shard");
    }
    send(&node, admin(Method::GET, "/v1/cluster/backup?shards=all")).await.problem(400, "unknown_field");
}

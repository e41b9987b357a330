//! Publishing, to one and to many, and withdrawing.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::fakes::{FakeNode, node, node_with};
use super::{Answer, admin, send};
use crate::http::limits::Bounds;
use crate::http::state::CallError;
use crate::ledger::Command;
use crate::ledger::engagement::Targets;
use crate::ledger::ids::{UserId, WindowId};
use crate::ledger::outcome::Reason;
use crate::ledger::reply::{Bound, Ended, PublishReply, Reply, State};
use crate::ledger::time::LedgerTime;

fn window() -> WindowId {
    "w1a".parse().unwrap()
}

fn queued() -> Reply {
    Reply::Publish(PublishReply::Queued { window: window(), state: State::Queued, closes_at: LedgerTime(99) })
}

async fn publish(node: &FakeNode, body: Value) -> Answer {
    send(node, admin(Method::POST, "/v1/users/u1/engagements").set_json(body)).await
}

fn survey() -> Value {
    json!({"id": "nps", "payload": {"q": 1}})
}

#[actix_web::test]
async fn a_publish_that_is_committed_is_answered_201() {
    let node = node();
    node.users.will_answer(Ok(queued()));
    let answer = publish(&node, survey()).await;
    assert_eq!(answer.status, 201);
    let expected = json!({"status": "queued", "user": "u1", "id": "nps", "window": "w1a", "state": "queued", "closes_at": 99});
    assert_eq!(answer.json(), expected);
    let asked = node.users.asked.lock().unwrap();
    let [Command::Publish { user, engagement }] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((user.as_str(), engagement.id.as_str(), &engagement.payload.0[..]), ("u1", "nps", &br#"{"q":1}"#[..]));
}

#[actix_web::test]
async fn a_second_publish_of_a_key_is_answered_200_with_the_first_ones_state() {
    let node = node();
    node.users.will_answer(Ok(Reply::Publish(PublishReply::Duplicate {
        window: window(),
        state: State::InProgress,
        step: 2,
        closes_at: LedgerTime(99),
    })));
    let answer = publish(&node, survey()).await;
    assert_eq!(answer.status, 200);
    let expected =
        json!({"status": "duplicate", "user": "u1", "id": "nps", "window": "w1a", "state": "in_progress", "step": 2, "closes_at": 99});
    assert_eq!(answer.json(), expected);
}

#[actix_web::test]
async fn a_publish_of_a_key_with_other_content_is_answered_409() {
    let node = node();
    node.users.will_answer(Ok(Reply::Publish(PublishReply::Different { window: window(), state: State::Shown })));
    let problem = publish(&node, survey()).await.problem(409, "different_engagement");
    assert_eq!((&problem["window"], &problem["state"]), (&json!("w1a"), &json!("shown")));
}

#[actix_web::test]
async fn a_publish_that_passes_a_bound_is_answered_507_with_the_name_of_the_bound() {
    let bounds = [
        (Bound::BufferDeliveries, "buffer.max_deliveries"),
        (Bound::BufferBytes, "buffer.max_bytes"),
        (Bound::Records, "limits.records_per_user"),
        (Bound::Ledger, "limits.ledger_bytes_per_shard"),
    ];
    for (bound, key) in bounds {
        let node = node();
        node.users.will_answer(Ok(Reply::Publish(PublishReply::Full(bound))));
        let problem = publish(&node, survey()).await.problem(507, "buffer_full");
        assert!(problem["detail"].as_str().unwrap().contains(key), "{problem}");
    }
}

#[actix_web::test]
async fn a_publish_whose_result_is_not_known_is_sent_again_until_it_is() {
    let node = node();
    node.users.will_answer(Err(CallError::Unknown));
    node.users.will_answer(Err(CallError::Unavailable));
    node.users.will_answer(Err(CallError::Overloaded));
    node.users.will_answer(Ok(queued()));
    assert_eq!(publish(&node, survey()).await.status, 201);
    let asked = node.users.asked.lock().unwrap();
    assert_eq!(asked.len(), 4);
    assert!(asked.iter().all(|command| command == &asked[0]));
}

#[actix_web::test]
async fn a_publish_that_can_not_be_committed_in_time_is_answered_503() {
    let node = node();
    let answer = publish(&node, survey()).await;
    answer.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(node.users.asked.lock().unwrap().len() > 1, "it was tried again");
}

#[actix_web::test]
async fn fire_and_forget_is_answered_202_with_the_number_of_devices_and_is_sent_once() {
    let node = node();
    node.users.will_answer(Ok(Reply::Done));
    let flash = json!({"id": "flash", "payload": [1], "mode": "fire_and_forget", "targets": "all"});
    let answer = publish(&node, flash.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (202, json!({"status": "sent", "devices": 2})));
    let notices = node.users.notices.lock().unwrap().clone();
    assert_eq!(notices.len(), 1);
    assert_eq!((notices[0].0.as_str(), notices[0].1.as_str(), notices[0].3), ("u1", "flash", Targets::All));

    node.users.will_answer(Err(CallError::Unknown));
    node.users.will_answer(Ok(Reply::Done));
    publish(&node, flash).await.problem(503, "unavailable");
    assert_eq!(node.users.notices.lock().unwrap().len(), 1, "a notice in doubt is not sent again");
}

#[actix_web::test]
async fn a_publish_that_is_not_valid_is_answered_400_with_the_name_of_the_field() {
    let node = node();
    let problem = publish(&node, json!({"id": "nps", "payload": 1, "steps": 0})).await.problem(400, "bad_request");
    assert_eq!(problem["field"], "steps");
    let problem = publish(&node, json!({"id": "nps", "payload": 1, "stepz": 1})).await.problem(400, "unknown_field");
    assert_eq!(problem["field"], "stepz");
    let problem = publish(&node, json!({"id": "nps"})).await.problem(400, "bad_request");
    assert_eq!(problem["field"], "payload");
    assert!(node.users.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn the_ids_of_a_path_may_be_any_text() {
    for (path, id) in
        [("a%2Fb", "a/b"), ("%C3%BC%20%E2%82%AC", "ü €"), ("a%252Fb", "a%2Fb"), ("a+b", "a+b"), ("a%2Bb", "a+b"), ("..", "..")]
    {
        let node = node();
        node.users.will_answer(Ok(queued()));
        let answer = send(&node, admin(Method::POST, &format!("/v1/users/{path}/engagements")).set_json(survey())).await;
        assert_eq!((answer.status.as_u16(), answer.json()["user"].as_str()), (201, Some(id)));
        let asked = node.users.asked.lock().unwrap();
        assert_eq!(asked[0].user(), Some(&UserId::parse(id).unwrap()));
    }
}

#[actix_web::test]
async fn what_is_no_id_in_a_path_is_answered_400() {
    let node = node();
    let long = "u".repeat(129);
    for path in ["%FF", "%C3", "a%00b", "%0A", &long] {
        let answer = send(&node, admin(Method::POST, &format!("/v1/users/{path}/engagements")).set_json(survey())).await;
        assert_eq!(answer.problem(400, "bad_request")["field"], "user", "{path}");
        let answer = send(&node, admin(Method::DELETE, &format!("/v1/users/u1/engagements/{path}"))).await;
        assert_eq!(answer.problem(400, "bad_request")["field"], "id", "{path}");
    }
}

#[actix_web::test]
async fn many_are_answered_in_their_order_and_each_alone() {
    let node = node();
    node.users.will_answer_each(|user| match user.as_str() {
        "full" => Ok(Reply::Publish(PublishReply::Full(Bound::BufferBytes))),
        "down" => Err(CallError::Unavailable),
        _ => Ok(queued()),
    });
    let items = json!({"items": [
        {"user": "u1", "id": "a", "payload": 1},
        {"user": "full", "id": "a", "payload": 1},
        {"user": "u2", "id": "a", "payload": 1, "steps": 0},
        {"user": "down", "id": "a", "payload": 1},
        {"user": "u3", "id": "f", "payload": 1, "mode": "fire_and_forget"},
        {"id": "a", "payload": 1},
    ]});
    let answer = send(&node, admin(Method::POST, "/v1/engagements").set_json(items)).await;
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    let results = answer["results"].as_array().unwrap();
    let short: Vec<_> =
        results.iter().map(|result| (result["user"].as_str(), result["status"].as_str().unwrap(), result["code"].as_str())).collect();
    let expected = [
        (Some("u1"), "queued", None),
        (Some("full"), "error", Some("buffer_full")),
        (Some("u2"), "error", Some("bad_request")),
        (Some("down"), "error", Some("unavailable")),
        (Some("u3"), "sent", None),
        (None, "error", Some("bad_request")),
    ];
    assert_eq!(short, expected);
    assert_eq!(results[0], json!({"user": "u1", "id": "a", "status": "queued", "window": "w1a", "state": "queued", "closes_at": 99}));
    assert_eq!(results[2]["field"], "items[2].steps");
    assert_eq!(results[4], json!({"user": "u3", "id": "f", "status": "sent", "devices": 2}));
}

#[actix_web::test]
async fn one_engagement_reaches_ten_thousand_users() {
    let node = node();
    node.users.will_answer_each(|_| Ok(queued()));
    let users: Vec<String> = (0..10_000).map(|number| format!("u{number}")).collect();
    let answer = send(&node, admin(Method::POST, "/v1/engagements").set_json(json!({"users": users, "engagement": survey()}))).await.json();
    let results = answer["results"].as_array().unwrap();
    assert!(results.iter().zip(&users).all(|(result, user)| result["user"] == **user && result["status"] == "queued"));
    assert_eq!(results.len(), 10_000);
    let users: Vec<String> = (0..=10_000).map(|number| format!("u{number}")).collect();
    let answer = send(&node, admin(Method::POST, "/v1/engagements").set_json(json!({"users": users, "engagement": survey()}))).await;
    answer.problem(413, "too_large");
}

#[actix_web::test]
async fn a_key_that_publishes_too_fast_is_answered_429_and_items_of_many_count_one_by_one() {
    let node = node_with(Bounds { publishes_per_second: 2, ..Bounds::default() });
    node.users.will_answer_each(|_| Ok(queued()));
    let body = json!({"users": ["u1", "u2", "u3"], "engagement": survey()});
    let answer = send(&node, admin(Method::POST, "/v1/engagements").set_json(body)).await.json();
    let codes: Vec<_> = answer["results"].as_array().unwrap().iter().map(|result| result["code"].as_str()).collect();
    assert_eq!(codes, [None, None, Some("rate_limited")]);
    let answer = publish(&node, survey()).await;
    answer.problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), "1");
}

#[actix_web::test]
async fn a_withdraw_says_in_which_state_the_delivery_ended() {
    let node = node();
    node.users.will_answer(Ok(Reply::Withdraw(Some(Ended { state: State::Withdrawn, reason: Some(Reason::Publisher), step: 1 }))));
    let answer = send(&node, admin(Method::DELETE, "/v1/users/u1/engagements/nps%2F1")).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"state": "withdrawn", "reason": "publisher", "step": 1})));

    node.users.will_answer(Ok(Reply::Withdraw(Some(Ended { state: State::Completed, reason: None, step: 3 }))));
    let answer = send(&node, admin(Method::DELETE, "/v1/users/u1/engagements/nps")).await;
    assert_eq!(answer.json(), json!({"state": "completed", "reason": null, "step": 3}));

    node.users.will_answer(Ok(Reply::Withdraw(None)));
    send(&node, admin(Method::DELETE, "/v1/users/u1/engagements/nps")).await.problem(404, "not_found");
    let asked = node.users.asked.lock().unwrap();
    assert!(matches!(&asked[0], Command::Withdraw { user, id } if user.as_str() == "u1" && id.as_str() == "nps/1"));
}

#[actix_web::test]
async fn a_forgotten_user_is_answered_204() {
    let node = node();
    node.users.will_answer(Ok(Reply::Done));
    let answer = send(&node, admin(Method::DELETE, "/v1/users/u1")).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0));
    assert!(matches!(&node.users.asked.lock().unwrap()[0], Command::Forget { user } if user.as_str() == "u1"));
}

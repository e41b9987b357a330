//! Publishing to many: in order, and each item succeeds or fails alone.

use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;

const PATH: &str = "/v1/engagements";

fn results(answer: &Value) -> Vec<Value> {
    answer["results"].as_array().expect("results").clone()
}

/// The code of an item that failed: it stands for its status, or beside it.
fn failed_with(result: &Value, code: &str) -> bool {
    result["code"] == code || result["status"] == code
}

#[tokio::test]
async fn one_engagement_goes_to_many_users_in_order() {
    let api = Api::publisher(common());
    let users: Vec<String> = (0..20).map(|_| fresh("user")).collect();
    let body = json!({"users": users, "engagement": {"id": "news", "payload": {"v": 1}, "priority": 5}});
    let queued = results(&api.post(PATH, &body).await.ok(200));
    assert_eq!(queued.len(), users.len());
    for (user, result) in users.iter().zip(&queued) {
        assert_eq!((&result["user"], &result["id"], &result["status"]), (&json!(user), &json!("news"), &json!("queued")));
        assert!(result["window"].is_string() && result["closes_at"].is_u64() && result["state"] == "queued", "{result}");
    }
    let again = results(&api.post(PATH, &body).await.ok(200));
    assert!(again.iter().all(|result| result["status"] == "duplicate"), "{again:?}");
    let mut device = Device::connect(common(), &users[7], "d1").await;
    assert_eq!(device.expect("offer").await["priority"], 5);
}

#[tokio::test]
async fn each_item_succeeds_or_fails_alone() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.queue_plain(&user, "known").await;
    let items = json!([
        {"user": user, "id": "a", "payload": 1},
        {"user": user, "id": "b", "payload": 1, "steps": 0},
        {"user": user, "id": "known", "payload": {"name": "known"}},
        {"user": user, "id": "known", "payload": "something else"},
        {"user": "", "id": "c", "payload": 1},
        {"user": user, "id": "d", "payload": 1, "stepz": 1},
        {"user": user, "id": "e", "payload": "x".repeat(16 * 1024)},
        {"user": user, "id": "f"},
        {"user": user, "id": "flash", "payload": 1, "mode": "fire_and_forget"},
        {"user": user, "id": "a", "payload": 1},
        {"user": user, "id": "z", "payload": 1},
    ]);
    let results = results(&api.post(PATH, &json!({"items": items})).await.ok(200));
    assert_eq!(results.len(), 11, "{results:?}");
    let status = |index: usize| results[index]["status"].as_str().unwrap_or_default();
    assert_eq!(
        (status(0), status(2), status(8), status(9), status(10)),
        ("queued", "duplicate", "sent", "duplicate", "queued"),
        "{results:?}"
    );
    for (index, code) in
        [(1, "bad_request"), (3, "different_engagement"), (4, "bad_request"), (5, "unknown_field"), (6, "too_large"), (7, "bad_request")]
    {
        assert!(failed_with(&results[index], code), "item {index} fails with {code}: {}", results[index]);
    }
    assert_eq!((&results[8]["devices"], &results[1]["id"], &results[1]["user"]), (&json!(0), &json!("b"), &json!(user)));
    let mut device = Device::connect(common(), &user, "d1").await;
    let offers = device.offers_until_caught_up().await;
    let ids: Vec<&str> = offers.iter().filter_map(|offer| offer["id"].as_str()).collect();
    assert_eq!(ids, ["known", "a", "z"], "in the order of publish, and nothing of what failed");
}

#[tokio::test]
async fn a_bulk_publish_says_whom_it_is_for_in_one_way() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let engagement = json!({"id": "x", "payload": 1});
    let item = json!({"user": user, "id": "y", "payload": 1});
    for body in [
        json!({}),
        json!({"users": [user]}),
        json!({"engagement": engagement}),
        json!({"users": [user], "engagement": engagement, "items": [item]}),
        json!({"users": user, "engagement": engagement}),
        json!({"items": item}),
        json!([item]),
    ] {
        let answer = api.post(PATH, &body).await;
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        answer.problem(400, "bad_request");
    }
    api.post(PATH, &json!({"items": [item], "dry_run": true})).await.problem(400, "unknown_field");
    Api::admin(common()).get(&format!("/v1/users/{user}")).await.problem(404, "not_found");
}

#[tokio::test]
async fn ten_thousand_items_are_taken_and_one_more_is_refused() {
    let api = Api::publisher(common());
    let stem = fresh("crowd");
    let users: Vec<String> = (0..10_001).map(|number| format!("{stem}-{number}")).collect();
    let engagement = json!({"id": "news", "payload": 1, "window": "1m"});
    let refused = api.post(PATH, &json!({"users": users, "engagement": engagement})).await;
    assert!(matches!(refused.status, 400 | 413), "10,001 users: {refused:?}");
    let queued = results(&api.post(PATH, &json!({"users": users[..10_000], "engagement": engagement})).await.ok(200));
    assert_eq!(queued.len(), 10_000);
    let taken = queued.iter().zip(&users).filter(|(result, user)| result["status"] == "queued" && result["user"] == **user).count();
    assert_eq!(taken, 10_000, "all of them, and in order");
}

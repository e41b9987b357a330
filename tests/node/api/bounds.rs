//! G7: the replay buffer is bounded in number and in bytes, by either policy, and the one who loses is told. Here: three deliveries or 32 KiB.

use serde_json::json;

use crate::nodes::{small, small_dropping, strict};
use crate::support::api::{Api, engagement};
use crate::support::device::Device;
use crate::support::{fresh, wait};

#[tokio::test]
async fn a_full_buffer_refuses_the_next_publish_until_something_settles() {
    let (api, user) = (Api::admin(small()), fresh("user"));
    for id in ["a", "b", "c"] {
        api.queue_plain(&user, id).await;
    }
    let refused = json!({"id": "d", "payload": {"name": "d"}});
    api.publish(&user, &refused).await.problem(507, "buffer_full");
    assert_eq!(api.publish(&user, &json!({"id": "a", "payload": {"name": "a"}})).await.status, 200, "a duplicate needs no room");
    api.get(&engagement(&user, "d")).await.problem(404, "not_found");
    let mut device = Device::connect(small(), &user, "d1").await;
    let offers = device.offers_until_caught_up().await;
    assert_eq!(offers.len(), 3);
    device.ack(&offers[1], 0).await;
    api.publish(&user, &refused).await.ok(201);
    assert_eq!(device.expect("offer").await["id"], "d");
}

#[tokio::test]
async fn the_bytes_of_a_buffer_are_bounded_too() {
    let (api, user) = (Api::admin(small()), fresh("user"));
    let large = |id: &str| json!({"id": id, "payload": "x".repeat(15_000)});
    api.queue(&user, &large("a")).await;
    api.queue(&user, &large("b")).await;
    api.publish(&user, &large("c")).await.problem(507, "buffer_full");
    api.queue_plain(&user, "little").await;
    let buffered = api.get(&format!("/v1/users/{user}")).await.ok(200)["buffered"].clone();
    assert_eq!(buffered["deliveries"], 3);
    assert!(buffered["bytes"].as_u64().is_some_and(|bytes| (30_000..=32 * 1024).contains(&bytes)), "{buffered}");
    api.delete(&engagement(&user, "a")).await.ok(200);
    api.queue(&user, &large("c")).await;
}

#[tokio::test]
async fn another_users_full_buffer_is_nobody_elses() {
    let api = Api::publisher(small());
    let (full, other) = (fresh("user"), fresh("user"));
    for id in ["a", "b", "c"] {
        api.queue_plain(&full, id).await;
    }
    let results =
        api.post("/v1/engagements", &json!({"users": [full, other], "engagement": {"id": "z", "payload": 1}})).await.ok(200)["results"]
            .clone();
    assert!(results[0]["code"] == "buffer_full" || results[0]["status"] == "buffer_full", "{results}");
    assert_eq!(results[1]["status"], "queued");
}

#[tokio::test]
async fn with_drop_oldest_the_oldest_gives_way_and_is_reported() {
    let (api, user) = (Api::admin(small_dropping()), fresh("user"));
    for id in ["a", "b", "c", "d"] {
        api.queue_plain(&user, id).await;
    }
    let dropped = api.delivery(&user, "a").await;
    assert_eq!((&dropped["state"], &dropped["reason"]), (&json!("dropped"), &json!("buffer_full")));
    let outcomes = api.outcomes_of(&user).await;
    let line = outcomes.iter().find(|line| line["outcome"] == "dropped").expect("it is reported");
    assert_eq!((&line["id"], &line["reason"]), (&json!("a"), &json!("buffer_full")));
    let offers = Device::connect(small_dropping(), &user, "d1").await.offers_until_caught_up().await;
    assert_eq!(offers.iter().filter_map(|offer| offer["id"].as_str()).collect::<Vec<_>>(), ["b", "c", "d"]);
    assert_eq!(api.publish(&user, &json!({"id": "a", "payload": {"name": "a"}})).await.ok(200)["state"], "dropped");
}

#[tokio::test]
async fn too_many_publishes_in_a_second_are_told_when_to_come_back() {
    let (api, user) = (Api::publisher(strict()), fresh("user"));
    let limited = wait::until("a burst of publishes is limited", || async {
        let body = json!({"id": fresh("e"), "payload": 1, "mode": "fire_and_forget"});
        let answers = futures_util::future::join_all((0..100).map(|_| api.publish(&user, &body))).await;
        answers.into_iter().find(|answer| answer.status != 202)
    })
    .await;
    limited.problem(429, "rate_limited");
    assert!(limited.header("retry-after").parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds)), "{limited:?}");
    wait::until("after a while it may publish again", || async {
        let again = api.publish(&user, &json!({"id": "x", "payload": 1})).await;
        (again.status != 429).then_some(())
    })
    .await;
}

//! Publishes that are refused, each with its documented error, and nothing of them stays.

use reqwest::Method;
use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Api, engagements};
use crate::support::fresh;

/// A publish that is good but for one field.
fn with(field: &str, value: Value) -> Value {
    let mut engagement = json!({"id": "x", "payload": {}});
    engagement[field] = value;
    engagement
}

#[tokio::test]
async fn a_field_out_of_its_bounds_is_refused_and_named() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let wrong = [
        (
            "id",
            vec![
                json!(""),
                json!("i".repeat(129)),
                json!("ä".repeat(65)),
                json!("a\u{0}b"),
                json!("a\nb"),
                json!("a\u{7f}"),
                json!(7),
                json!(null),
            ],
        ),
        ("steps", vec![json!(0), json!(101), json!(-1), json!(1.5), json!("2"), json!(1e30), json!([1])]),
        ("settle_on", vec![json!("later"), json!("Shown"), json!(1)]),
        ("scope", vec![json!("team"), json!(true)]),
        ("targets", vec![json!("none"), json!(["d1"])]),
        ("mode", vec![json!("fast"), json!(0)]),
        (
            "window",
            vec![
                json!("999ms"),
                json!("0s"),
                json!("367d"),
                json!("2"),
                json!("2 minutes"),
                json!(""),
                json!("-5s"),
                json!(120),
                json!("99999999999999999999d"),
            ],
        ),
        ("ttl", vec![json!("soon"), json!("-1s"), json!(10), json!("1.5h")]),
        ("not_before", vec![json!(-1), json!("tomorrow"), json!(1.5)]),
        ("priority", vec![json!(-101), json!(101), json!("high"), json!(0.5)]),
        ("max_offers", vec![json!(-1), json!(1.5), json!("two")]),
        ("snooze", vec![json!("x"), json!(4), json!("-4h")]),
    ];
    for (field, values) in wrong {
        for value in values {
            let answer = api.publish(&user, &with(field, value.clone())).await;
            assert_eq!(answer.status, 400, "{field} = {value}: {answer:?}");
            answer.problem(400, "bad_request");
            assert!(answer.text.contains(field), "the problem of {field} = {value} names the field: {}", answer.text);
        }
    }
    api.get(&format!("/v1/users/{user}")).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_field_at_its_bounds_is_taken() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let right = [
        ("id", vec![json!("i"), json!("i".repeat(128)), json!("ä".repeat(64)), json!(" "), json!("a/b?c#d%20\"\\")]),
        ("steps", vec![json!(1), json!(100)]),
        ("settle_on", vec![json!("shown"), json!("completed")]),
        ("scope", vec![json!("user"), json!("device")]),
        ("targets", vec![json!("active"), json!("all")]),
        ("mode", vec![json!("standard")]),
        ("window", vec![json!("1s"), json!("1000ms"), json!("366d"), json!("90m")]),
        ("ttl", vec![json!("1ms"), json!("7d")]),
        ("not_before", vec![json!(0), json!(1_900_000_000_000_u64)]),
        ("priority", vec![json!(-100), json!(100)]),
        ("max_offers", vec![json!(0), json!(1), json!(1_000)]),
        ("snooze", vec![json!("4h")]),
    ];
    for (field, values) in right {
        for value in values {
            let mut engagement = with(field, value.clone());
            if field != "id" {
                engagement["id"] = json!(fresh("e"));
            }
            let answer = api.publish(&user, &engagement).await;
            assert_eq!(answer.status, 201, "{field} = {value}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_missing_field_is_named() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    for (field, body) in [("id", json!({"payload": {}})), ("payload", json!({"id": "x"}))] {
        let problem = api.publish(&user, &body).await.problem(400, "bad_request");
        assert!(problem.to_string().contains(field), "{problem}");
    }
}

#[tokio::test]
async fn an_unknown_field_is_refused_and_named() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    for field in ["stepz", "ID", "user", "payload2", ""] {
        let problem = api.publish(&user, &with(field, json!(1))).await.problem(400, "unknown_field");
        assert!(problem.to_string().contains(field), "{problem}");
    }
    api.get(&format!("/v1/users/{user}")).await.problem(404, "not_found");
}

#[tokio::test]
async fn what_is_not_a_json_object_is_refused() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let bodies: [&[u8]; 12] = [
        b"",
        b"{",
        b"nope",
        b"[]",
        b"null",
        b"1",
        b"\"x\"",
        b"{\"id\":\"x\",\"payload\":{}",
        b"{\"id\":\"x\",\"payload\":{}} trailing",
        b"{\"id\":\"x\",\"payload\":{},}",
        b"{\"id\":\"\xff\",\"payload\":{}}",
        b"{\"id\":\"x\",\"payload\":\"\xc3\x28\"}",
    ];
    for body in bodies {
        let answer = api.post_text(&engagements(&user), body).await;
        assert_eq!(answer.status, 400, "{}: {answer:?}", String::from_utf8_lossy(body));
        answer.problem(400, "bad_request");
    }
}

#[tokio::test]
async fn a_lone_surrogate_in_an_id_is_refused() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    api.post_text(&engagements(&user), r#"{"id":"\ud800","payload":{}}"#).await.problem(400, "bad_request");
}

#[tokio::test]
async fn json_that_is_too_deep_is_refused() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    for depth in [1_000, 8_000] {
        let body = format!("{{\"id\":\"deep\",\"payload\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let answer = api.post_text(&engagements(&user), &body).await;
        assert_eq!(answer.status, 400, "{depth} levels: {answer:?}");
        answer.problem(400, "bad_request");
    }
    let body = format!("{{\"id\":\"flat\",\"payload\":{}{}}}", "[".repeat(20), "]".repeat(20));
    api.post_text(&engagements(&user), &body).await.ok(201);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let body = json!({"id": "x", "payload": "x".repeat(4 * 1024 * 1024)});
    api.publish(&user, &body).await.problem(413, "too_large");
    api.queue_plain(&user, "x").await;
}

#[tokio::test]
async fn a_body_that_does_not_say_it_is_json_is_refused() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    let body = json!({"id": "x", "payload": {}}).to_string();
    for kind in ["text/plain", "application/xml"] {
        let request = api.request(Method::POST, &engagements(&user)).header("content-type", kind).body(body.clone());
        api.send(request).await.problem(415, "unsupported_media_type");
    }
    let request = api.request(Method::POST, &engagements(&user)).header("content-type", "application/json; charset=utf-8").body(body);
    api.send(request).await.ok(201);
}

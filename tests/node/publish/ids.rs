//! Ids in a path: percent-encoded, bounded, and any UTF-8 without control characters.

use reqwest::Method;
use serde_json::json;

use crate::nodes::common;
use crate::support::api::{Api, encode, engagement, engagements};
use crate::support::device::Device;
use crate::support::fresh;

#[tokio::test]
async fn an_id_may_hold_any_characters_when_it_is_percent_encoded() {
    let api = Api::admin(common());
    for odd in ["a/b", "../..", "a b", "a+b", "a%2Fb", "?q=1#top", "日本語", "👩‍💻", "a\"'<>&", "Ünïcödé", "a:b@c;d,e", "\u{e000}"]
    {
        let user = format!("{odd}{}", fresh("-"));
        let queued = api.queue(&user, &json!({"id": odd, "payload": {}})).await;
        assert_eq!((&queued["user"], &queued["id"]), (&json!(user), &json!(odd)));
        assert_eq!(api.get(&engagement(&user, odd)).await.ok(200)["id"], odd);
        let mut device = Device::connect(common(), &user, odd).await;
        assert_eq!((&device.welcome["user"], &device.welcome["device"]), (&json!(user), &json!(odd)));
        assert_eq!(device.expect("offer").await["id"], odd);
        assert_eq!(api.delete(&engagement(&user, odd)).await.ok(200)["state"], "withdrawn");
    }
}

#[tokio::test]
async fn an_id_in_a_path_is_bounded() {
    let api = Api::admin(common());
    let longest = format!("{:x<128}", fresh("user"));
    assert_eq!(longest.len(), 128);
    api.queue_plain(&longest, "x").await;
    let longest = "ü".repeat(64);
    api.queue_plain(&longest, &fresh("x")).await;
    for user in ["u".repeat(129), "ü".repeat(65)] {
        api.publish(&user, &json!({"id": "x", "payload": {}})).await.problem(400, "bad_request");
        api.get(&format!("/v1/users/{}", encode(&user))).await.problem(400, "bad_request");
    }
    api.delete(&engagement("u", &"i".repeat(129))).await.problem(400, "bad_request");
}

#[tokio::test]
async fn a_path_that_is_no_utf8_or_holds_control_characters_is_refused() {
    let api = Api::admin(common());
    let body = json!({"id": "x", "payload": {}}).to_string();
    for user in ["%FF", "a%C3%28", "%ED%A0%80", "%00", "a%0Ab", "%7F", "%C2%85"] {
        let answer = api.post_text(&format!("/v1/users/{user}/engagements"), &body).await;
        assert_eq!(answer.status, 400, "{user}: {answer:?}");
        answer.problem(400, "bad_request");
    }
    let nobody = api.post_text("/v1/users//engagements", &body).await;
    assert!(matches!(nobody.status, 400 | 404), "an empty user: {nobody:?}");
}

#[tokio::test]
async fn an_id_is_compared_byte_by_byte() {
    let (api, user) = (Api::publisher(common()), fresh("user"));
    for id in ["é", "e\u{301}", "E", "e", "e "] {
        api.queue_plain(&user, id).await;
    }
    assert_eq!(
        api.send(api.request(Method::POST, &engagements(&user)).json(&json!({"id": "e", "payload": {"name": "e"}}))).await.status,
        200
    );
}

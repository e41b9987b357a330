//! Tokens of clients, where the node verifies with a shared secret.

use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::{Expected, answered};
use crate::issuer::{claims, forged};
use crate::nodes::common;
use crate::support::api::Api;
use crate::support::device::{Device, SUBPROTOCOL};
use crate::support::fresh;
use crate::support::hello::Hello;
use crate::support::token::{
    self, SECRET, device_token, relabelled, seconds_from_now, signed, token_ending_in, unsigned, with_swapped_claims,
};

/// A hello with each of these tokens is refused so.
async fn refused(expected: &Expected, tokens: &[String]) {
    for token in tokens {
        println!("token: {token}");
        let mut device = Device::open(common()).await;
        device.send(Hello::new("u", "d1").with("token", json!(token)).message()).await;
        expected.closes(&mut device).await;
    }
}

fn of(claims: &Value) -> String {
    signed(claims, Algorithm::HS256, SECRET)
}

async fn is_taken(token: &str) {
    let hello = Hello::new("u", &fresh("device")).with("token", json!(token));
    assert_eq!(hello.connect(common()).await.welcome["user"], "u");
}

#[tokio::test]
async fn a_forged_token_is_refused() {
    let expected = answered("4401 unauthorized");
    let good = token::token("u");
    let (head, _) = good.rsplit_once('.').expect("three parts");
    let tokens = [
        String::new(),
        "a.b.c".to_owned(),
        head.to_owned(),
        format!("{head}."),
        format!("{good}.x"),
        format!(" {good}"),
        with_swapped_claims("u", "victim"),
        signed(&claims("u"), Algorithm::HS256, "another-secret-0123456789-0123456789-0123"),
        signed(&claims("u"), Algorithm::HS256, ""),
    ];
    refused(&expected, &tokens).await;
    is_taken(&good).await;
}

#[tokio::test]
async fn a_token_of_the_algorithm_none_is_refused() {
    let expected = answered("4401 unauthorized");
    let mut tokens: Vec<String> = ["none", "None", "NONE", "nOnE", ""].iter().map(|name| relabelled("u", name)).collect();
    tokens.push(unsigned("u"));
    refused(&expected, &tokens).await;
}

#[tokio::test]
async fn a_token_that_chooses_another_algorithm_is_refused() {
    let expected = answered("4401 unauthorized");
    let mut tokens: Vec<String> = ["HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA"].iter().map(|name| relabelled("u", name)).collect();
    tokens.extend([Algorithm::HS384, Algorithm::HS512].map(|algorithm| signed(&claims("u"), algorithm, SECRET)));
    refused(&expected, &tokens).await;
}

#[tokio::test]
async fn a_token_that_calls_something_critical_is_refused() {
    let expected = answered("4401 unauthorized");
    let header = |more: Value| {
        let mut header = json!({"alg": "HS256", "typ": "JWT"});
        header.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        forged(&header, &claims("u"), SECRET.as_bytes())
    };
    refused(&expected, &[header(json!({"crit": ["exp"]})), header(json!({"crit": ["b64"], "b64": false}))]).await;
    is_taken(&header(json!({"kid": "whatever", "x5u": "https://evil.example/key"}))).await;
}

#[tokio::test]
async fn an_expired_token_is_refused_as_expired() {
    let expected = answered("4401 token_expired");
    let tokens = [-1, -3600].map(|seconds| token_ending_in("u", seconds));
    refused(&expected, &tokens).await;
    refused(&expected, &[of(&json!({"sub": "u", "exp": 0})), of(&json!({"sub": "u", "exp": 0.5}))]).await;
}

#[tokio::test]
async fn a_token_without_an_end_is_refused() {
    let expected = answered("4401 unauthorized");
    let ends = [json!({"sub": "u"}), json!({"sub": "u", "exp": null}), json!({"sub": "u", "exp": "never"}), json!({"sub": "u", "exp": -1})];
    refused(&expected, &ends.map(|claims| of(&claims))).await;
}

#[tokio::test]
async fn a_token_without_a_user_is_refused() {
    let expected = answered("4401 unauthorized");
    let hour = seconds_from_now(3600);
    let mut wrong = vec![json!({"exp": hour})];
    wrong.extend(
        [json!(""), json!(7), json!(null), json!(["u"]), json!("a\nb"), json!("u".repeat(129))].map(|sub| json!({"sub": sub, "exp": hour})),
    );
    refused(&expected, &wrong.iter().map(of).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_token_that_is_not_good_yet_is_refused() {
    let expected = answered("4401 unauthorized");
    let hour = seconds_from_now(3600);
    let with = |nbf: Value| of(&json!({"sub": "u", "exp": hour, "nbf": nbf}));
    refused(&expected, &[with(json!(seconds_from_now(1800))), with(json!("later")), with(json!(-1))]).await;
    is_taken(&with(json!(seconds_from_now(-1)))).await;
    // When it was issued says nothing on whether it is good (RFC 7519, 4.1.6).
    for issued in [json!(seconds_from_now(1800)), json!("yesterday")] {
        is_taken(&of(&json!({"sub": "u", "exp": hour, "iat": issued}))).await;
    }
}

#[tokio::test]
async fn a_token_for_one_device_is_refused_on_another() {
    let expected = answered("4403 forbidden");
    let bound = device_token("u", "mine");
    let mut device = Device::open(common()).await;
    device.send(Hello::new("u", "yours").with("token", json!(bound)).message()).await;
    expected.closes(&mut device).await;
    Hello::new("u", "mine").with("token", json!(bound)).connect(common()).await;
}

#[tokio::test]
async fn a_token_of_another_user_or_device_renews_nothing() {
    let expected = answered("4403 forbidden");
    let user = fresh("user");
    for token in [token::token(&fresh("other")), device_token(&user, "another device")] {
        let mut device = Device::connect_idle(common(), &user, "d1").await;
        device.send(&json!({"type": "token", "token": token})).await;
        expected.closes(&mut device).await;
    }
}

#[tokio::test]
async fn a_connection_ends_with_its_token() {
    let expected = answered("4401 token_expired");
    let user = fresh("user");
    let mut device = Hello::new(&user, "d1").with("token", json!(token_ending_in(&user, 1))).connect(common()).await;
    device.expect("caught_up").await;
    expected.closes_after_a_while(&mut device).await;
}

#[tokio::test]
async fn a_token_in_the_url_counts_for_nothing() {
    let expected = answered("4401 unauthorized");
    let good = token::token("u");
    for name in ["token", "access_token", "authorization", "bearer"] {
        let mut device = Device::open_at(common(), &format!("/v1/connect?{name}={good}")).await.expect("the upgrade is accepted");
        device.send(&json!({"type": "hello", "device": "d1"})).await;
        expected.closes(&mut device).await;
    }
}

#[tokio::test]
async fn a_forged_token_with_the_upgrade_is_refused() {
    let expected = answered("401 unauthorized");
    let good = format!("Bearer {}", token::token("u"));
    let bearer = |text: String| format!("Bearer {text}");
    let wrong = [bearer(unsigned("u")), bearer(with_swapped_claims("u", "victim")), token::token("u"), "Basic dTp4".to_owned()];
    for value in &wrong {
        let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL), ("Authorization", value.as_str())];
        expected.to_upgrade(Device::open_with(common(), &headers).await);
    }
    let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL), ("Authorization", good.as_str())];
    assert!(Device::open_with(common(), &headers).await.is_ok());
}

#[tokio::test]
async fn a_forged_token_opens_no_stream_and_posts_nothing() {
    let expected = answered("401 unauthorized");
    let api = Api::with_key(common(), None);
    let refused_before = Api::admin(common()).metric("engage_refused_credentials_total").await;
    for token in [json!(unsigned("u")), json!(with_swapped_claims("u", "victim")), json!("")] {
        let hello = json!({"type": "hello", "token": token, "device": "d1"});
        expected.over_http(&api.post("/v1/stream", &hello).await);
        expected.over_http(&api.post("/v1/messages", &json!({"token": token, "device": "d1", "messages": []})).await);
    }
    expected.over_http(&api.post("/v1/messages", &json!({"device": "d1", "messages": []})).await);
    let good = json!({"token": token::token("u"), "device": "d1", "messages": []});
    assert_eq!(api.post("/v1/messages", &good).await.status, 200);
    // Of two bearers nobody could say which one counts.
    let twice = api.request(Method::POST, "/v1/messages").bearer_auth(token::token("u")).bearer_auth(token::token("victim"));
    expected.over_http(&api.send(twice.json(&json!({"device": "d1", "messages": []}))).await);
    let refused_after = Api::admin(common()).metric("engage_refused_credentials_total").await;
    assert!(refused_after >= refused_before + 8.0, "each is counted: {refused_before} before, {refused_after} after");
}

#[tokio::test]
async fn a_token_for_one_device_does_not_post_for_another() {
    let expected = answered("403 forbidden");
    let api = Api::with_key(common(), None);
    let post = |device: &str| json!({"token": device_token("u", "mine"), "device": device, "messages": [{"type": "ping"}]});
    expected.over_http(&api.post("/v1/messages", &post("yours")).await);
    assert_eq!(api.post("/v1/messages", &post("mine")).await.status, 200);
    let hello = json!({"type": "hello", "token": device_token("u", "mine"), "device": "yours"});
    expected.over_http(&api.post("/v1/stream", &hello).await);
}

//! Tokens: forged, expired, renewed, bound to a device, and where they may stand.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::device::{Device, Event, SUBPROTOCOL};
use crate::support::fresh;
use crate::support::hello::Hello;
use crate::support::token::{
    self, SECRET, device_token, relabelled, seconds_from_now, signed, token_ending_in, unsigned, with_swapped_claims,
};

async fn says(token: &str) -> Device {
    let mut device = Device::open(common()).await;
    device.send(Hello::new("u", "d1").with("token", json!(token)).message()).await;
    device
}

#[tokio::test]
async fn a_token_that_was_not_signed_for_this_user_is_refused() {
    let hour = seconds_from_now(3600);
    let good = token::token("u");
    let tampered = format!("{}x", &good[..good.len() - 1]);
    let tokens = [
        String::new(),
        "nonsense".to_owned(),
        "a.b.c".to_owned(),
        good[..good.rfind('.').expect("a dot") + 1].to_owned(),
        good[..good.rfind('.').expect("a dot")].to_owned(),
        if tampered == good { format!("{}y", &good[..good.len() - 1]) } else { tampered },
        unsigned("u"),
        relabelled("u", "none"),
        relabelled("u", "None"),
        relabelled("u", "RS256"),
        relabelled("u", "ES256"),
        relabelled("u", "EdDSA"),
        relabelled("u", "HS512"),
        with_swapped_claims("u", "victim"),
        signed(&json!({"sub": "u", "exp": hour}), Algorithm::HS512, SECRET),
        signed(&json!({"sub": "u", "exp": hour}), Algorithm::HS384, SECRET),
        signed(&json!({"sub": "u", "exp": hour}), Algorithm::HS256, "another-secret-0123456789-0123456789-0123"),
        signed(&json!({"sub": "u", "exp": hour}), Algorithm::HS256, ""),
        signed(&json!({"sub": "u"}), Algorithm::HS256, SECRET),
        signed(&json!({"exp": hour}), Algorithm::HS256, SECRET),
        signed(&json!({"sub": "", "exp": hour}), Algorithm::HS256, SECRET),
        signed(&json!({"sub": "u".repeat(129), "exp": hour}), Algorithm::HS256, SECRET),
        signed(&json!({"sub": "a\nb", "exp": hour}), Algorithm::HS256, SECRET),
        signed(&json!({"sub": 7, "exp": hour}), Algorithm::HS256, SECRET),
        signed(&json!({"sub": "u", "exp": "never"}), Algorithm::HS256, SECRET),
    ];
    for token in tokens {
        println!("token: {token}");
        let mut device = says(&token).await;
        device.expect_error("unauthorized").await;
        device.expect_closed(4401).await;
    }
}

#[tokio::test]
async fn a_hello_without_a_token_is_refused() {
    let mut device = Device::open(common()).await;
    device.send(&json!({"type": "hello", "device": "d1"})).await;
    device.expect_error("unauthorized").await;
    device.expect_closed(4401).await;
}

#[tokio::test]
async fn an_expired_token_is_refused_as_such() {
    for seconds in [-3, -3600] {
        let mut device = says(&token_ending_in("u", seconds)).await;
        device.expect_error("token_expired").await;
        device.expect_closed(4401).await;
    }
}

#[tokio::test]
async fn a_token_for_one_device_is_good_on_that_one_only() {
    let user = fresh("user");
    let bound = device_token(&user, "mine");
    let good = Hello::new(&user, "mine").with("token", json!(bound));
    good.connect(common()).await.expect("caught_up").await;
    let mut other = Device::open(common()).await;
    other.send(Hello::new(&user, "yours").with("token", json!(bound)).message()).await;
    let error = other.expect("error").await;
    assert!(error["code"] == "forbidden" || error["code"] == "unauthorized", "{error}");
    let Event::Closed(code) = other.next().await else { panic!("the connection is closed with a code") };
    assert!(code == 4401 || code == 4403, "{code}");
}

#[tokio::test]
async fn a_token_may_come_with_the_upgrade_but_never_in_the_url() {
    let user = fresh("user");
    let bearer = format!("Bearer {}", token::token(&user));
    let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL), ("Authorization", bearer.as_str())];
    let mut device = Device::open_with(common(), &headers).await.expect("the upgrade is accepted");
    device.send(&json!({"type": "hello", "device": "d1"})).await;
    assert_eq!(device.expect("welcome").await["user"], user);
    device.expect("caught_up").await;

    let query = format!("token={0}&access_token={0}", token::token(&user));
    if let Ok(mut device) = Device::open_at(common(), &format!("/v1/connect?{query}")).await {
        device.send(&json!({"type": "hello", "device": "d1"})).await;
        device.expect_error("unauthorized").await;
        device.expect_closed(4401).await;
    }
}

#[tokio::test]
async fn a_forged_token_with_the_upgrade_is_refused() {
    let bearer = format!("Bearer {}", unsigned("u"));
    let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL), ("Authorization", bearer.as_str())];
    match Device::open_with(common(), &headers).await {
        Err(status) => assert_eq!(status, 401),
        Ok(mut device) => {
            device.send(&json!({"type": "hello", "device": "d1"})).await;
            device.expect_error("unauthorized").await;
            device.expect_closed(4401).await;
        }
    }
}

#[tokio::test]
async fn a_connection_whose_token_expires_is_closed() {
    let user = fresh("user");
    let mut device = Hello::new(&user, "d1").with("token", json!(token_ending_in(&user, 2))).connect(common()).await;
    device.expect("caught_up").await;
    let told = device.expect_any_of(&["error", "bye"]).await;
    assert_eq!(told["code"], "token_expired", "{told}");
    device.expect_closed(4401).await;
}

#[tokio::test]
async fn a_renewed_token_keeps_the_connection() {
    let user = fresh("user");
    let ends_at = u64::try_from(seconds_from_now(2)).expect("a time after the epoch") * 1000;
    let mut device = Hello::new(&user, "d1").with("token", json!(token_ending_in(&user, 2))).connect(common()).await;
    device.expect("caught_up").await;
    device.send(&json!({"type": "token", "token": token::token(&user)})).await;
    device.wait_for_server_time(ends_at + 1_500).await;
    device.assert_silent().await;
}

#[tokio::test]
async fn a_token_of_another_user_or_a_forged_one_renews_nothing() {
    let user = fresh("user");
    let wrong: [Value; 4] = [json!(token::token(&fresh("other"))), json!(unsigned(&user)), json!(token_ending_in(&user, -60)), json!("x")];
    for token in wrong {
        let mut device = Device::connect_idle(common(), &user, "d1").await;
        device.send(&json!({"type": "token", "token": token})).await;
        let told = device.expect("error").await;
        assert!(["unauthorized", "forbidden", "token_expired"].iter().any(|code| told["code"] == *code), "{told}");
    }
}

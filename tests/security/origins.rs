//! Which pages may talk to a node.

use reqwest::Method;
use serde_json::json;

use crate::answer::answered;
use crate::nodes::{ORIGIN, ORIGIN_WITH_PORT, common};
use crate::support::api::Api;
use crate::support::device::{Device, SUBPROTOCOL};
use crate::support::fresh;
use crate::support::hello::Hello;
use crate::support::token::token;

/// An upgrade as a page of these origins would ask for it.
async fn open(origins: &[&str]) -> Result<Device, u16> {
    let mut headers = vec![("Sec-WebSocket-Protocol", SUBPROTOCOL)];
    headers.extend(origins.iter().map(|origin| ("Origin", *origin)));
    Device::open_with(common(), &headers).await
}

async fn is_taken(origin: &str) {
    let mut device = open(&[origin]).await.unwrap_or_else(|status| panic!("{origin} is refused with {status}"));
    device.send(Hello::new(&fresh("user"), "d1").message()).await;
    device.expect("welcome").await;
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_may_not_connect() {
    let expected = answered("403 forbidden");
    is_taken(ORIGIN).await;
    is_taken(ORIGIN_WITH_PORT).await;
    is_taken(&format!("http://{}", common().address())).await;
    for origin in ["https://evil.example", "https://localhost", "file://", "chrome-extension://abcdef", "garbage", ""] {
        expected.to_upgrade(open(&[origin]).await);
    }
}

#[tokio::test]
async fn an_origin_that_only_contains_a_listed_one_may_not_connect() {
    let expected = answered("403 forbidden");
    let address = common().address();
    let own = format!("http://{address}");
    let near = [
        "https://app.example.evil.example".to_owned(),
        "https://evil-app.example".to_owned(),
        "https://evil.app.example".to_owned(),
        "https://app.example/".to_owned(),
        "https://app.example.".to_owned(),
        "https://app.exampl".to_owned(),
        "https://app.example@evil.example".to_owned(),
        "https://evil.example#https://app.example".to_owned(),
        "https://app.example,https://evil.example".to_owned(),
        format!("{own}.evil.example"),
        format!("http://evil.example/{address}"),
        format!("{own}@evil.example"),
        format!("ftp://{address}"),
    ];
    for origin in &near {
        expected.to_upgrade(open(&[origin]).await);
    }
}

#[tokio::test]
async fn an_origin_of_null_may_not_connect() {
    let expected = answered("403 forbidden");
    expected.to_upgrade(open(&["null"]).await);
    is_taken(ORIGIN).await;
}

#[tokio::test]
async fn a_listed_origin_in_other_letters_may_not_connect() {
    let expected = answered("403 forbidden");
    for origin in ["https://APP.example", "HTTPS://app.example", "https://app.Example"] {
        expected.to_upgrade(open(&[origin]).await);
    }
}

#[tokio::test]
async fn a_listed_origin_on_another_port_or_scheme_may_not_connect() {
    let expected = answered("403 forbidden");
    let others =
        ["https://app.example:443", "https://app.example:8443", "http://app.example", "https://shop.example", "https://shop.example:84430"];
    for origin in others {
        expected.to_upgrade(open(&[origin]).await);
    }
    for own in ["http://127.0.0.1", "http://127.0.0.1:1"] {
        expected.to_upgrade(open(&[own]).await);
    }
}

#[tokio::test]
async fn a_request_of_two_origins_may_not_connect() {
    let expected = answered("403 forbidden");
    let api = Api::with_key(common(), None);
    for second in ["https://evil.example", ORIGIN] {
        let request = api.request(Method::POST, "/v1/messages").header("origin", ORIGIN).header("origin", second);
        expected.over_http(&api.send(request.json(&post())).await);
    }
}

fn post() -> serde_json::Value {
    json!({"token": token("u"), "device": "d1", "messages": [{"type": "ping"}]})
}

#[tokio::test]
async fn a_page_of_a_foreign_origin_may_not_stream_nor_post_nor_read_the_answer() {
    let expected = answered("403 forbidden");
    let api = Api::with_key(common(), None);
    for path in ["/v1/stream", "/v1/messages"] {
        for method in [Method::POST, Method::OPTIONS] {
            let request = api.request(method, path).header("origin", "https://evil.example").json(&post());
            let answer = api.send(request).await;
            expected.over_http(&answer);
            assert_eq!(answer.header("access-control-allow-origin"), "", "{answer:?}");
        }
    }
    let good = api.send(api.request(Method::POST, "/v1/messages").header("origin", ORIGIN).json(&post())).await;
    assert_eq!((good.status, good.header("access-control-allow-origin")), (200, ORIGIN), "{good:?}");
    // What publishers and operators call is for no page at all.
    let api = Api::admin(common());
    let answer = api.send(api.request(Method::GET, "/v1/cluster").header("origin", ORIGIN)).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""), "{answer:?}");
}

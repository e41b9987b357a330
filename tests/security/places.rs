//! Places: connections, calls, publishes to many and feeds that may be open at once, and what holds one without using it.

use reqwest::Method;
use serde_json::json;

use crate::answer::answered;
use crate::nodes::{narrow, tiny};
use crate::raw::{Raw, head};
use crate::support::api::{Answer, Api};
use crate::support::device::Device;
use crate::support::hello::Hello;
use crate::support::node::{ADMIN_KEY, PUBLISH_KEY};
use crate::support::stream::Stream;
use crate::support::{fresh, wait};

#[tokio::test]
async fn a_connection_more_than_a_user_may_have_is_refused() {
    let expected = answered("4429 too_many_connections");
    let user = fresh("user");
    let mut first = Device::connect_idle(narrow(), &user, "d1").await;
    let _second = Device::connect_idle(narrow(), &user, "d2").await;
    let mut third = Device::open(narrow()).await;
    third.send(Hello::new(&user, "d3").message()).await;
    expected.closes(&mut third).await;
    first.assert_silent().await;
    Device::connect_idle(narrow(), &fresh("other"), "d1").await;
}

#[tokio::test]
async fn a_connection_more_than_the_node_may_have_is_refused() {
    let expected = answered("503 unavailable");
    let (first, _second) = (Device::open(tiny()).await, Device::open(tiny()).await);
    expected.to_upgrade(Device::open_with(tiny(), &[]).await);
    let hello = Hello::new(&fresh("user"), "d1");
    expected.over_http(&Api::with_key(tiny(), None).post("/v1/stream", hello.message()).await);
    first.vanish();
    wait::until("the place is free again", || async { Device::open_with(tiny(), &[]).await.ok() }).await;
}

#[tokio::test]
async fn a_connection_that_says_no_hello_is_closed() {
    let expected = answered("4408 hello_timeout");
    let mut device = Device::open(narrow()).await;
    expected.closes(&mut device).await;
}

/// Calls until the answer has this status: what holds the place may not be there yet.
async fn until_refused(status: u16, api: &Api, request: impl Fn() -> reqwest::RequestBuilder) -> Answer {
    wait::until("the place is taken", || async { Some(api.send(request()).await).filter(|answer| answer.status == status) }).await
}

/// A post whose body does not come.
async fn dawdling(address: &str, call: &str, key: &str) -> Raw {
    let mut raw = Raw::to(address).await;
    raw.send(format!("{}Content-Length: 100\r\n\r\n{{", head(call, key))).await;
    raw
}

#[tokio::test]
async fn a_call_too_many_at_once_is_refused() {
    let expected = answered("429 rate_limited");
    let api = Api::admin(tiny());
    assert_eq!(api.get("/v1/cluster").await.status, 200);
    let holder = dawdling(&tiny().address(), "POST /v1/users/u/engagements", PUBLISH_KEY).await;
    let refused = until_refused(429, &api, || api.request(Method::GET, "/v1/cluster")).await;
    expected.over_http(&refused);
    assert_eq!(refused.header("retry-after"), "1", "{refused:?}");
    assert_eq!(api.get("/healthz").await.status, 200, "how the node is can always be seen");
    drop(holder);
    wait::until("the place is free again", || async { (api.get("/v1/cluster").await.status == 200).then_some(()) }).await;
}

#[tokio::test]
async fn a_publish_to_many_too_many_at_once_is_refused() {
    let expected = answered("429 rate_limited");
    let api = Api::publisher(narrow());
    let address = narrow().address();
    let body = json!({"items": []});
    wait::until("the place is free", || async { (api.post("/v1/engagements", &body).await.status == 200).then_some(()) }).await;
    let refused = wait::until("the place is taken", || async {
        let _holder = dawdling(&address, "POST /v1/engagements", PUBLISH_KEY).await;
        let answer = api.post("/v1/engagements", &body).await;
        (answer.status == 429).then_some(answer)
    })
    .await;
    expected.over_http(&refused);
}

#[tokio::test]
async fn a_feed_too_many_is_refused() {
    let expected = answered("429 rate_limited");
    let api = Api::reader(narrow());
    let feed = || api.request(Method::GET, "/v1/outcomes").header("accept", "text/event-stream");
    let open = Stream::of(feed().send().await.expect("the node answers"));
    expected.over_http(&api.send(feed()).await);
    expected.over_http(&api.get("/v1/outcomes?wait=1s").await);
    drop(open);
    // That its reader is gone is noticed when there is something to tell.
    wait::until("the place is free again", || async {
        Api::publisher(narrow()).publish(&fresh("user"), &json!({"id": "x", "payload": 1})).await;
        (api.get("/v1/outcomes").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let expected = answered("408");
    let mut raw = Raw::connect(narrow()).await;
    raw.send("GET /healthz HTTP/1.1\r\nHost: x\r\n").await;
    expected.status(raw.answer().await.status);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let expected = answered("400 bad_request");
    for call in ["POST /v1/users/u/engagements", "POST /v1/engagements"] {
        // The one place for a publish to many may be another case's at this moment.
        let answer = wait::until("an answer", || async {
            let answer = dawdling(&narrow().address(), call, ADMIN_KEY).await.answer().await;
            (answer.status != 429).then_some(answer)
        })
        .await;
        expected.over_http(&answer);
    }
    let mut raw = dawdling(&narrow().address(), "POST /v1/messages", "x").await;
    assert_eq!(raw.answer().await.status, 401, "a bad token is refused before the body is waited for");
}

//! What operators look at: health, readiness, metrics and the API's own description.

use serde_json::json;

use crate::nodes::common;
use crate::support::api::Api;
use crate::support::device::Device;
use crate::support::fresh;

#[tokio::test]
async fn health_and_readiness_need_no_key() {
    let api = Api::with_key(common(), None);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(api.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn metrics_count_what_happens_and_no_promise_was_broken() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let names = ["engage_publishes_total", "engage_acks_total", "engage_offers_total", "engage_connections_opened_total"];
    let mut before = Vec::new();
    for name in names {
        before.push(api.metric(name).await);
    }
    api.queue_plain(&user, "x").await;
    let mut device = Device::connect(common(), &user, "d1").await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack(&offer, 0).await;
    for (name, before) in names.into_iter().zip(before) {
        assert!(api.metric(name).await >= before + 1.0, "{name}");
    }
    assert!(api.metric("engage_connections").await >= 1.0);
    let text = api.get("/metrics").await.text;
    assert!(text.contains("engage_redelivery_after_ack_total"), "the metric exists from the start");
    assert_eq!(api.metric("engage_redelivery_after_ack_total").await, 0.0);
}

#[tokio::test]
async fn the_api_describes_itself() {
    let description = Api::with_key(common(), None).get("/openapi.json").await.ok(200);
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{}", description["openapi"]);
    let paths = description["paths"].as_object().expect("paths");
    let described = [
        ("/v1/users/{user}/engagements", vec!["get", "post"]),
        ("/v1/users/{user}/engagements/{id}", vec!["get", "delete"]),
        ("/v1/users/{user}", vec!["get", "delete"]),
        ("/v1/engagements", vec!["post"]),
        ("/v1/outcomes", vec!["get"]),
        ("/v1/stream", vec!["post"]),
        ("/v1/messages", vec!["post"]),
        ("/healthz", vec!["get"]),
        ("/readyz", vec!["get"]),
    ];
    for (path, methods) in described {
        let described = paths.get(path).unwrap_or_else(|| panic!("{path} is not described; there are {:?}", paths.keys()));
        for method in methods {
            assert_ne!(described[method], json!(null), "{method} {path}");
        }
    }
}

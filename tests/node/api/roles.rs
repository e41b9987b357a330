//! Who may do what: keys and their roles.

use reqwest::Method;
use serde_json::{Value, json};

use crate::nodes::common;
use crate::support::api::{Answer, Api, engagement, engagements};
use crate::support::fresh;
use crate::support::token::token;

async fn call(api: &Api, method: &Method, path: &str) -> Answer {
    let request = api.request(method.clone(), path);
    let body: Value = match path {
        "/v1/engagements" => json!({"items": []}),
        _ => json!({"id": "x", "payload": 1}),
    };
    api.send(if *method == Method::POST { request.json(&body) } else { request }).await
}

fn calls(user: &str) -> Vec<(Method, String)> {
    vec![
        (Method::POST, engagements(user)),
        (Method::POST, "/v1/engagements".to_owned()),
        (Method::GET, engagements(user)),
        (Method::GET, engagement(user, "x")),
        (Method::DELETE, engagement(user, "x")),
        (Method::GET, format!("/v1/users/{user}")),
        (Method::DELETE, format!("/v1/users/{user}")),
        (Method::GET, "/v1/outcomes?limit=1".to_owned()),
    ]
}

#[tokio::test]
async fn without_a_key_or_with_a_wrong_one_nothing_is_answered() {
    let user = fresh("user");
    let client = token(&user);
    for key in [
        None,
        Some("wrong"),
        Some("key-of-the-admin-0123456789abcdef012"),
        Some("key-of-the-admin-0123456789abcdef0123x"),
        Some(client.as_str()),
    ] {
        let api = Api::with_key(common(), key);
        for (method, path) in calls(&user) {
            call(&api, &method, &path).await.problem(401, "unauthorized");
        }
    }
    Api::admin(common()).get(&format!("/v1/users/{user}")).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_key_counts_as_a_bearer_only() {
    let api = Api::with_key(common(), None);
    for value in ["Basic a2V5", "bearer", "Bearer ", "Bearer", crate::support::node::ADMIN_KEY, "Bearer  "] {
        let request = api.request(Method::GET, "/v1/outcomes?limit=1").header("authorization", value);
        api.send(request).await.problem(401, "unauthorized");
    }
    let answer = api.get(&format!("/v1/outcomes?limit=1&key={0}&access_token={0}", crate::support::node::ADMIN_KEY)).await;
    assert!(matches!(answer.status, 400 | 401), "never in the URL: {answer:?}");
}

#[tokio::test]
async fn a_reader_may_not_change_anything() {
    let (api, user) = (Api::reader(common()), fresh("user"));
    Api::publisher(common()).queue_plain(&user, "x").await;
    for (method, path) in calls(&user) {
        let answer = call(&api, &method, &path).await;
        if method == Method::GET {
            assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        } else {
            answer.problem(403, "forbidden");
        }
    }
    assert_eq!(Api::admin(common()).delivery(&user, "x").await["state"], "queued");
}

#[tokio::test]
async fn an_admin_may_do_everything() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    api.queue(&user, &json!({"id": "x", "payload": 1})).await;
    for (method, path) in calls(&user) {
        let answer = call(&api, &method, &path).await;
        assert!(matches!(answer.status, 200 | 204), "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn only_an_admin_sees_what_nodes_measure_and_the_page_that_shows_it_holds_nothing() {
    for (api, code) in [
        (Api::reader(common()), "forbidden"),
        (Api::publisher(common()), "forbidden"),
        (Api::with_key(common(), None), "unauthorized"),
        (Api::with_key(common(), Some("wrong")), "unauthorized"),
    ] {
        let status = if code == "forbidden" { 403 } else { 401 };
        api.get("/v1/cluster/figures").await.problem(status, code);
        api.get("/v1/cluster").await.problem(status, code);
        let page = api.get("/console").await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self';"), "{page:?}");
    }
    let figures = Api::admin(common()).get("/v1/cluster/figures").await.ok(200);
    assert_eq!(figures["nodes"][0]["figures"]["counts"]["redelivered"], 0, "{figures}");
    assert!(!figures.to_string().contains("key-of-the"), "a secret is in {figures}");
}

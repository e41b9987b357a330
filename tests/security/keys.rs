//! Keys of the HTTP API and their roles, on every route that `/openapi.json` knows.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::answered;
use crate::nodes::common;
use crate::support::api::{Answer, Api};
use crate::support::fresh;
use crate::support::node::{ADMIN_KEY, PUBLISH_KEY, READ_KEY};
use crate::support::token::token;

/// Who may call what: the roles besides admin. A route that is not here fails the case.
const TABLE: &[(&str, &str, &[&str])] = &[
    ("post", "/v1/users/{user}/engagements", &["publish"]),
    ("get", "/v1/users/{user}/engagements", &["publish", "read"]),
    ("get", "/v1/users/{user}/engagements/{id}", &["publish", "read"]),
    ("delete", "/v1/users/{user}/engagements/{id}", &["publish"]),
    ("get", "/v1/users/{user}", &["publish", "read"]),
    ("delete", "/v1/users/{user}", &[]),
    ("post", "/v1/engagements", &["publish"]),
    ("get", "/v1/outcomes", &["read"]),
    ("get", "/v1/cluster", &[]),
    ("get", "/v1/cluster/backup", &[]),
    ("get", "/v1/cluster/figures", &[]),
    ("get", "/v1/cluster/replicas", &[]),
    ("post", "/v1/cluster/nodes/{name}/drain", &[]),
    ("delete", "/v1/cluster/nodes/{name}", &[]),
];

/// Routes that no API key is for: clients come with tokens, and how a node is may be seen by all who reach it.
const OTHERS: &[&str] =
    &["/v1/connect", "/v1/stream", "/v1/messages", "/healthz", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/console"];

/// The routes of the document that take an API key.
async fn routes() -> Vec<(Method, String)> {
    let document = Api::with_key(common(), None).get("/openapi.json").await.ok(200);
    let paths = document["paths"].as_object().expect("paths");
    let mut routes = Vec::new();
    for (path, methods) in paths.iter().filter(|(path, _)| !OTHERS.contains(&path.as_str())) {
        let names = methods.as_object().expect("methods").keys();
        routes.extend(names.map(|name| (name.to_uppercase().parse::<Method>().expect("a method"), path.clone())));
    }
    assert_eq!(routes.len(), TABLE.len(), "each route has its line in the table above: {routes:?}");
    routes
}

async fn call(api: &Api, method: &Method, path: &str) -> Answer {
    let filled = path.replace("{user}", &fresh("user")).replace("{id}", "x").replace("{name}", "no-such-node");
    let filled = if filled.ends_with("/backup") { format!("{filled}?shard=0") } else { filled };
    let body: Value = if path == "/v1/engagements" { json!({"items": []}) } else { json!({"id": "x", "payload": 1}) };
    let request = api.request(method.clone(), &filled);
    api.send(if *method == Method::POST && !filled.ends_with("/drain") { request.json(&body) } else { request }).await
}

#[tokio::test]
async fn without_a_key_no_route_answers() {
    let expected = answered("401 unauthorized");
    let api = Api::with_key(common(), None);
    for (method, path) in routes().await {
        expected.over_http(&call(&api, &method, &path).await);
    }
}

#[tokio::test]
async fn a_wrong_key_opens_no_route() {
    let expected = answered("401 unauthorized");
    let client = token("u");
    let shorter = &ADMIN_KEY[..ADMIN_KEY.len() - 1];
    let (longer, louder) = (format!("{ADMIN_KEY}0"), ADMIN_KEY.to_uppercase());
    let several = format!("{ADMIN_KEY},{READ_KEY}");
    for key in ["wrong", shorter, &longer, &louder, &several, &client] {
        let api = Api::with_key(common(), Some(key));
        for (method, path) in routes().await {
            expected.over_http(&call(&api, &method, &path).await);
        }
    }
}

#[tokio::test]
async fn a_key_counts_once_and_as_a_bearer_only() {
    let expected = answered("401 unauthorized");
    let api = Api::with_key(common(), None);
    for value in
        [ADMIN_KEY.to_owned(), format!("Basic {ADMIN_KEY}"), "Bearer".to_owned(), "Bearer ".to_owned(), format!("Bearer: {ADMIN_KEY}")]
    {
        let request = api.request(Method::GET, "/v1/cluster").header("authorization", value);
        expected.over_http(&api.send(request).await);
    }
    let twice = api.request(Method::GET, "/v1/cluster").bearer_auth(ADMIN_KEY).bearer_auth(ADMIN_KEY);
    expected.over_http(&api.send(twice).await);
    expected.over_http(&api.get(&format!("/v1/cluster?key={ADMIN_KEY}&api_key={ADMIN_KEY}&access_token={ADMIN_KEY}")).await);
    expected.over_http(&api.send(api.request(Method::GET, "/v1/cluster").header("cookie", format!("key={ADMIN_KEY}"))).await);
    assert_eq!(Api::admin(common()).get("/v1/cluster").await.status, 200);
}

#[tokio::test]
async fn a_key_of_a_lesser_role_is_refused_on_every_route_that_wants_more() {
    let expected = answered("403 forbidden");
    for (role, key) in [("publish", PUBLISH_KEY), ("read", READ_KEY), ("admin", ADMIN_KEY)] {
        let api = Api::with_key(common(), Some(key));
        for (method, path) in routes().await {
            let line = TABLE.iter().find(|(name, known, _)| *known == path && method.as_str().eq_ignore_ascii_case(name));
            let (_, _, allowed) = line.unwrap_or_else(|| panic!("{method} {path} has no line in the table above"));
            let answer = call(&api, &method, &path).await;
            if role == "admin" || allowed.contains(&role) {
                assert!(![401, 403].contains(&answer.status), "{role} may call {method} {path}: {answer:?}");
            } else {
                expected.over_http(&answer);
            }
        }
    }
}

#[tokio::test]
async fn an_api_key_is_no_token_of_a_client() {
    let expected = answered("401 unauthorized");
    let api = Api::admin(common());
    expected.over_http(&api.post("/v1/messages", &json!({"device": "d1", "messages": []})).await);
    let body = json!({"token": ADMIN_KEY, "device": "d1", "messages": []});
    expected.over_http(&Api::with_key(common(), None).post("/v1/messages", &body).await);
}

//! Who and what is turned away before any handler decides.

use std::collections::BTreeSet;

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::test::TestRequest;
use serde_json::json;

use super::fakes::{node, node_with};
use super::{admin, send};
use crate::config::Role;
use crate::http::limits::Bounds;
use crate::http::routes::{Access, ROUTES};

fn path(template: &str) -> String {
    template.replace("{user}", "u1").replace("{id}", "nps").replace("{name}", "n2")
}

#[actix_web::test]
async fn without_a_known_key_every_route_but_the_open_ones_is_answered_401() {
    let node = node();
    for entry in ROUTES.iter().filter(|entry| entry.access != Access::Anyone) {
        for authorization in ["", "Bearer", "Bearer wrong-key", "Basic admin-key", "admin-key"] {
            let request =
                TestRequest::with_uri(&path(entry.path)).method(entry.method.clone()).insert_header((AUTHORIZATION, authorization));
            let answer = send(&node, request).await;
            answer.problem(401, "unauthorized");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"engage\"");
        }
        let answer = send(&node, TestRequest::with_uri(&path(entry.path)).method(entry.method.clone())).await;
        answer.problem(401, "unauthorized");
    }
    assert!(node.users.asked.lock().unwrap().is_empty());
}

#[actix_web::test]
async fn a_key_of_another_role_is_answered_403_with_the_roles_that_may() {
    let node = node();
    let keys = [(Role::Publish, "publish-key"), (Role::Read, "read-key"), (Role::Admin, "admin-key")];
    for entry in ROUTES {
        let Access::Roles(roles) = entry.access else { continue };
        for (role, key) in keys {
            let request = TestRequest::with_uri(&path(entry.path)).method(entry.method.clone());
            let answer = send(&node, request.insert_header((AUTHORIZATION, format!("Bearer {key}")))).await;
            if role == Role::Admin || roles.contains(&role) {
                assert!(![401, 403].contains(&answer.status.as_u16()), "{role:?} {} {}", entry.method, entry.path);
            } else {
                let problem = answer.problem(403, "forbidden");
                assert!(problem["detail"].as_str().unwrap().contains(roles[0].as_str()), "{problem}");
            }
        }
    }
}

#[actix_web::test]
async fn what_each_role_may_do_is_as_the_documentation_says() {
    let may = |role: Role| {
        let routes = ROUTES.iter().filter(|entry| matches!(entry.access, Access::Roles(roles) if roles.contains(&role)));
        routes.map(|entry| format!("{} {}", entry.method, entry.path)).collect::<Vec<_>>()
    };
    let reads = ["GET /v1/users/{user}/engagements", "GET /v1/users/{user}/engagements/{id}", "GET /v1/users/{user}"];
    let writes = ["POST /v1/users/{user}/engagements", "DELETE /v1/users/{user}/engagements/{id}", "POST /v1/engagements"];
    assert_eq!(may(Role::Publish), [writes[0], reads[0], reads[1], writes[1], reads[2], writes[2]]);
    assert_eq!(may(Role::Read), [reads[0], reads[1], reads[2], "GET /v1/outcomes"]);
    assert_eq!(
        may(Role::Admin),
        [
            "DELETE /v1/users/{user}",
            "GET /v1/cluster",
            "GET /v1/cluster/backup",
            "GET /v1/cluster/figures",
            "GET /v1/cluster/replicas",
            "POST /v1/cluster/nodes/{name}/drain",
            "DELETE /v1/cluster/nodes/{name}",
        ]
    );
}

#[actix_web::test]
async fn an_unknown_route_is_answered_404_and_a_wrong_method_405() {
    let node = node();
    for path in ["/", "/v1", "/v1/users", "/v1/users//engagements", "/v1/users/u1/engagements/a/b", "/v2/users/u1"] {
        send(&node, admin(Method::GET, path)).await.problem(404, "not_found");
    }
    let answer = send(&node, admin(Method::PUT, "/v1/users/u1/engagements")).await;
    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header(ALLOW.as_str()), "POST, GET");
    let answer = send(&node, admin(Method::GET, "/v1/engagements")).await;
    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header(ALLOW.as_str()), "POST");
}

/// The `Allow` of a path comes from the routes that are served there, so this holds the document against them, method by method.
#[actix_web::test]
async fn every_path_of_the_document_takes_the_methods_that_it_describes_and_no_other() {
    let node = node();
    let document = send(&node, TestRequest::with_uri("/openapi.json")).await.json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 10);
    for (template, methods) in paths {
        let answer = send(&node, admin(Method::PATCH, &path(template))).await;
        answer.problem(405, "method_not_allowed");
        let allowed: BTreeSet<String> =
            answer.header(ALLOW.as_str()).split(", ").filter(|method| *method != "OPTIONS").map(str::to_lowercase).collect();
        let described: BTreeSet<String> = methods.as_object().unwrap().keys().cloned().collect();
        assert_eq!(allowed, described, "{template}");
    }
}

#[actix_web::test]
async fn a_body_that_is_too_long_is_answered_413() {
    let node = node_with(Bounds { body_max_bytes: 100, batch_max_bytes: 200, ..Bounds::default() });
    let long = |bytes: usize| json!({"id": "nps", "payload": "x".repeat(bytes)}).to_string();
    for path in ["/v1/users/u1/engagements", "/v1/engagements"] {
        let told = admin(Method::POST, path).insert_header((CONTENT_TYPE, "application/json")).insert_header(("content-length", 300));
        send(&node, told.set_payload(long(300))).await.problem(413, "too_large");
        let untold = admin(Method::POST, path).insert_header((CONTENT_TYPE, "application/json"));
        send(&node, untold.set_payload(long(300))).await.problem(413, "too_large");
    }
    let answer =
        send(&node, admin(Method::POST, "/v1/users/u1/engagements").set_json(json!({"id": "a", "payload": 1, "more": "x".repeat(90)})))
            .await;
    answer.problem(413, "too_large");
}

#[actix_web::test]
async fn a_payload_that_is_too_long_is_answered_413() {
    let node = node();
    let body = json!({"id": "nps", "payload": "x".repeat(16 * 1024)});
    let problem = send(&node, admin(Method::POST, "/v1/users/u1/engagements").set_json(body)).await.problem(413, "too_large");
    assert_eq!(problem["field"], "payload");
}

#[actix_web::test]
async fn a_body_that_says_it_is_not_json_is_answered_415() {
    let node = node();
    let body = json!({"id": "nps", "payload": 1}).to_string();
    for kind in ["text/plain", "application/jsonp", "", "*/*"] {
        let request = admin(Method::POST, "/v1/users/u1/engagements").insert_header((CONTENT_TYPE, kind)).set_payload(body.clone());
        send(&node, request).await.problem(415, "unsupported_media_type");
    }
    let zipped = admin(Method::POST, "/v1/users/u1/engagements").insert_header((CONTENT_ENCODING, "gzip")).set_payload(body.clone());
    send(&node, zipped).await.problem(415, "unsupported_media_type");
    for kind in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.shop+json", "application/x-www-form-urlencoded"] {
        let request = admin(Method::POST, "/v1/users/u1/engagements").insert_header((CONTENT_TYPE, kind)).set_payload(body.clone());
        send(&node, request).await.problem(503, "unavailable");
    }
    send(&node, admin(Method::POST, "/v1/users/u1/engagements").set_payload(body)).await.problem(503, "unavailable");
}

#[actix_web::test]
async fn json_that_is_broken_or_too_deep_is_answered_400() {
    let node = node();
    let deep = format!("{{\"id\":\"a\",\"payload\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for body in ["", "{", "[]", "{\"id\":\"a\",\"payload\":1}x", "\u{0}", &deep] {
        send(&node, admin(Method::POST, "/v1/users/u1/engagements").set_payload(body.to_owned())).await.problem(400, "bad_request");
    }
    for body in ["", "{", "[]", "{\"items\":[}", "{\"items\":[]}x"] {
        send(&node, admin(Method::POST, "/v1/engagements").set_payload(body.to_owned())).await.problem(400, "bad_request");
    }
}

#[actix_web::test]
async fn requests_under_way_are_bounded() {
    let node = node_with(Bounds { requests_max: 0, ..Bounds::default() });
    let answer = send(&node, admin(Method::GET, "/v1/users/u1")).await;
    answer.problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), "1");
    let node = node_with(Bounds { batches_max: 0, ..Bounds::default() });
    send(&node, admin(Method::POST, "/v1/engagements").set_json(json!({"items": []}))).await.problem(429, "rate_limited");
}

#[actix_web::test]
async fn the_openapi_document_is_open_to_anyone() {
    let answer = send(&node(), TestRequest::with_uri("/openapi.json")).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.json()["openapi"], "3.1.0");
}

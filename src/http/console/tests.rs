//! How the page and its parts are served.

use std::collections::BTreeSet;

use actix_web::body::to_bytes;
use actix_web::http::header::IF_NONE_MATCH;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, dev::ServiceResponse};

use super::*;

async fn send(request: TestRequest) -> ServiceResponse {
    let app = App::new().configure(routes).default_service(web::to(problem::no_route));
    call_service(&init_service(app).await, request.to_request()).await.map_into_boxed_body()
}

fn header<'a>(answer: &'a ServiceResponse, name: &str) -> &'a str {
    answer.headers().get(name).unwrap_or_else(|| panic!("there is no header {name}")).to_str().unwrap()
}

#[actix_web::test]
async fn every_part_is_served_with_its_type_and_a_policy_that_lets_nothing_else_in() {
    let parts = PARTS.iter().map(|asset| format!("/console/{}", asset.name()));
    for path in parts.chain(["/console".to_owned()]) {
        let answer = send(TestRequest::with_uri(&path)).await;
        assert_eq!(answer.status(), 200, "{path}");
        let policy = header(&answer, "content-security-policy");
        for rule in [
            "default-src 'none';",
            "script-src 'self';",
            "style-src 'self';",
            "connect-src 'self';",
            "img-src 'self' data:;",
            "base-uri 'none';",
            "form-action 'none';",
            "frame-ancestors 'none';",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
        assert_eq!(header(&answer, "cache-control"), "no-cache");
        let kind = header(&answer, "content-type");
        assert!(
            ["text/html", "text/css", "text/javascript", "image/svg+xml"].iter().any(|known| kind.starts_with(known)),
            "{path}: {kind}"
        );
        assert!(!to_bytes(answer.into_body()).await.unwrap().is_empty(), "{path}");
    }
}

#[actix_web::test]
async fn what_a_browser_has_is_not_sent_again() {
    let tag = header(&send(TestRequest::with_uri("/console/main.js")).await, "etag").to_owned();
    for tags in [tag.clone(), format!("\"another\", W/{tag}")] {
        let again = send(TestRequest::with_uri("/console/main.js").insert_header((IF_NONE_MATCH, tags))).await;
        assert_eq!((again.status().as_u16(), header(&again, "etag")), (304, tag.as_str()));
        assert!(again.headers().contains_key("content-security-policy"));
        assert!(to_bytes(again.into_body()).await.unwrap().is_empty());
    }
    let other = send(TestRequest::with_uri("/console").insert_header((IF_NONE_MATCH, tag))).await;
    assert_eq!(other.status(), 200, "another file has another tag");
}

#[actix_web::test]
async fn there_is_nothing_beside_the_parts() {
    for path in ["/console/package.json", "/console/../Cargo.toml", "/console/%2e%2e/main.rs", "/console/main.js/", "/consoles"] {
        let answer = send(TestRequest::with_uri(path)).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (404, "application/problem+json"), "{path}");
    }
    let posted = send(TestRequest::post().uri("/console")).await;
    assert_eq!((posted.status().as_u16(), header(&posted, "allow")), (405, "GET"));
    let slash = send(TestRequest::with_uri("/console/")).await;
    assert_eq!((slash.status().as_u16(), header(&slash, "location")), (308, "../console"));
}

#[test]
fn every_file_of_the_folder_is_in_the_binary() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/console/assets");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // That one tells Node how the unit tests are to read the others.
    let there: BTreeSet<String> = names.filter(|name| name != "package.json").collect();
    let known = PARTS.iter().map(|asset| asset.name().to_owned()).chain(["index.html".to_owned()]);
    assert_eq!(known.collect::<BTreeSet<_>>(), there);
}

/// What the policy forbids would fail in silence; so would a file from elsewhere.
#[test]
fn the_page_has_nothing_inline_and_nothing_from_elsewhere() {
    let page = include_str!("assets/index.html");
    for forbidden in ["<style", " style=", " onclick=", " onload=", "http://", "https://", "//cdn"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(page.matches("<script").count() == page.matches("<script type=\"module\" src=\"").count(), "a script stands in the page");
    for asset in PARTS {
        let name = asset.name();
        let text = String::from_utf8(asset.body().to_vec()).unwrap();
        let text = text.replace("http://www.w3.org/", "");
        for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "@import", "url(http"]
        {
            assert!(!text.contains(forbidden), "{name}: {forbidden}");
        }
    }
}

//! The promises of CONTRACT §7, asked of the routes over fakes of the rest of the node.

mod fakes;
mod members;
mod publishing;
mod reading;
mod feeding;
mod refusing;
mod clustering;

use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use actix_web::{App, test, web};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

use self::fakes::FakeNode;
use super::{client_edge, console, health, problem, routes};

/// An answer, read whole.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("there is no header {name}")).to_str().unwrap()
    }

    /// Checks that this is a whole problem document of that code, and returns it.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{:?}", self.body);
        let problem = self.json();
        assert_eq!((self.status.as_u16(), problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:engage:problem:{code}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        problem
    }
}

/// A request with the admin key.
fn admin(method: Method, path: &str) -> TestRequest {
    TestRequest::with_uri(path).method(method).insert_header((AUTHORIZATION, "Bearer admin-key"))
}

/// The answer of the app before its body is read.
async fn start(node: &FakeNode, request: TestRequest) -> ServiceResponse {
    let (api, cluster) = (web::Data::from(Arc::clone(&node.api)), web::Data::from(Arc::clone(&node.cluster)));
    let app = App::new()
        .app_data(api)
        .app_data(cluster)
        .configure(routes::routes)
        .configure(health::routes)
        .configure(client_edge::routes)
        .configure(console::routes);
    let app = app.default_service(web::to(problem::no_route));
    let app = test::init_service(app).await;
    match test::try_call_service(&app, request.to_request()).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => {
            let request = TestRequest::default().to_http_request();
            ServiceResponse::new(request, error.error_response())
        }
    }
}

/// Sends a request to an app of this node.
async fn send(node: &FakeNode, request: TestRequest) -> Answer {
    let response = start(node, request).await;
    let (status, headers) = (response.status(), response.headers().clone());
    let body = to_bytes(response.into_body()).await.unwrap_or_else(|error| panic!("{error}"));
    Answer { status, headers, body }
}

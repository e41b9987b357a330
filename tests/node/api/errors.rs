//! Errors of the edge itself: routes and methods that do not exist, and heads that are no HTTP.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;

use crate::nodes::common;
use crate::support::api::{Api, engagements};
use crate::support::fresh;

#[tokio::test]
async fn a_route_that_does_not_exist_is_a_problem() {
    let api = Api::admin(common());
    for path in ["/", "/v1", "/v2/users/u", "/v1/users", "/v1/users/u/engagements/x/y", "/V1/users/u", "/favicon.ico"] {
        api.get(path).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_method_that_a_route_does_not_have_is_a_problem() {
    let (api, user) = (Api::admin(common()), fresh("user"));
    let wrong = [
        (Method::PUT, engagements(&user)),
        (Method::DELETE, engagements(&user)),
        (Method::POST, format!("/v1/users/{user}")),
        (Method::PATCH, format!("/v1/users/{user}/engagements/x")),
        (Method::GET, "/v1/engagements".to_owned()),
        (Method::POST, "/v1/outcomes".to_owned()),
        (Method::POST, "/healthz".to_owned()),
        (Method::GET, "/v1/stream".to_owned()),
        (Method::GET, "/v1/messages".to_owned()),
    ];
    let mut otherwise = Vec::new();
    for (method, path) in wrong {
        let answer = api.send(api.request(method.clone(), &path)).await;
        if answer.status != 405 || answer.header("content-type") != "application/problem+json" {
            otherwise.push(format!("{method} {path}: {} {}", answer.status, answer.text));
        }
    }
    assert_eq!(otherwise, Vec::<String>::new());
}

#[tokio::test]
async fn connecting_without_an_upgrade_is_refused() {
    let answer = Api::admin(common()).get("/v1/connect").await;
    assert!((400..500).contains(&answer.status), "{answer:?}");
}

#[test]
fn what_is_no_http_is_cut_off_and_the_node_goes_on() {
    let heads: [&[u8]; 6] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00\x00\x00\x00\r\n\r\n",
        b"POST /v1/engagements HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/engagements HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    ];
    for head in heads {
        let mut socket = TcpStream::connect(common().address()).expect("the node accepts");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
        let _ = socket.write_all(head);
        let mut answer = [0_u8; 1024];
        let read = socket.read(&mut answer);
        let text = read.map(|count| String::from_utf8_lossy(&answer[..count]).into_owned()).unwrap_or_default();
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4") || text.starts_with("HTTP/1.0 4"), "{text}");
    }
    let mut socket = TcpStream::connect(common().address()).expect("the node goes on");
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("it takes a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

//! Tests of the server over real sockets: what it answers, what it puts up with, and how it ends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use actix_web::HttpResponse;

use super::*;
use crate::http::tls;

fn settings() -> Settings {
    let seconds = Duration::from_secs(5);
    Settings { tls: None, workers: 1, sockets_max: 100, header_timeout: seconds, body_timeout: seconds, keep_alive: seconds }
}

async fn start(settings: Settings) -> Server {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), 16).unwrap();
    let routes = |app: &mut web::ServiceConfig| {
        app.route("/users/{user}", web::get().to(async || HttpResponse::Ok().body("here")));
        app.route("/length", web::post().to(async |body: web::Bytes| HttpResponse::Ok().body(body.len().to_string())));
    };
    Server::start(listener, settings, Site::new(routes, |_, _| {})).await.unwrap()
}

/// Sends this, and reads until the server closes.
fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: engage\r\nConnection: close\r\n\r\n"))
}

#[actix_web::test]
async fn requests_are_counted_by_their_route_and_never_by_their_path() {
    crate::telemetry::install_metrics().unwrap();
    let server = start(settings()).await;
    let found = get(server.address(), "/users/planted-name");
    assert!(found.starts_with("HTTP/1.1 200 OK"), "{found}");
    let missing = get(server.address(), "/planted-path");
    assert!(missing.starts_with("HTTP/1.1 404") && missing.contains("application/problem+json"), "{missing}");
    server.stop().await;
    let text = crate::telemetry::render();
    let counted = text.lines().find(|line| line.starts_with("engage_http_requests_total") && line.contains("/users/{user}"));
    assert!(counted.is_some_and(|line| line.contains("status=\"200\"") && line.contains("method=\"GET\"")), "{text}");
    assert!(text.contains("route=\"none\"") && !text.contains("planted"), "{text}");
}

#[actix_web::test]
async fn a_client_that_does_not_finish_the_head_of_its_request_is_cut() {
    let server = start(Settings { header_timeout: Duration::from_millis(200), ..settings() }).await;
    let answer = exchange(server.address(), "GET / HTTP/1.1\r\nHost: eng");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    server.stop().await;
}

#[actix_web::test]
async fn a_client_that_does_not_finish_its_body_is_cut() {
    let server = start(Settings { body_timeout: Duration::from_millis(200), ..settings() }).await;
    let post = |body: &str| format!("POST /length HTTP/1.1\r\nHost: engage\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{body}");
    let whole = exchange(server.address(), &post("0123456789"));
    assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("10"), "{whole}");
    let half = exchange(server.address(), &post("01234"));
    assert!(half.starts_with("HTTP/1.1 4"), "{half}");
    let held = exchange(server.address(), &post("01234").replace("close", "keep-alive"));
    assert!(held.starts_with("HTTP/1.1 4"), "{held}");
    server.stop().await;
}

#[actix_web::test]
async fn a_server_that_stopped_has_let_go_of_its_address() {
    let server = start(settings()).await;
    let (address, mut has_ended) = (server.address(), server.has_ended());
    // A connection that stays open must not hold it up.
    let mut idle = TcpStream::connect(address).unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: engage\r\n\r\n").unwrap();
    let mut first = [0; 1];
    idle.read_exact(&mut first).unwrap();
    server.stop().await;
    assert!(*has_ended.borrow_and_update());
    assert!(TcpStream::connect(address).is_err());
    bind(address, 16).unwrap();
}

#[actix_web::test]
async fn an_address_in_use_is_named() {
    let taken = bind(SocketAddr::from(([127, 0, 0, 1], 0)), 16).unwrap();
    let error = bind(taken.local_addr().unwrap(), 16).unwrap_err().to_string();
    assert!(error.contains(&taken.local_addr().unwrap().to_string()) && error.contains("http.listen"), "{error}");
}

fn test_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/test_tls").join(name)
}

#[actix_web::test]
async fn with_a_certificate_the_server_speaks_tls_only() {
    let config = tls::server_config(&test_file("cert.pem"), &test_file("key.pem")).unwrap();
    let server = start(Settings { tls: Some(config), ..settings() }).await;
    // Another test may have installed it.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(test_file("cert.pem")).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([certificate]).build().unwrap();
    let url = format!("https://localhost:{}/users/u1", server.address().port());
    assert_eq!(client.get(url).send().await.unwrap().text().await.unwrap(), "here");
    let plain = reqwest::Client::new().get(format!("http://{}/users/u1", server.address())).send().await;
    assert!(plain.is_err());
    server.stop().await;
}

#[test]
fn a_certificate_or_key_that_can_not_be_used_is_named() {
    let (cert, key) = (test_file("cert.pem"), test_file("key.pem"));
    let error_of = |cert: &Path, key: &Path| tls::server_config(cert, key).unwrap_err().to_string();
    let swapped = error_of(&key, &cert);
    assert!(swapped.contains("key.pem") && swapped.contains("no certificate in it"), "{swapped}");
    let no_key = error_of(&cert, &cert);
    assert!(no_key.contains("key") && no_key.contains("cert.pem") && no_key.contains("http.tls_key"), "{no_key}");
    assert!(error_of(Path::new("/nowhere.pem"), &key).contains("/nowhere.pem"));
}

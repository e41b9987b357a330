//! Tests of a whole node: that it starts from nothing, keeps what it accepted, and goes in order.

use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::clock;
use crate::config::Storage;

fn config(dir: &Path, storage: Storage) -> Config {
    let mut config = Config::default();
    config.node.data_dir = dir.join("data");
    config.node.storage = storage;
    config.http.listen.set_port(0);
    config.http.workers = 2;
    config.cluster.shards = 2;
    config.check().unwrap();
    config
}

/// The API of a node, with its own key.
struct Caller {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Caller {
    fn new(node: &Node) -> Caller {
        // The client wants one, also where it speaks no TLS; another test may have installed it.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let key = node.config().auth.api_keys[0].key.expose().to_owned();
        Caller { http: reqwest::Client::new(), url: node.url(), key }
    }

    async fn publish(&self, user: &str, id: &str) -> (u16, Value) {
        let body = json!({ "id": id, "payload": { "text": "hello" } });
        let request = self.http.post(format!("{}/v1/users/{user}/engagements", self.url)).json(&body);
        self.send(request).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.bearer_auth(&self.key).send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_from_nothing_and_serves() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path(), Storage::Memory)).await.unwrap();
    assert!(matches!(node.secrets(), secrets::Origin::Made(_)));
    let caller = Caller::new(&node);
    assert_eq!(caller.get("/readyz").await, (200, json!({ "status": "ready" })));
    let (status, published) = caller.publish("u1", "tour").await;
    assert_eq!((status, &published["status"]), (201, &json!("queued")));
    assert_eq!(caller.publish("u1", "tour").await.0, 200);
    assert_eq!(caller.get("/v1/users/u1").await.1["owner"], "n1");
    assert_eq!(caller.get("/v1/nothing").await.1["code"], "not_found");
    let (status, cluster) = caller.get("/v1/cluster").await;
    assert_eq!((status, &cluster["nodes"][0]["name"], &cluster["nodes"][0]["state"]), (200, &json!("n1"), &json!("ready")));
    assert_eq!((&cluster["nodes"][0]["leaders"], &cluster["shards"][1]["leader"]), (&json!(2), &json!("n1")));
    let stranger = Caller { key: "not-the-key-of-this-node".to_owned(), ..caller };
    assert_eq!(stranger.get("/v1/users/u1").await.1["code"], "unauthorized");
    node.stop().await;
    assert!(!dir.path().join("data/log").exists(), "with storage memory, only the secrets are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_node_has_its_identity_its_secrets_and_what_it_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let first = Node::start(config(dir.path(), Storage::Disk)).await.unwrap();
    let (cluster_id, caller) = (first.cluster_id().to_owned(), Caller::new(&first));
    for user in ["u1", "u2", "u3", "u4"] {
        assert_eq!(caller.publish(user, "tour").await.0, 201);
    }
    first.stop().await;

    let second = Node::start(config(dir.path(), Storage::Disk)).await.unwrap();
    assert!(matches!(second.secrets(), secrets::Origin::Kept(_)));
    assert_eq!(second.cluster_id(), cluster_id);
    let caller = Caller { key: caller.key, ..Caller::new(&second) };
    for user in ["u1", "u2", "u3", "u4"] {
        let (status, deliveries) = caller.get(&format!("/v1/users/{user}/engagements")).await;
        assert_eq!((status, &deliveries["deliveries"][0]["state"]), (200, &json!("queued")));
    }
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_cannot_have_one_data_directory_or_one_address() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path(), Storage::Disk)).await.unwrap();
    let error = Node::start(config(dir.path(), Storage::Disk)).await.err().unwrap().to_string();
    assert!(error.contains("in use by another process"), "{error}");
    let other = tempfile::tempdir().unwrap();
    let mut same_address = config(other.path(), Storage::Memory);
    same_address.http.listen = node.address();
    let error = Node::start(same_address).await.err().unwrap().to_string();
    assert!(error.contains(&node.address().to_string()), "{error}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_key_that_can_not_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path(), Storage::Memory);
    let path = dir.path().join("key.pem");
    std::fs::write(&path, "no key").unwrap();
    config.auth.jwt_public_key_file = Some(path);
    let error = Node::start(config).await.err().unwrap().to_string();
    assert!(error.starts_with("auth.jwt_public_key_file: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_node_says_goodbye_to_every_client_and_is_gone_in_time() {
    use futures_util::StreamExt as _;
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(config(dir.path(), Storage::Disk)).await.unwrap();
    let url = format!("ws://{}/v1/connect", node.address());
    let mut clients = Vec::new();
    for number in 0..20 {
        let secret = node.config().auth.jwt_secret.clone().unwrap();
        clients.push(hello(&url, &token(secret.expose(), &format!("u{number}"))).await);
    }
    assert_eq!(node.connection_count(), 20);
    let started = clock::monotonic();
    let goodbyes = tokio::spawn(async move {
        let mut goodbye_count = 0;
        for client in clients {
            let seen: Vec<String> = client.map(|message| format!("{:?}", message.unwrap())).collect().await;
            let seen = seen.join("\n");
            assert!(seen.contains("draining") && seen.contains("bye") && seen.contains("Close"), "{seen}");
            goodbye_count += 1;
        }
        goodbye_count
    });
    node.stop().await;
    assert!(clock::monotonic().saturating_duration_since(started) < Duration::from_secs(5));
    assert_eq!(goodbyes.await.unwrap(), 20);
}

type Client = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A client that was welcomed.
async fn hello(url: &str, token: &str) -> Client {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    let (mut client, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    client.send(Message::text(json!({ "type": "hello", "device": "d1", "token": token }).to_string())).await.unwrap();
    let welcome = client.next().await.unwrap().unwrap();
    assert!(welcome.to_string().contains("welcome"), "{welcome}");
    client
}

fn token(secret: &str, user: &str) -> String {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let claims = json!({ "sub": user, "exp": clock::wall_ms() / 1_000 + 3_600 });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

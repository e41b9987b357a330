//! A caller of the HTTP API, with one key. Answers are kept whole, so that tests can look at status, headers and body.

use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::node::{ADMIN_KEY, Address, Node, PUBLISH_KEY, READ_KEY};

/// A caller of a node's API.
#[derive(Clone)]
pub struct Api {
    base: String,
    key: Option<String>,
    http: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body, of an answer that must have this status.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.json()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("the body is not JSON ({error}): {self:?}"))
    }

    /// A problem document with this status and code, in the contract's form.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{code}: {self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "RFC 9457: the status stands in the body too: {problem}");
        assert!(problem["title"].is_string(), "RFC 9457: {problem}");
        problem
    }

    /// A header's text, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header of text"))
    }

    /// The lines of an NDJSON body.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{self:?}");
        let lines = self.text.lines().filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("not a line of JSON ({error}): {line}"))).collect()
    }
}

impl Api {
    /// A caller with a key of role `publish`.
    pub fn publisher(node: &Node) -> Api {
        Api::with_key(node, Some(PUBLISH_KEY))
    }

    /// A caller with a key of role `read`.
    pub fn reader(node: &Node) -> Api {
        Api::with_key(node, Some(READ_KEY))
    }

    /// A caller with a key of role `admin`.
    pub fn admin(node: &Node) -> Api {
        Api::with_key(node, Some(ADMIN_KEY))
    }

    /// A caller with any key, or none.
    pub fn with_key(node: &Node, key: Option<&str>) -> Api {
        Api::at(&node.address_of(), key)
    }

    /// The same, for a node that may be gone.
    pub fn at(address: &Address, key: Option<&str>) -> Api {
        static PROVIDER: OnceLock<()> = OnceLock::new();
        PROVIDER.get_or_init(|| {
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        });
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client can be built");
        Api { base: format!("http://{}", address.0), key: key.map(str::to_owned), http }
    }

    /// A request with the caller's key, to be completed and handed to [`Api::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends it; an error of the transport is a failure of the test.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request).await.expect("the node answers")
    }

    /// Sends it to a node that may be gone.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let response = request.send().await?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), text: response.text().await? })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    /// Posts any bytes as `application/json`.
    pub async fn post_text(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/json").body(body.as_ref().to_vec());
        self.send(request).await
    }

    /// Publishes to a user, whatever comes of it.
    pub async fn publish(&self, user: &str, engagement: &Value) -> Answer {
        self.post(&engagements(user), engagement).await
    }

    /// Publishes to a user, which must be answered 201.
    pub async fn queue(&self, user: &str, engagement: &Value) -> Value {
        self.publish(user, engagement).await.ok(201)
    }

    /// Publishes an engagement of one step with nothing but an id, and a payload that bears its name.
    pub async fn queue_plain(&self, user: &str, id: &str) -> Value {
        self.queue(user, &json!({"id": id, "payload": {"name": id}})).await
    }

    /// What the list of a user's deliveries says of one id.
    pub async fn delivery(&self, user: &str, id: &str) -> Value {
        let list = self.get(&engagements(user)).await.ok(200);
        let found = list["deliveries"].as_array().expect("a list").iter().find(|delivery| delivery["id"] == id).cloned();
        found.unwrap_or_else(|| panic!("no delivery {id} in {list}"))
    }

    /// The whole feed of outcomes from the oldest kept, of one user.
    pub async fn outcomes_of(&self, user: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let lines = self.get(&format!("/v1/outcomes?limit=1000{after}")).await.lines();
            let Some(last) = lines.last() else { return found };
            after = format!("&after={}", encode(last["cursor"].as_str().expect("a cursor")));
            found.extend(lines.into_iter().filter(|line| line["user"] == user));
        }
    }

    /// The value of a metric that has no labels, or the sum over all of its labels.
    pub async fn metric(&self, name: &str) -> f64 {
        let answer = self.get("/metrics").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let samples = answer.text.lines().filter_map(|line| line.strip_prefix(name));
        let samples = samples.filter(|rest| rest.starts_with('{') || rest.starts_with(' '));
        samples
            .map(|rest| rest.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok()).expect("a sample ends with a number"))
            .sum()
    }
}

/// The path of a user's engagements.
pub fn engagements(user: &str) -> String {
    format!("/v1/users/{}/engagements", encode(user))
}

/// The path of one engagement of a user.
pub fn engagement(user: &str, id: &str) -> String {
    format!("{}/{}", engagements(user), encode(id))
}

/// Percent-encodes all that is not a letter, a digit, or one of `-_~`.
pub fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

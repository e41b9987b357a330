//! The HTTP API, one method for each call of CONTRACT §7. Sends each call once: whether to send again is the caller's to decide (it is always safe, by G3).

use std::time::Duration;

use reqwest::header::{ACCEPT, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::answer::{Cluster, Deliveries, Ended, Outcome, Timeline, User};
use super::publish::{ManyItem, Publish, Published};
use super::{ApiError, ClientMessage, Credential, Problem, address};

/// The longest wait for a connection to a node.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest wait for an answer: above what a node takes to say `unavailable`, and above the longest wait for outcomes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A node's API, with an API key. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    pub(super) key: Option<Credential>,
    http: reqwest::Client,
}

/// Which outcomes to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutcomesQuery {
    /// Those after this cursor; none: from the oldest kept.
    pub after: Option<String>,
    pub limit: Option<u32>,
    /// How long to wait for the first, like `30s`.
    pub wait: Option<String>,
}

impl Api {
    /// An API at the address of a node, like `http://127.0.0.1:7400`. Connects at the first call.
    ///
    /// # Errors
    /// [`ApiError::Address`] and [`ApiError::Client`].
    pub fn new(url: &str, key: Option<&str>) -> Result<Self, ApiError> {
        let base = address::base(url)?;
        let mut builder = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT).no_proxy();
        // A key must not follow a redirect by itself, and would be left behind on the way to another node.
        builder = builder.redirect(reqwest::redirect::Policy::none());
        if base.starts_with("http:") {
            // Without TLS the machine's root certificates are of no use; a machine that has none must still be able to speak to its own node.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| ApiError::Client(causes(&error)))?;
        Ok(Api { base, key: key.map(Credential::new), http })
    }

    /// The address that calls go to.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.base
    }

    /// `POST /v1/users/{user}/engagements`.
    ///
    /// # Errors
    /// [`ApiError`]; codes `different_engagement` and `buffer_full` among them.
    pub async fn publish(&self, user: &str, publish: &Publish) -> Result<Published, ApiError> {
        self.json(self.request(Method::POST, &format!("/v1/users/{}/engagements", address::segment(user))).json(publish)).await
    }

    /// `POST /v1/engagements`: one engagement to many users.
    ///
    /// # Errors
    /// [`ApiError`], when the call as a whole failed; each item says for itself how it went.
    pub async fn publish_to_many(&self, users: &[String], engagement: &Publish) -> Result<Vec<ManyItem>, ApiError> {
        self.many(&json!({ "users": users, "engagement": engagement })).await
    }

    /// `POST /v1/engagements`: each user an engagement of their own.
    ///
    /// # Errors
    /// As [`Api::publish_to_many`].
    pub async fn publish_items(&self, items: &[(String, Publish)]) -> Result<Vec<ManyItem>, ApiError> {
        let items: Vec<Value> = items
            .iter()
            .map(|(user, publish)| {
                let mut item = json!(publish);
                item["user"] = json!(user);
                item
            })
            .collect();
        self.many(&json!({ "items": items })).await
    }

    async fn many(&self, body: &Value) -> Result<Vec<ManyItem>, ApiError> {
        #[derive(serde::Deserialize)]
        struct Results {
            results: Vec<ManyItem>,
        }
        let answer: Results = self.json(self.request(Method::POST, "/v1/engagements").json(body)).await?;
        Ok(answer.results)
    }

    /// `GET /v1/users/{user}/engagements`: a page of the deliveries of the open windows, after the cursor of the page before.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn deliveries(&self, user: &str, after: Option<&str>) -> Result<Deliveries, ApiError> {
        let path = format!("/v1/users/{}/engagements", address::segment(user));
        self.json(self.request(Method::GET, &address::with_query(&path, &[("after", after)]))).await
    }

    /// `GET /v1/users/{user}/engagements/{id}`: one, with its timeline.
    ///
    /// # Errors
    /// [`ApiError`]; code `not_found` among them.
    pub async fn delivery(&self, user: &str, id: &str) -> Result<Timeline, ApiError> {
        self.json(self.request(Method::GET, &engagement_path(user, id))).await
    }

    /// `DELETE /v1/users/{user}/engagements/{id}`: withdraws it.
    ///
    /// # Errors
    /// [`ApiError`]; code `not_found` among them.
    pub async fn withdraw(&self, user: &str, id: &str) -> Result<Ended, ApiError> {
        self.json(self.request(Method::DELETE, &engagement_path(user, id))).await
    }

    /// `GET /v1/users/{user}`.
    ///
    /// # Errors
    /// [`ApiError`]; code `not_found` among them.
    pub async fn user(&self, user: &str) -> Result<User, ApiError> {
        self.json(self.request(Method::GET, &format!("/v1/users/{}", address::segment(user)))).await
    }

    /// `DELETE /v1/users/{user}`: forgets the user.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn forget(&self, user: &str) -> Result<(), ApiError> {
        self.send(self.request(Method::DELETE, &format!("/v1/users/{}", address::segment(user)))).await.map(drop)
    }

    /// `GET /v1/outcomes`, as one batch.
    ///
    /// # Errors
    /// [`ApiError`]; code `cursor_expired` among them.
    pub async fn outcomes(&self, query: &OutcomesQuery) -> Result<Vec<Outcome>, ApiError> {
        let limit = query.limit.map(|limit| limit.to_string());
        let given = [("after", query.after.as_deref()), ("limit", limit.as_deref()), ("wait", query.wait.as_deref())];
        let request = self.request(Method::GET, &address::with_query("/v1/outcomes", &given));
        let response = self.send(request.header(ACCEPT, "application/x-ndjson")).await?;
        let status = response.status();
        let text = response.text().await.map_err(|error| self.no_answer(&error))?;
        text.lines().filter(|line| !line.trim().is_empty()).map(|line| parse(status, line.as_bytes())).collect()
    }

    /// `GET /v1/cluster`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn cluster(&self) -> Result<Cluster, ApiError> {
        self.json(self.request(Method::GET, "/v1/cluster")).await
    }

    /// `POST /v1/messages`: client messages without an open connection; their confirms and errors. The device's token stands in the body, no API key is needed.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn messages(&self, token: &str, device: &str, messages: &[ClientMessage]) -> Result<Vec<Value>, ApiError> {
        let body = json!({ "token": token, "device": device, "messages": messages });
        self.json(self.http.post(format!("{}/v1/messages", self.base)).json(&body)).await
    }

    /// `GET /readyz`: whether the node serves.
    pub async fn is_ready(&self) -> bool {
        self.send(self.http.get(format!("{}/readyz", self.base))).await.is_ok()
    }

    /// Any other route, as text: `/metrics`, `/openapi.json`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn text(&self, path: &str) -> Result<String, ApiError> {
        let response = self.send(self.request(Method::GET, path)).await?;
        response.text().await.map_err(|error| self.no_answer(&error))
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        }
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ApiError> {
        let response = self.send(request).await?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.no_answer(&error))?;
        parse(status, &body)
    }

    /// Sends; any status but a success is an error.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        let response = request.send().await.map_err(|error| self.no_answer(&error))?;
        self.checked(response).await
    }

    /// Makes an error of any status but a success.
    pub(super) async fn checked(&self, response: Response) -> Result<Response, ApiError> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after_s = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
        let body = response.bytes().await.map_err(|error| self.no_answer(&error))?;
        let problem: Problem = parse(status, &body)?;
        Err(ApiError::Problem(Problem { retry_after_s, ..problem }))
    }

    pub(super) fn no_answer(&self, error: &reqwest::Error) -> ApiError {
        ApiError::NoAnswer { url: self.base.clone(), cause: causes(error) }
    }
}

fn engagement_path(user: &str, id: &str) -> String {
    format!("/v1/users/{}/engagements/{}", address::segment(user), address::segment(id))
}

fn parse<T: DeserializeOwned>(status: StatusCode, body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::Unreadable { status: status.as_u16(), cause: error.to_string() })
}

/// The innermost cause says what happened; the outer ones only where.
fn causes(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string().to_lowercase()
}

//! The calls that change the members of a cluster, and those that copy its shards (CONTRACT §9).

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::LOCATION;
use reqwest::{Method, Response, StatusCode};

use super::{Api, ApiError, Credential, address};

/// The longest time that a copy may take. What a node has to say comes sooner, or not at all: see [`PIECE_TIMEOUT`].
const COPY_TIMEOUT: Duration = Duration::from_secs(24 * 3_600);
/// The longest wait for the next piece of a copy.
const PIECE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a node says when it is asked for a copy of a shard.
#[derive(Debug)]
pub enum Copied {
    /// It owns the shard.
    Here(Pieces),
    /// The node at this address does.
    Elsewhere(String),
}

/// A copy that is on its way.
#[derive(Debug)]
pub struct Pieces {
    response: Response,
    url: String,
}

impl Pieces {
    /// The next piece; none at the end.
    ///
    /// # Errors
    /// [`ApiError::NoAnswer`], when the copy was cut, or nothing came for a minute.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let no_answer = |cause: String| ApiError::NoAnswer { url: self.url.clone(), cause };
        match tokio::time::timeout(PIECE_TIMEOUT, self.response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(no_answer(format!("the copy was cut: {error}"))),
            Err(_) => Err(no_answer(format!("nothing came for {PIECE_TIMEOUT:?}"))),
        }
    }
}

impl Api {
    /// `POST /v1/cluster/nodes/{name}/drain`.
    ///
    /// # Errors
    /// [`ApiError`]; codes `not_found`, `last_node` and `loses_majority` among them.
    pub async fn drain(&self, node: &str) -> Result<(), ApiError> {
        self.send(self.request(Method::POST, &format!("/v1/cluster/nodes/{}/drain", address::segment(node)))).await.map(drop)
    }

    /// `DELETE /v1/cluster/nodes/{name}`.
    ///
    /// # Errors
    /// [`ApiError`]; codes `not_found`, `not_drained`, `last_node` and `loses_majority` among them.
    pub async fn remove(&self, node: &str) -> Result<(), ApiError> {
        self.send(self.request(Method::DELETE, &format!("/v1/cluster/nodes/{}", address::segment(node)))).await.map(drop)
    }

    /// `GET /v1/cluster/backup?shard=…`: a copy of a shard, or the address of the node that has it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn copy_shard(&self, shard: u32) -> Result<Copied, ApiError> {
        let request = self.request(Method::GET, &format!("/v1/cluster/backup?shard={shard}")).timeout(COPY_TIMEOUT);
        let response = request.send().await.map_err(|error| self.no_answer(&error))?;
        if response.status() != StatusCode::TEMPORARY_REDIRECT {
            return Ok(Copied::Here(Pieces { response: self.checked(response).await?, url: self.url().to_owned() }));
        }
        let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
        let (url, _) = location.split_once("/v1/").unwrap_or((location, ""));
        Ok(Copied::Elsewhere(address::base(url)?))
    }

    /// The same API, with the same key, at another node of the cluster.
    ///
    /// # Errors
    /// As [`Api::new`].
    pub fn at(&self, url: &str) -> Result<Api, ApiError> {
        Api::new(url, self.key.as_ref().map(Credential::expose))
    }
}

//! A call that hands on what it is given and gives back what is answered, word for word: for programs that stand between a person and a node.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use super::{Api, ApiError, address};

/// An answer as it came, errors included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub body: Bytes,
}

/// Which call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Post,
    Delete,
}

impl Api {
    /// Calls the path that these segments make (each is percent-encoded as needed), with a body of JSON if there is one.
    ///
    /// # Errors
    /// [`ApiError::NoAnswer`]; an answer that says no is an answer.
    pub async fn call(&self, verb: Verb, segments: &[&str], body: Option<Bytes>) -> Result<Answer, ApiError> {
        let path: String = segments.iter().map(|segment| format!("/{}", address::segment(segment))).collect();
        let method = match verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Delete => Method::DELETE,
        };
        let mut request = self.request(method, &path).header(ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(|error| self.no_answer(&error))?;
        let status = response.status().as_u16();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let body = response.bytes().await.map_err(|error| self.no_answer(&error))?;
        Ok(Answer { status, content_type, body })
    }
}

//! A device that cannot hold a WebSocket: server messages by `text/event-stream`, client messages by `POST /v1/messages`. Also reads any other event stream.

use std::collections::VecDeque;

use reqwest::{Method, Response};
use serde_json::Value;

use super::api::Api;
use super::device::unbatch;
use super::hello::Hello;
use super::node::Node;
use super::wait::within;

/// An open event stream.
pub struct Stream {
    response: Response,
    text: String,
    inbox: VecDeque<Value>,
}

impl Stream {
    /// Says hello by `POST /v1/stream`.
    pub async fn connect(node: &Node, hello: &Hello) -> Stream {
        let api = Api::with_key(node, None);
        let request = api.request(Method::POST, "/v1/stream").header("content-type", "application/json").body(hello.message().to_string());
        Stream::of(within("the stream opens", request.send()).await.expect("the node answers"))
    }

    /// Reads an event stream.
    pub fn of(response: Response) -> Stream {
        assert_eq!(response.status().as_u16(), 200, "{response:?}");
        let kind = response.headers()["content-type"].to_str().expect("a content type").to_owned();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Stream { response, text: String::new(), inbox: VecDeque::new() }
    }

    /// The next message; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                return Some(message);
            }
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data: Vec<&str> = event.lines().filter_map(|line| line.strip_prefix("data:")).collect();
                if !data.is_empty() {
                    self.inbox.extend(unbatch(data.join("\n").trim_start()));
                }
                self.text = rest.to_owned();
                continue;
            }
            let chunk = within("an event on the stream", self.response.chunk()).await;
            let Ok(Some(chunk)) = chunk else { return None };
            self.text.push_str(std::str::from_utf8(&chunk).expect("chunks of whole events in UTF-8"));
        }
    }

    /// The next message, which must be of this type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        match self.next().await {
            Some(message) if message["type"] == kind => message,
            other => panic!("expected {kind}, but {other:?} came"),
        }
    }
}

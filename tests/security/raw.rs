//! HTTP by hand, for what no client would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::api::Answer;
use crate::support::node::Node;
use crate::support::wait::within;

/// How long to look whether the other side has closed.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A connection to a node.
pub struct Raw(TcpStream);

impl Raw {
    /// Connects.
    pub async fn connect(node: &Node) -> Raw {
        Raw::to(&node.address()).await
    }

    /// Connects to any address.
    pub async fn to(address: &str) -> Raw {
        Raw(within("a connection", TcpStream::connect(address)).await.expect("it is accepted"))
    }

    /// Sends bytes. The other side may have closed meanwhile: what it said shows that.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = within("room to send", self.0.write_all(bytes.as_ref())).await;
    }

    /// The answer, read to the end of the connection.
    pub async fn answer(&mut self) -> Answer {
        let text = self.rest().await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let mut headers = reqwest::header::HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let name: reqwest::header::HeaderName = name.parse().expect("a header's name");
            headers.insert(name, value.trim().parse().expect("a header's value"));
        }
        Answer { status: status.unwrap_or_else(|| panic!("no answer: {text:?}")), headers, text: body.to_owned() }
    }

    /// All that comes until the connection ends, which may be by a reset.
    pub async fn rest(&mut self) -> String {
        String::from_utf8_lossy(&self.rest_bytes().await).into_owned()
    }

    /// The same, as it comes.
    pub async fn rest_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = within("the end of the connection", self.0.read_to_end(&mut bytes)).await;
        bytes
    }

    /// Exactly so many bytes, if they come.
    pub async fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; count];
        within("an answer", self.0.read_exact(&mut bytes)).await.ok().map(|_| bytes)
    }

    /// Sends this again and again, until the other side has closed the connection.
    pub async fn send_until_closed(&mut self, bytes: &[u8]) {
        let sending = async {
            let mut answer = [0; 4096];
            while self.0.write_all(bytes).await.is_ok() {
                let read = tokio::time::timeout(LOOK_EVERY, self.0.read(&mut answer)).await;
                if matches!(read, Ok(Ok(0) | Err(_))) {
                    return;
                }
            }
        };
        within("the end of the connection", sending).await;
    }

    /// Whether the other side has closed it, as far as can be seen in a moment.
    pub async fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        matches!(tokio::time::timeout(LOOK_EVERY, self.0.read(&mut byte)).await, Ok(Ok(0) | Err(_)))
    }
}

/// The head of a request with an API key, without the empty line that ends it.
pub fn head(call: &str, key: &str) -> String {
    format!("{call} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n")
}

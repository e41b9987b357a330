//! Who drains and removes nodes: by the API, ever again until it is done, as a person at a terminal would.

use std::rc::Rc;
use std::time::Duration;

use crate::outside::{Outside, Request};

const PAUSE: Duration = Duration::from_millis(700);

/// Has a node give its leaders and connections away. Goes on until the cluster has taken it.
pub async fn drain(outside: Outside, name: String, until: Rc<dyn Fn() -> bool>) {
    while !until() {
        if let Some(200..=299 | 404) = ask(&outside, "POST", &format!("/v1/cluster/nodes/{name}/drain"), &name).await {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes a node out for good. Goes on until that is done; one that lives is drained first.
pub async fn remove(outside: Outside, name: String, until: Rc<dyn Fn() -> bool>) {
    while !until() {
        match ask(&outside, "DELETE", &format!("/v1/cluster/nodes/{name}"), &name).await {
            Some(200..=299 | 404) => return,
            Some(409) => {
                ask(&outside, "POST", &format!("/v1/cluster/nodes/{name}/drain"), &name).await;
            }
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Asks each node but that one, until one answers.
async fn ask(outside: &Outside, method: &'static str, path: &str, but: &str) -> Option<u16> {
    for place in 0..outside.node_count() {
        if outside.name(place) == but || outside.address(place).is_none() {
            continue;
        }
        let request = Request { method, path: path.to_owned(), body: None };
        if let Ok(answer) = outside.call(place, request).await
            && answer.status < 500
        {
            return Some(answer.status);
        }
    }
    None
}

//! The AsyncAPI 3.0 document of the client protocol (CONTRACT §8): its three ways in, every message in both directions, and the close codes. It describes and decides
//! nothing. `tests/browser/documents.test.mjs` holds it against what real nodes say and take.

pub mod schemas;
pub mod codes;

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::connect::SUBPROTOCOL;

const ABOUT: &str = "What apps and nodes say to each other, so that the first confirmed showing wins, on every device, through every failover.\n\n\
    A client opens `/v1/connect` as a WebSocket and says `hello`; or, where it can't hold one, posts its hello to `/v1/stream`, hears server-sent events, and talks by \
    posts to `/v1/messages`. A text frame, and the data of an event, hold one message or a list of them. Clients ignore types and fields that they don't know. \
    Every ack is answered by one `confirm` or `error`; until then a client keeps it, and says it again in its next hello. Times are ms since the epoch.";

/// The one thing that AsyncAPI has no word for.
const CLOSES: &str = "x-close-codes";

/// `GET /asyncapi.json`.
pub async fn serve() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(text().clone())
}

/// The document, as it is served.
fn text() -> &'static Bytes {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    TEXT.get_or_init(|| Bytes::from(document().to_string()))
}

fn document() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "engage, client protocol",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": servers(),
        "channels": {"connect": connect(), "stream": stream(), "messages": messages()},
        "operations": operations(),
        "components": {
            "messages": all_messages(),
            "schemas": schemas::all(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A user's token; it may stand in the hello, or in the body of a post, instead. Never in the URL."}},
        },
    })
}

fn servers() -> Value {
    let server = |protocol: &str, about: &str| {
        json!({
            "host": "{host}",
            "protocol": protocol,
            "description": about,
            "variables": {"host": {"default": "127.0.0.1:7400", "description": "Any node of the cluster."}},
            "security": [{"$ref": "#/components/securitySchemes/token"}],
        })
    };
    json!({
        "ws": server("ws", "A node without TLS of its own."),
        "wss": server("wss", "A node with TLS, or behind a proxy that has it."),
        "http": server("http", "The same node, for clients that can't hold a WebSocket."),
        "https": server("https", "The same, with TLS."),
    })
}

fn connect() -> Value {
    let names = schemas::from_client().into_iter().chain(schemas::from_server()).map(|(name, _)| name);
    let headers = json!({
        "type": "object",
        "properties": {
            "Sec-WebSocket-Protocol": {"type": "string", "enum": [SUBPROTOCOL]},
            "Authorization": {"type": "string", "description": "Bearer and the user's JWT, for clients that can set it."},
        },
    });
    json!({
        "address": "/v1/connect",
        "title": "A WebSocket",
        "description": "The first message is a `hello`, within 5 s. Then come `welcome`, a `withdraw` for each key in `open` that is settled or held elsewhere, the offers, and `caught_up`. \
                        Closed with one of the codes in `x-close-codes`, after an `error` or a `bye` that says the same in words.",
        "servers": [{"$ref": "#/servers/ws"}, {"$ref": "#/servers/wss"}],
        "messages": refer(names),
        "bindings": {"ws": {"method": "GET", "headers": headers, "bindingVersion": "0.1.0"}},
        "x-subprotocol": SUBPROTOCOL,
        CLOSES: codes::closes(),
    })
}

fn stream() -> Value {
    let names = ["Hello"].into_iter().chain(schemas::from_server().into_iter().map(|(name, _)| name));
    json!({
        "address": "/v1/stream",
        "title": "Server-sent events",
        "description": "A hello as the body of a POST. The answer is `text/event-stream`: the data of each event is a `ServerFrame`.",
        "servers": over_http(),
        "messages": refer(names),
    })
}

fn messages() -> Value {
    json!({
        "address": "/v1/messages",
        "title": "Messages without a connection",
        "description": "What clients of a stream talk by, and what a page sends as it unloads: of any content type, so that a beacon needs no preflight.",
        "servers": over_http(),
        "messages": refer(["Post", "Answers"]),
    })
}

fn over_http() -> Value {
    json!([{"$ref": "#/servers/http"}, {"$ref": "#/servers/https"}])
}

fn operations() -> Value {
    let client = || schemas::from_client().into_iter().map(|(name, _)| name);
    let server = || schemas::from_server().into_iter().map(|(name, _)| name);
    let post = || json!({"http": {"method": "POST", "bindingVersion": "0.3.0"}});
    let answered = json!({"channel": {"$ref": "#/channels/messages"}, "messages": of_channel("messages", ["Answers"])});
    json!({
        "hear": {"action": "receive", "title": "What a client says", "channel": {"$ref": "#/channels/connect"}, "messages": of_channel("connect", client())},
        "say": {"action": "send", "title": "What a node says", "channel": {"$ref": "#/channels/connect"}, "messages": of_channel("connect", server())},
        "open": {"action": "receive", "title": "The hello of a stream", "channel": {"$ref": "#/channels/stream"}, "messages": of_channel("stream", ["Hello"]), "bindings": post()},
        "stream": {"action": "send", "title": "What a node says on a stream", "channel": {"$ref": "#/channels/stream"}, "messages": of_channel("stream", server())},
        "post": {"action": "receive", "title": "What a client posts", "channel": {"$ref": "#/channels/messages"}, "messages": of_channel("messages", ["Post"]), "reply": answered, "bindings": post()},
    })
}

/// The messages of a channel, by name.
fn refer(names: impl IntoIterator<Item = &'static str>) -> Value {
    let line = |name: &str| (name.to_owned(), json!({"$ref": format!("#/components/messages/{name}")}));
    Value::Object(names.into_iter().map(line).collect())
}

/// The messages of an operation, which must be its channel's.
fn of_channel(channel: &str, names: impl IntoIterator<Item = &'static str>) -> Value {
    names.into_iter().map(|name| json!({"$ref": format!("#/channels/{channel}/messages/{name}")})).collect()
}

fn all_messages() -> Map<String, Value> {
    let carried = ["Post", "Answers"].map(|name| (name, name));
    let typed = schemas::from_client().into_iter().chain(schemas::from_server());
    let typed = typed.map(|(name, schema)| (name, schema["properties"]["type"]["enum"][0].as_str().unwrap_or(name).to_owned()));
    let all = typed.chain(carried.map(|(name, word)| (name, word.to_owned())));
    all.map(|(name, word)| (name.to_owned(), json!({"name": word, "title": name, "payload": schemas::reference(name)}))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::code::Code;

    #[test]
    fn every_code_of_the_protocol_is_told_with_its_close_code() {
        let document = document();
        let closes = document["channels"]["connect"][CLOSES].as_array().unwrap();
        for code in Code::ALL {
            let meaning = code.meaning();
            let told = closes.iter().find(|close| close["codes"].as_array().unwrap().iter().any(|it| it["code"] == meaning.name));
            assert_eq!(told.map(|close| close["close"].as_u64().unwrap()), meaning.close.map(u64::from), "{}", meaning.name);
            let words = &document["components"]["schemas"]["Error"]["properties"]["code"]["enum"];
            let is_told = words.as_array().unwrap().iter().any(|word| word == meaning.name);
            assert!(is_told || meaning.close.is_none(), "{} ends connections", meaning.name);
        }
    }

    #[test]
    fn nothing_refers_to_what_is_not_there() {
        let document = document();
        let text = document.to_string();
        let targets: Vec<&str> = text.split("{\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(targets.len() > 50, "{}", targets.len());
        for target in targets {
            assert!(document.pointer(target).is_some(), "{target} is missing");
        }
    }
}

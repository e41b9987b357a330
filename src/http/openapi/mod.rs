//! The OpenAPI 3.1 document of the node: every route, what it takes, what it answers, and every problem. Made from the handlers and the answers, so that it can't say
//! something else; a test holds it against the table of routes.

pub mod words;
pub mod schemas;
mod others;

use std::sync::OnceLock;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use bytes::Bytes;
use serde_json::Value;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::{asyncapi, backup, cluster, delivery_answers, figures, many, outcomes, problem, publish, replicas, users};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "engage",
        description = "A clustered, in-memory delivery node for live engagements: the first confirmed showing wins, on every device, through every failover. \
                       Durations are strings such as \"90s\"; times are ms since the epoch.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        publish::publish,
        many::publish_many,
        users::user,
        users::forget,
        users::deliveries,
        users::engagement,
        users::withdraw,
        outcomes::outcomes,
        cluster::cluster,
        cluster::drain,
        cluster::remove,
        backup::shard,
        figures::figures,
        replicas::replicas,
        others::connect,
        others::stream,
        others::messages,
        others::healthz,
        others::readyz,
        others::metrics,
        others::openapi,
        others::asyncapi,
        others::console,
    ),
    components(schemas(schemas::Problem, delivery_answers::OutcomeLine)),
    modifiers(&Keys, &Problems),
    tags(
        (name = "publish", description = "For publishers. A key of role `publish` or `admin`."),
        (name = "users", description = "One user. A key of role `publish`, `read` or `admin`; forgetting needs `admin`."),
        (name = "outcomes", description = "What became of deliveries. A key of role `read` or `admin`."),
        (name = "cluster", description = "Nodes and shards. A key of role `admin`."),
        (name = "clients", description = "The client protocol. A user's token."),
        (name = "node", description = "The process itself. Open to anyone: it shows nothing of any user."),
    ),
)]
struct Document;

/// The tags whose routes need an API key.
const KEY_TAGS: [&str; 4] = ["publish", "users", "outcomes", "cluster"];

/// What some routes never answer, by their operation: they take nothing that could be wrong, need no majority, are open to every role, or answer for each message or item.
const NEVER: [(&str, &[&str]); 8] = [
    ("cluster", &["400", "503"]),
    ("figures", &["400", "503"]),
    ("replicas", &["400", "503"]),
    ("publishMany", &["503"]),
    ("messages", &["503"]),
    ("getUser", &["403"]),
    ("listDeliveries", &["403"]),
    ("getEngagement", &["403"]),
];

/// Says which routes need an API key, and what a route answers that refuses one.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = |about: &str| SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", bearer("A key of the configuration, `auth.api_keys`."));
        components.add_security_scheme("token", bearer("A user's JWT; it may stand in the hello instead."));
        for operation in operations(document) {
            let has_tag = |tag: &str| operation.tags.iter().flatten().any(|name| name == tag);
            let (needs_key, is_client) = (KEY_TAGS.iter().any(|tag| has_tag(tag)), has_tag("clients"));
            if needs_key {
                operation.security = Some(vec![SecurityRequirement::new("api_key", [] as [&str; 0])]);
                add_problem(operation, "401", "`unauthorized`: there is no API key, or one that isn't known.");
                add_problem(operation, "403", "`forbidden`: the key's role may not do this.");
            }
            if is_client {
                operation.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("token", [] as [&str; 0])]);
                add_problem(operation, "401", "`unauthorized` or `token_expired`.");
                add_problem(operation, "403", "`forbidden`: the origin is not allowed, or the token is another device's.");
            }
            if needs_key || is_client {
                add_problem(operation, "400", "`bad_request` or `unknown_field`, naming the field; `bad_message` of a client.");
                add_problem(
                    operation,
                    "503",
                    "`unavailable`: no majority, no leader or no room in time. Safe to send again, after `Retry-After`.",
                );
            }
            if needs_key {
                add_problem(operation, "429", "`rate_limited`: too many at once. `Retry-After` says when to come again.");
            }
            if operation.request_body.is_some() {
                add_problem(operation, "413", "`too_large`: the body or the payload passes its bound.");
            }
            // A client's body is taken whatever it says that it is: a beacon says `text/plain`.
            if operation.request_body.is_some() && needs_key {
                add_problem(operation, "415", "`unsupported_media_type`: the body says that it is something else than JSON.");
            }
        }
    }
}

fn never(operation: &Operation) -> &'static [&'static str] {
    NEVER.iter().find(|(id, _)| operation.operation_id.as_deref() == Some(*id)).map_or(&[], |(_, statuses)| *statuses)
}

/// Gives every error the body of a problem document.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for operation in operations(document) {
            for (status, response) in &mut operation.responses.responses {
                let is_error = status.starts_with('4') || status.starts_with('5');
                if let RefOr::T(response) = response
                    && is_error
                {
                    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
                    response.content.insert(problem::CONTENT_TYPE.to_owned(), content.into());
                }
            }
        }
    }
}

fn add_problem(operation: &mut Operation, status: &str, description: &str) {
    if never(operation).contains(&status) {
        return;
    }
    let response = ResponseBuilder::new().description(description).build();
    operation.responses.responses.entry(status.to_owned()).or_insert_with(|| response.into());
}

fn operations(document: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| [&mut item.get, &mut item.post, &mut item.delete]).flatten()
}

/// The document, as it is served.
fn text() -> &'static Bytes {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    TEXT.get_or_init(|| Bytes::from(whole().to_string()))
}

/// With the messages of clients, which both documents share.
fn whole() -> Value {
    let mut document = serde_json::to_value(Document::openapi()).expect("the document is made of texts and numbers");
    if let Some(schemas) = document["components"]["schemas"].as_object_mut() {
        schemas.extend(asyncapi::schemas::all());
    }
    document
}

/// `GET /openapi.json`.
pub async fn serve() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(text().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::routes::{Access, ROUTES};
    use crate::protocol::api::publish::FIELDS;

    /// The routes that other rooms serve: the client protocol and the node itself.
    const OTHERS: [(&str, &str); 7] = [
        ("/v1/connect", "get"),
        ("/v1/stream", "post"),
        ("/v1/messages", "post"),
        ("/healthz", "get"),
        ("/readyz", "get"),
        ("/metrics", "get"),
        ("/console", "get"),
    ];

    fn document() -> Value {
        serde_json::from_slice(text()).unwrap()
    }

    fn described(document: &Value) -> Vec<(String, String)> {
        let paths = document["paths"].as_object().unwrap();
        let mut all: Vec<_> =
            paths.iter().flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone()))).collect();
        all.sort();
        all
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let ours = ROUTES.iter().map(|entry| (entry.path.to_owned(), entry.method.as_str().to_lowercase()));
        let others = OTHERS.iter().map(|(path, method)| ((*path).to_owned(), (*method).to_owned()));
        let mut served: Vec<_> = ours.chain(others).collect();
        served.sort();
        assert_eq!(described(&document()), served);
    }

    #[test]
    fn every_route_that_needs_a_key_says_so_and_describes_its_problems() {
        let document = document();
        for entry in ROUTES {
            let operation = &document["paths"][entry.path][entry.method.as_str().to_lowercase()];
            assert_eq!(entry.access != Access::Anyone, operation["security"][0]["api_key"].is_array(), "{} {}", entry.method, entry.path);
            if entry.access != Access::Anyone {
                let never = NEVER.iter().find(|(id, _)| operation["operationId"] == *id).map_or(&[] as &[&str], |(_, statuses)| *statuses);
                for status in ["400", "401", "403", "429", "503"] {
                    let schema = &operation["responses"][status]["content"]["application/problem+json"]["schema"]["$ref"];
                    let is_described = schema == "#/components/schemas/Problem";
                    assert_eq!(is_described, !never.contains(&status), "{} {} {status}", entry.method, entry.path);
                }
            }
        }
    }

    #[test]
    fn every_part_of_a_path_is_a_parameter_that_must_be_there() {
        let document = document();
        for entry in ROUTES {
            let operation = &document["paths"][entry.path][entry.method.as_str().to_lowercase()];
            let in_path = entry.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
            let described = operation["parameters"].as_array().into_iter().flatten().filter(|parameter| parameter["in"] == "path");
            let described: Vec<_> =
                described.map(|parameter| (parameter["name"].as_str().unwrap(), parameter["required"].as_bool())).collect();
            let expected: Vec<_> = in_path.map(|name| (name, Some(true))).collect();
            assert_eq!(described, expected, "{} {}", entry.method, entry.path);
        }
    }

    #[test]
    fn the_document_is_openapi_3_1_and_refers_to_nothing_that_is_missing() {
        let document = document();
        assert_eq!(document["openapi"], "3.1.0");
        let text = document.to_string();
        let names: Vec<&str> = text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(!names.is_empty());
        for name in names {
            assert!(document["components"]["schemas"].get(name).is_some(), "{name} is missing");
        }
        let mut ids: Vec<_> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
            .map(|it| it["operationId"].as_str().unwrap())
            .collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "operation ids are unique");
    }

    /// schemathesis sent hellos that were described as good and are not, and met events that were described as the messages in them.
    #[test]
    fn a_hello_and_the_events_of_a_stream_are_described_as_they_are_read_and_sent() {
        let document = document();
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Hello"]["properties"]["type"]["enum"], serde_json::json!(["hello"]));
        for (schema, field) in [("Hello", "type"), ("Hello", "device"), ("HelloAck", "step"), ("Key", "window"), ("Ack", "window")] {
            let required = schemas[schema]["required"].as_array().unwrap();
            assert!(required.contains(&Value::from(field)), "{schema}.{field}");
        }
        for (path, method, event) in [("/v1/stream", "post", "ClientEvent"), ("/v1/outcomes", "get", "OutcomeEvent")] {
            let content = &document["paths"][path][method]["responses"]["200"]["content"]["text/event-stream"];
            assert_eq!(content["schema"]["$ref"], format!("#/components/schemas/{event}"));
            assert_eq!(schemas[event]["properties"]["data"]["contentMediaType"], "application/json");
        }
    }

    #[test]
    fn the_publish_that_is_described_has_the_fields_that_are_read() {
        let document = document();
        let mut described: Vec<_> =
            document["components"]["schemas"]["Publish"]["properties"].as_object().unwrap().keys().cloned().collect();
        let mut read: Vec<_> = FIELDS.iter().map(ToString::to_string).collect();
        described.sort();
        read.sort();
        assert_eq!(described, read);
        assert_eq!(document["components"]["schemas"]["Publish"]["additionalProperties"], false);
    }
}

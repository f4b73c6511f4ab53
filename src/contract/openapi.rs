//! The OpenAPI document, which describes the HTTP routes.

use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answers::{ErrorAnswer, FeedStatus, Health, Readiness};
use super::schemas::Schemas;
use super::{commands, frames};

/// The beginning of the document's description.
const DESCRIPTION: &str = "Market data over WebSocket and HTTP. Every path that answers `GET` also answers `HEAD`, \
                           except `/ws`. Every path answers `OPTIONS` with 204. A wrong method gets 405 with `Allow`. \
                           Prices and sizes are exact decimals. `/asyncapi.json` describes the WebSocket.";

/// For each status of an error response: the name of the response, and what is wrong.
const ERRORS: [(u16, &str, &str); 13] = [
    (400, "BadRequest", "The request, a parameter or the body is malformed."),
    (401, "Unauthorized", "The token is missing or unknown."),
    (403, "Forbidden", "The token, the `Host` rule or the `Origin` rule forbids the request."),
    (404, "NotFound", "There is no such page."),
    (408, "TooSlow", "The body did not come within `server.header_timeout`."),
    (409, "Conflict", "The feed cannot do this, or the feed has ended."),
    (410, "Gone", "The history no longer has the events after the cursor."),
    (413, "BodyTooLong", "The body is too long."),
    (414, "UrlTooLong", "The URL is too long."),
    (426, "UpgradeRequired", "The request needs a WebSocket handshake of version 13."),
    (429, "TooManyRequests", "The client's address has too many connections, or connects too often."),
    (431, "HeadersTooLarge", "The headers are too many or too long."),
    (503, "Unavailable", "The server is full, or does not deliver at the moment."),
];

/// The statuses of errors that every path can answer.
const EVERYWHERE: [u16; 4] = [400, 414, 429, 431];

/// Returns the OpenAPI document.
#[must_use]
pub fn openapi() -> Value {
    let mut schemas = Schemas::default();
    let paths = paths(&mut schemas);
    let errors = errors(&mut schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "tickerplant",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that serves this document."}],
        "tags": [
            {"name": "data", "description": "Market data"},
            {"name": "feed", "description": "The feed and its control"},
            {"name": "operation", "description": "Health and metrics"},
            {"name": "contract", "description": "The contract in machine-readable form"},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas.into_value(),
            "responses": errors,
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "A token, if the server has tokens.",
                },
                "token": {
                    "type": "apiKey", "in": "query", "name": "token",
                    "description": "The same token in the URL. Proxies may log this parameter.",
                },
            },
        },
    })
}

/// Returns all paths with their operations.
fn paths(schemas: &mut Schemas) -> Value {
    let parameters = url_parameters(schemas);
    let mut stream_parameters = parameters.clone();
    stream_parameters[0]["required"] = json!(true);
    let page = json!({"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}});
    let upgraded = json!({"description": "The connection is a WebSocket now."});
    let frames = frames::stream_frames(schemas);
    let frame = schemas.one_of("Frame", "One line of a stream.", "type", &frames);
    let lines = json!({
        "description": "Lines. Each line is a frame.",
        "content": {"application/x-ndjson": {"schema": frame}},
    });
    let metrics = json!({
        "description": "The metrics.",
        "content": {"application/openmetrics-text": {"schema": {"type": "string"}}},
    });
    let document = json!({
        "description": "The document.", "content": {"application/json": {"schema": {"type": "object"}}},
    });
    let alive = answer::<Health>(schemas, "The process lives.");
    let ready = answer::<Readiness>(schemas, "The server delivers.");
    let feed_status = answer::<FeedStatus>(schemas, "The status of the feed.");
    json!({
        "/": {"get": {
            "operationId": "getPage",
            "tags": ["data"],
            "summary": "A page with a table of moving prices. With `Upgrade: websocket`, the same as `/ws`.",
            "responses": responses(json!({"200": page, "101": upgraded}), &[401, 403, 426, 503]),
        }},
        "/ws": {"get": {
            "operationId": "openWebSocket",
            "tags": ["data"],
            "summary": "A WebSocket. `/asyncapi.json` describes its frames and commands.",
            "parameters": parameters,
            "security": with_token(),
            "responses": responses(json!({"101": upgraded}), &[401, 403, 426, 503]),
        }},
        "/ndjson": {"get": {
            "operationId": "streamLines",
            "tags": ["data"],
            "summary": "A stream of frames, one a line. The stream ends only when the server ends it.",
            "parameters": stream_parameters,
            "security": with_token(),
            "responses": responses(json!({"200": lines}), &[401, 403, 503]),
        }},
        "/api/v1/feed": {
            "get": {
                "operationId": "getFeed",
                "tags": ["feed"],
                "summary": "The status of the feed.",
                "security": with_token(),
                "responses": responses(json!({"200": feed_status}), &[401, 403, 503]),
            },
            "post": {
                "operationId": "controlFeed",
                "tags": ["feed"],
                "summary": "Executes a command to the feed. A token needs the permission `control`.",
                "security": with_token(),
                "requestBody": {
                    "required": true,
                    "description": "The command, with at most 4096 bytes. Its `Content-Type` does not matter.",
                    "content": {"application/json": {"schema": commands::feed(schemas)}},
                },
                "responses": responses(json!({"200": feed_status}), &[401, 403, 408, 409, 413, 503]),
            },
        },
        "/openapi.json": {"get": {
            "operationId": "getOpenapi",
            "tags": ["contract"],
            "summary": "This document.",
            "responses": responses(json!({"200": document}), &[403, 503]),
        }},
        "/asyncapi.json": {"get": {
            "operationId": "getAsyncapi",
            "tags": ["contract"],
            "summary": "The AsyncAPI document, which describes the WebSocket.",
            "responses": responses(json!({"200": document}), &[403, 503]),
        }},
        "/healthz": {"get": {
            "operationId": "getHealth",
            "tags": ["operation"],
            "summary": "Whether the process lives.",
            "responses": responses(json!({"200": alive}), &[]),
        }},
        "/readyz": {"get": {
            "operationId": "getReadiness",
            "tags": ["operation"],
            "summary": "Whether the server delivers.",
            "responses": responses(json!({"200": ready}), &[503]),
        }},
        "/metrics": {"get": {
            "operationId": "getMetrics",
            "tags": ["operation"],
            "summary": "The metrics in the text format of OpenMetrics.",
            "security": with_token(),
            "responses": responses(json!({"200": metrics}), &[401, 403]),
        }},
    })
}

/// Returns a response whose body is a `T`.
fn answer<T: ToSchema>(schemas: &mut Schemas, description: &str) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": schemas.of::<T>()}}})
}

/// Returns the parameters of a URL that subscribes; `symbols` comes first. The token has a security scheme
/// instead.
fn url_parameters(schemas: &mut Schemas) -> Vec<Value> {
    let parameters = frames::url_parameters(schemas).into_iter().filter(|(name, ..)| *name != "token");
    let parameter = |(name, description, schema)| {
        json!({
            "name": name, "in": "query", "description": description, "schema": schema,
            "style": "form", "explode": false,
        })
    };
    parameters.map(parameter).collect()
}

/// Returns the responses of an operation: the responses to a right request, and one for each error status.
fn responses(mut responses: Value, errors: &[u16]) -> Value {
    for status in EVERYWHERE.iter().chain(errors) {
        let (_, name, _) = ERRORS.iter().find(|(known, ..)| known == status).expect("the status is listed");
        responses[status.to_string()] = json!({"$ref": format!("#/components/responses/{name}")});
    }
    responses
}

/// Returns the error responses by name.
fn errors(schemas: &mut Schemas) -> Value {
    let error = |(_, name, description): (u16, &str, &str)| {
        (name.to_owned(), answer::<ErrorAnswer>(schemas, description))
    };
    Value::Object(ERRORS.map(error).into_iter().collect())
}

/// Returns the security requirements of a path that needs a token, if the server has tokens.
fn with_token() -> Value {
    json!([{}, {"bearer": []}, {"token": []}])
}

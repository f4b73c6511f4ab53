//! The OpenAPI document, which describes the HTTP routes.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::answers::{ErrorAnswer, FeedStatus, Health, Readiness};
use super::schemas::Schemas;
use super::{commands, frames};

/// The beginning of the document's description.
const DESCRIPTION: &str = "Market data over WebSocket and HTTP. Every path that answers `GET` also answers `HEAD`, \
                           except `/ws`. Every path answers `OPTIONS` with 204. A wrong method gets 405 with `Allow`. \
                           Prices and sizes are exact decimals. `/asyncapi.json` describes the WebSocket.";

/// For each status of an error response: the name of the response, and what is wrong.
const ERRORS: [(u16, &str, &str); 15] = [
    (400, "BadRequest", "The request, a parameter or the body is malformed."),
    (401, "Unauthorized", "The token is missing or unknown."),
    (403, "Forbidden", "The token, the `Host` rule or the `Origin` rule forbids the request."),
    (404, "NotFound", "There is no such page."),
    (405, "MethodNotAllowed", "The page answers other methods. `Allow` lists these methods."),
    (408, "TooSlow", "The body did not come within `server.header_timeout`."),
    (409, "Conflict", "The feed cannot do this, or the feed has ended."),
    (410, "Gone", "The history no longer has the events after the cursor."),
    (413, "BodyTooLong", "The body is too long."),
    (414, "UrlTooLong", "The URL is too long."),
    (426, "UpgradeRequired", "The request needs a WebSocket handshake of version 13."),
    (429, "TooManyRequests", "The client's address has too many connections, or connects too often."),
    (431, "HeadersTooLarge", "The headers are too many or too long."),
    (503, "Unavailable", "The server is full, or does not deliver at the moment."),
    (501, "NotImplemented", "The server does not know the transfer encoding of the request."),
];

/// The statuses of errors that every path can answer.
const EVERYWHERE: [u16; 4] = [400, 414, 429, 431];

/// Returns the OpenAPI document.
#[must_use]
pub fn openapi() -> Value {
    let mut document = Document::default();
    let paths = document.paths();
    let Document { schemas, parameters } = document;
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
            "parameters": parameters,
            "responses": errors(),
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

/// The parts of a document that its paths refer to.
#[derive(Default)]
struct Document {
    schemas: Schemas,
    parameters: Map<String, Value>,
}

impl Document {
    fn paths(&mut self) -> Value {
        let url_parameters = self.url_parameters();
        let websocket = json!({
            "operationId": "openWebSocket",
            "tags": ["data"],
            "summary": "A WebSocket. `/asyncapi.json` describes its frames and commands.",
            "parameters": url_parameters,
            "security": with_token(),
            "responses": responses(
                &[401, 403, 426, 503],
                "101",
                &json!({"description": "The connection is a WebSocket now."}),
            ),
        });
        let frames = frames::stream_frames(&mut self.schemas);
        let frame = self.schemas.one_of("Frame", "One line of a stream.", "type", &frames);
        let feed_status = self.answer::<FeedStatus>("The status of the feed.");
        json!({
            "/": {"get": {
                "operationId": "getPage",
                "tags": ["data"],
                "summary": "A page with a table of moving prices. With `Upgrade: websocket`, the same as `/ws`.",
                "responses": responses(&[403, 503], "200", &json!({
                    "description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}
                })),
            }},
            "/ws": {"get": websocket},
            "/ndjson": {"get": {
                "operationId": "streamLines",
                "tags": ["data"],
                "summary": "A stream of frames, one a line. `symbols` is required. The stream has no end.",
                "parameters": url_parameters,
                "security": with_token(),
                "responses": responses(&[401, 403, 503], "200", &json!({
                    "description": "Lines. Each line is a frame.",
                    "content": {"application/x-ndjson": {"schema": frame}},
                })),
            }},
            "/api/v1/feed": {
                "get": {
                    "operationId": "getFeed",
                    "tags": ["feed"],
                    "summary": "The status of the feed.",
                    "security": with_token(),
                    "responses": responses(&[401, 403, 503], "200", &feed_status),
                },
                "post": {
                    "operationId": "controlFeed",
                    "tags": ["feed"],
                    "summary": "Executes a command to the feed. A token needs the permission `control`.",
                    "security": with_token(),
                    "requestBody": {
                        "required": true,
                        "description": "The command, with at most 4096 bytes. Its `Content-Type` does not matter.",
                        "content": {"application/json": {"schema": commands::feed(&mut self.schemas)}},
                    },
                    "responses": responses(&[401, 403, 408, 409, 413, 503], "200", &feed_status),
                },
            },
            "/openapi.json": {"get": {
                "operationId": "getOpenapi",
                "tags": ["contract"],
                "summary": "This document.",
                "responses": responses(&[403, 503], "200", &any_object("The OpenAPI document.")),
            }},
            "/asyncapi.json": {"get": {
                "operationId": "getAsyncapi",
                "tags": ["contract"],
                "summary": "The AsyncAPI document, which describes the WebSocket.",
                "responses": responses(&[403, 503], "200", &any_object("The AsyncAPI document.")),
            }},
            "/healthz": {"get": {
                "operationId": "getHealth",
                "tags": ["operation"],
                "summary": "Whether the process lives.",
                "responses": responses(&[], "200", &self.answer::<Health>("The process lives.")),
            }},
            "/readyz": {"get": {
                "operationId": "getReadiness",
                "tags": ["operation"],
                "summary": "Whether the server delivers.",
                "responses": responses(&[503], "200", &self.answer::<Readiness>("The server delivers.")),
            }},
            "/metrics": {"get": {
                "operationId": "getMetrics",
                "tags": ["operation"],
                "summary": "The metrics in the text format of OpenMetrics.",
                "security": with_token(),
                "responses": responses(&[401, 403], "200", &json!({
                    "description": "The metrics.",
                    "content": {"application/openmetrics-text": {"schema": {"type": "string"}}},
                })),
            }},
        })
    }

    /// Returns a response whose body is a `T`.
    fn answer<T: ToSchema>(&mut self, description: &str) -> Value {
        json!({"description": description, "content": {"application/json": {"schema": self.schemas.of::<T>()}}})
    }

    /// Adds the parameters of a URL that subscribes, and returns references to the parameters. The token has
    /// a security scheme instead.
    fn url_parameters(&mut self) -> Vec<Value> {
        self.schemas.of::<ErrorAnswer>();
        let mut references = Vec::new();
        for (name, description, schema) in frames::url_parameters(&mut self.schemas) {
            if name != "token" {
                let parameter = json!({
                    "name": name, "in": "query", "description": description, "schema": schema,
                    "style": "form", "explode": false,
                });
                self.parameters.insert(name.to_owned(), parameter);
                references.push(json!({"$ref": format!("#/components/parameters/{name}")}));
            }
        }
        references
    }
}

/// Returns the responses of an operation: the response to a right request, and one for each error status.
fn responses(statuses: &[u16], right: &str, answer: &Value) -> Value {
    let mut responses = Map::new();
    responses.insert(right.to_owned(), answer.clone());
    for status in EVERYWHERE.iter().chain(statuses) {
        let (_, name, _) = ERRORS.iter().find(|(known, ..)| known == status).expect("the status is listed");
        responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
    }
    Value::Object(responses)
}

/// Returns the error responses by name.
fn errors() -> Value {
    let error = |(_, name, description): (u16, &str, &str)| {
        let body = json!({"schema": {"$ref": "#/components/schemas/ErrorAnswer"}});
        let response = json!({"description": description, "content": {"application/json": body}});
        (name.to_owned(), response)
    };
    Value::Object(ERRORS.map(error).into_iter().collect())
}

fn any_object(description: &str) -> Value {
    json!({"description": description, "content": {"application/json": {"schema": {"type": "object"}}}})
}

/// Returns the security requirements of a path that needs a token, if the server has tokens.
fn with_token() -> Value {
    json!([{}, {"bearer": []}, {"token": []}])
}

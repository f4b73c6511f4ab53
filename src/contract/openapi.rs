//! The OpenAPI document, which describes the HTTP routes.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::answers::{
    BarInterval, BarsPage, ClusterStatus, ErrorAnswer, EventsPage, FeedStatus, Health, Info, Readiness,
    SnapshotsPage, SymbolsPage,
};
use super::schemas::Schemas;
use super::values::{Cursor, Symbol};
use super::{commands, frames};

/// The beginning of the document's description.
const DESCRIPTION: &str = "Market data over WebSocket and HTTP. Every path that answers `GET` also answers `HEAD`, \
                           except `/ws`. Every path answers `OPTIONS` with 204. A wrong method gets 405 with `Allow`. \
                           Prices and sizes are exact decimals. A long answer is compressed if `Accept-Encoding` has \
                           gzip, brotli or zstd. `/asyncapi.json` describes the WebSocket.";

/// An event of `/sse`.
const SERVER_SENT_EVENT: &str = "id: k3f9x2m1-1042\ndata: {\"type\":\"trade\",\"symbol\":\"AAPL\",\"seq\":1042,\
                                 \"time\":\"2024-01-03T14:30:00.123456Z\",\"price\":184.25,\"size\":100}\nevent: trade\n\n";

/// For each status of an error response: the name of the response, and what is wrong.
const ERRORS: [(u16, &str, &str); 13] = [
    (400, "BadRequest", "The request, a parameter or the body is malformed."),
    (401, "Unauthorized", "The token is missing or unknown."),
    (403, "Forbidden", "The token, the `Host` rule or the `Origin` rule forbids the request."),
    (404, "NotFound", "There is no such page, or no such symbol."),
    (408, "TooSlow", "The body did not come within `server.header_timeout`."),
    (409, "Conflict", "The feed cannot do this, or the feed has ended."),
    (
        410,
        "Gone",
        "The history no longer has the events after the cursor, or the cursor is of another epoch.",
    ),
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
    let groups = [
        connecting_paths(schemas),
        data_paths(schemas),
        feed_path(schemas),
        cluster_path(schemas),
        server_paths(schemas),
    ];
    let mut paths = Map::new();
    for group in groups {
        if let Value::Object(group) = group {
            paths.extend(group);
        }
    }
    Value::Object(paths)
}

/// Returns the page, the WebSocket and the streams.
fn connecting_paths(schemas: &mut Schemas) -> Value {
    let parameters = url_parameters(schemas);
    let mut stream_parameters = parameters.clone();
    stream_parameters[0]["required"] = json!(true);
    let mut sse_parameters = stream_parameters.to_vec();
    sse_parameters.push(json!({
        "name": "Last-Event-ID", "in": "header", "schema": schemas.of::<Cursor>(),
        "description": "The cursor from which the client resumes, instead of `after`. `EventSource` sends this header.",
    }));
    let page = json!({"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}});
    let upgraded = json!({"description": "The connection is a WebSocket now."});
    let frames = frames::stream_frames(schemas);
    let frame = schemas.one_of("Frame", "One line of a stream.", "type", &frames);
    let lines = json!({
        "description": "Lines. Each line is a frame.",
        "content": {"application/x-ndjson": {"schema": frame}},
    });
    let server_sent = json!({
        "description": "Events. `id` is the cursor, `data` is a frame, and `event` is the frame's type.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": SERVER_SENT_EVENT}},
    });
    json!({
        "/": {"get": {
            "operationId": "getPage",
            "tags": ["data"],
            "summary": "The dashboard, a page with moving prices. With `Upgrade: websocket`, the same as `/ws`.",
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
        "/sse": {"get": {
            "operationId": "streamEvents",
            "tags": ["data"],
            "summary": "The same stream as Server-Sent Events, for the `EventSource` of browsers.",
            "parameters": sse_parameters,
            "security": with_token(),
            "responses": responses(json!({"200": server_sent}), &[401, 403, 503]),
        }},
    })
}

/// Returns the routes that answer market data, and the description of the server.
fn data_paths(schemas: &mut Schemas) -> Value {
    let [mut symbols, channels, ..] = url_parameters(schemas);
    symbols["required"] = json!(true);
    let symbol = schemas.of::<Symbol>();
    let cursor = schemas.of::<Cursor>();
    let after_symbol =
        parameter("after", "The answer begins after this symbol: the `next` of the page before.", &symbol);
    let after_cursor = parameter(
        "after",
        "The answer begins after this cursor; without this parameter, with the oldest event of the history.",
        &cursor,
    );
    let limit = |maximum: u32, description: &str| {
        parameter("limit", description, &json!({"type": "integer", "minimum": 1, "maximum": maximum}))
    };
    let symbol_limit = limit(10_000, "The maximum number of symbols; all without this parameter.");
    let event_limit = limit(10_000, "The maximum number of events; 1000 without this parameter.");
    let bar_limit = limit(5000, "The maximum number of bars; 500 without this parameter.");
    let interval = parameter(
        "interval",
        "The length of each bar; `1m` without this parameter.",
        &schemas.of::<BarInterval>(),
    );
    let path_symbol = json!({
        "name": "symbol", "in": "path", "required": true, "schema": symbol,
        "description": "The symbol. In this path, `/` and `%2F` mean the same.",
    });
    let events = frames::events(schemas);
    schemas.one_of("EventFrame", "One event.", "type", &events);
    let symbols_page = answer::<SymbolsPage>(schemas, "The symbols, in the order of their first events.");
    let snapshots_page = answer::<SnapshotsPage>(schemas, "The snapshots of the symbols that have data.");
    let events_page = answer::<EventsPage>(schemas, "The events, oldest first.");
    let bars_page = answer::<BarsPage>(schemas, "The bars, oldest first.");
    let info = answer::<Info>(schemas, "The description of the server.");
    json!({
        "/api/v1/symbols": {"get": {
            "operationId": "getSymbols",
            "tags": ["data"],
            "summary": "All symbols that have data and that the token allows, with their last prices.",
            "parameters": [after_symbol, symbol_limit],
            "security": with_token(),
            "responses": responses(json!({"200": symbols_page}), &[401, 403, 503]),
        }},
        "/api/v1/snapshots": {"get": {
            "operationId": "getSnapshots",
            "tags": ["data"],
            "summary": "The snapshots of symbols, as a subscriber would receive them.",
            "parameters": [symbols, after_symbol, symbol_limit],
            "security": with_token(),
            "responses": responses(json!({"200": snapshots_page}), &[401, 403, 503]),
        }},
        "/api/v1/events": {"get": {
            "operationId": "getEvents",
            "tags": ["data"],
            "summary": "Past events, the same that a resume would send.",
            "parameters": [symbols, channels, after_cursor, event_limit],
            "security": with_token(),
            "responses": responses(json!({"200": events_page}), &[401, 403, 410, 503]),
        }},
        "/api/v1/bars/{symbol}": {"get": {
            "operationId": "getBars",
            "tags": ["data"],
            "summary": "The newest bars of a symbol.",
            "parameters": [path_symbol, interval, bar_limit],
            "security": with_token(),
            "responses": responses(json!({"200": bars_page}), &[401, 403, 404, 503]),
        }},
        "/api/v1/info": {"get": {
            "operationId": "getInfo",
            "tags": ["data"],
            "summary": "The server's version and its limits for clients.",
            "responses": responses(json!({"200": info}), &[403, 503]),
        }},
    })
}

/// Returns the route of the feed.
fn feed_path(schemas: &mut Schemas) -> Value {
    let feed_status = answer::<FeedStatus>(schemas, "The status of the feed.");
    json!({
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
    })
}

/// Returns the route of the cluster.
fn cluster_path(schemas: &mut Schemas) -> Value {
    let cluster = answer::<ClusterStatus>(schemas, "What the node knows of its cluster.");
    json!({
        "/api/v1/cluster": {"get": {
            "operationId": "getCluster",
            "tags": ["operation"],
            "summary": "What a node knows of its cluster. A server that is no node of a cluster answers 404.",
            "security": with_token(),
            "responses": responses(json!({"200": cluster}), &[401, 403, 404, 503]),
        }},
    })
}

/// Returns the pages about the state of the server, the client library, and the two documents.
fn server_paths(schemas: &mut Schemas) -> Value {
    let document = json!({
        "description": "The document.", "content": {"application/json": {"schema": {"type": "object"}}},
    });
    let metrics = json!({
        "description": "The metrics.",
        "content": {"application/openmetrics-text": {"schema": {"type": "string"}}},
    });
    let alive = answer::<Health>(schemas, "The process lives.");
    let ready = answer::<Readiness>(schemas, "The server delivers.");
    let library = json!({
        "description": "An ES module.", "content": {"text/javascript": {"schema": {"type": "string"}}},
    });
    let licenses = json!({
        "description": "The licences.", "content": {"text/plain": {"schema": {"type": "string"}}},
    });
    json!({
        "/client.js": {"get": {
            "operationId": "getClientLibrary",
            "tags": ["contract"],
            "summary": "The client library for browsers and Node.js. A server that was built without npm has none.",
            "responses": responses(json!({"200": library}), &[403, 404, 503]),
        }},
        "/licenses.txt": {"get": {
            "operationId": "getLicenses",
            "tags": ["contract"],
            "summary": "The licences of the packages in the dashboard. A server that was built without npm has none.",
            "responses": responses(json!({"200": licenses}), &[403, 404, 503]),
        }},
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

/// Returns the parameters of a URL that subscribes; `symbols` and `channels` come first. The token has a
/// security scheme instead.
fn url_parameters(schemas: &mut Schemas) -> [Value; 5] {
    let [symbols, channels, delivery, interval, after, _token] = frames::url_parameters(schemas);
    [symbols, channels, delivery, interval, after]
        .map(|(name, description, schema)| parameter(name, description, &schema))
}

/// Returns a parameter of a URL. A list has commas between its entries.
fn parameter(name: &str, description: &str, schema: &Value) -> Value {
    json!({
        "name": name, "in": "query", "description": description, "schema": schema,
        "style": "form", "explode": false,
    })
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

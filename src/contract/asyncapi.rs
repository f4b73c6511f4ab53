//! The AsyncAPI document, which describes the messages of the WebSocket and of the streams.

use serde_json::{Map, Value, json};

use super::schemas::{Schemas, TaggedReference};
use super::{commands, frames};

const DESCRIPTION: &str = "Market data over WebSocket and HTTP streams. A WebSocket begins plain: the server relays \
                           every message that is no command to all clients, the sender included. With its first \
                           command, or with `symbols` in its URL, a client becomes a subscriber. From then on every \
                           frame is a JSON object with a `type`. `/openapi.json` describes the HTTP routes.";

/// Returns the AsyncAPI document.
#[must_use]
pub fn asyncapi() -> Value {
    let mut schemas = Schemas::default();
    let commands = commands::websocket(&mut schemas);
    let answers = frames::answers(&mut schemas);
    let subscriber_frames = frames::subscriber_frames(&mut schemas);
    let stream_frames = frames::stream_frames(&mut schemas);
    let query = query(&mut schemas);

    let command_names = commands.iter().map(|((name, _), _)| command_message(name));
    let answer_names = answers.iter().map(|(name, _)| (*name).to_owned());
    let frame_names: Vec<String> = subscriber_frames.iter().map(|(name, _)| (*name).to_owned()).collect();
    let stream_names: Vec<String> = stream_frames.iter().map(|(name, _)| (*name).to_owned()).collect();
    let socket_names = command_names.chain(answer_names).chain(frame_names.iter().cloned());
    let socket_names: Vec<String> = socket_names.chain(["relayed".to_owned()]).collect();

    let frame_messages =
        stream_frames.iter().chain(&answers).map(|frame| (frame.0.to_owned(), message(&schemas, frame)));
    let command_messages =
        commands.iter().map(|(command, _)| (command_message(command.0), message(&schemas, command)));
    let mut messages: Map<String, Value> = frame_messages.chain(command_messages).collect();
    messages.insert("relayed".to_owned(), relayed());

    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "tickerplant",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "websocket": server("ws"),
            "http": server("http"),
        },
        "channels": {
            "websocket": {
                "address": "/ws",
                "description": "The WebSocket. The server also opens a WebSocket at `/`.",
                "servers": [{"$ref": "#/servers/websocket"}],
                "messages": channel_messages(&socket_names),
                "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
            },
            "ndjson": {
                "address": "/ndjson",
                "description": "A stream of JSON lines over HTTP. The client cannot send anything.",
                "servers": [{"$ref": "#/servers/http"}],
                "messages": channel_messages(&stream_names),
            },
            "sse": {
                "address": "/sse",
                "description": "The same stream as Server-Sent Events. `id` is the cursor, `data` is the frame, and \
                                `event` is the frame's type. With the header `Last-Event-ID` the client resumes.",
                "servers": [{"$ref": "#/servers/http"}],
                "messages": channel_messages(&stream_names),
            },
        },
        "operations": operations(&commands, &frame_names, &stream_names, &query),
        "components": {
            "messages": messages,
            "schemas": schemas.into_value(),
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer", "description": "A token, if the server has tokens.",
                },
                "token": {
                    "type": "httpApiKey", "in": "query", "name": "token",
                    "description": "The same token in the URL. Proxies may log this parameter.",
                },
            },
        },
    })
}

fn server(protocol: &str) -> Value {
    json!({
        "host": "localhost:8000",
        "protocol": protocol,
        "description": "A server on this machine. Another server has another host, and may need TLS and a token.",
        "security": [
            {"$ref": "#/components/securitySchemes/bearer"}, {"$ref": "#/components/securitySchemes/token"}
        ],
    })
}

/// Returns the operations, as the server sees them: it receives commands and sends frames.
fn operations(
    commands: &[(TaggedReference, &str)],
    frame_names: &[String],
    stream_names: &[String],
    query: &Value,
) -> Value {
    let websocket = json!({"$ref": "#/channels/websocket"});
    let mut operations: Map<String, Value> = commands
        .iter()
        .map(|((name, _), reply)| {
            let operation = json!({
                "action": "receive",
                "channel": websocket,
                "messages": [in_channel("websocket", &command_message(name))],
                "reply": {
                    "channel": websocket,
                    "messages": [in_channel("websocket", reply), in_channel("websocket", "error")],
                },
            });
            ((*name).to_owned(), operation)
        })
        .collect();
    let frames: Vec<Value> = frame_names.iter().map(|name| in_channel("websocket", name)).collect();
    let stream =
        |channel: &str| -> Vec<Value> { stream_names.iter().map(|name| in_channel(channel, name)).collect() };
    let relayed = [in_channel("websocket", "relayed")];
    let others = [
        ("relay", "receive", "websocket", json!(relayed), "The server relays what is no command."),
        (
            "sendRelayed",
            "send",
            "websocket",
            json!(relayed),
            "A plain client gets messages as they were sent.",
        ),
        ("sendFrames", "send", "websocket", json!(frames), "A subscriber gets frames."),
        ("sendLines", "send", "ndjson", json!(stream("ndjson")), "A stream has one frame a line."),
        (
            "sendEvents",
            "send",
            "sse",
            json!(stream("sse")),
            "A stream of Server-Sent Events has one frame an event.",
        ),
    ];
    for (name, action, channel, messages, summary) in others {
        let operation = json!({
            "action": action,
            "channel": {"$ref": format!("#/channels/{channel}")},
            "summary": summary,
            "messages": messages,
        });
        operations.insert(name.to_owned(), operation);
    }
    for stream in ["sendLines", "sendEvents"] {
        operations[stream]["bindings"] =
            json!({"http": {"method": "GET", "query": query, "bindingVersion": "0.3.0"}});
    }
    Value::Object(operations)
}

/// Returns the schema of the parameters of a URL that subscribes.
fn query(schemas: &mut Schemas) -> Value {
    let property = |(name, description, schema): (&str, &str, Value)| {
        (name.to_owned(), json!({"description": description, "allOf": [schema]}))
    };
    let properties: Map<String, Value> = frames::url_parameters(schemas).into_iter().map(property).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn message(schemas: &Schemas, (name, reference): &TaggedReference) -> Value {
    json!({
        "name": name,
        "title": name,
        "summary": schemas.description(reference),
        "contentType": "application/json",
        "payload": reference,
        "examples": [{"payload": schemas.example(reference)}],
    })
}

/// Returns the message that clients send each other, which may be any text or bytes.
fn relayed() -> Value {
    json!({
        "name": "relayed",
        "title": "relayed",
        "summary": "Any text or bytes from one client to all clients. Subscribers get a `message` frame instead.",
        "contentType": "text/plain",
        "payload": {"type": "string"},
        "examples": [{"payload": "Hello, WebSocket Server!"}],
    })
}

/// Returns the name of a command's message. The name differs from the names of all frames.
fn command_message(action: &str) -> String {
    format!("{action}Command")
}

fn channel_messages(names: &[String]) -> Value {
    let reference = |name: &String| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")}));
    Value::Object(names.iter().map(reference).collect())
}

fn in_channel(channel: &str, message: &str) -> Value {
    json!({"$ref": format!("#/channels/{channel}/messages/{message}")})
}

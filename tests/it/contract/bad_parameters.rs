//! Sends bad values for every parameter in the OpenAPI document. Each value is refused with a documented status
//! and an error that names the parameter. Meanwhile a well-behaved client gets all its updates in order.

use jsonschema::{Draft, Validator};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};
use tickerplant::config::Config;
use tickerplant::contract::openapi;
use tokio::runtime::Builder;

use crate::support::events::trade;
use crate::support::json_answer::JsonAnswer;
use crate::support::proptest_cases::cases;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Values that are wrong for many parameters. Those that are right for a parameter are not sent to it.
const VALUES: [&str; 24] = [
    "",
    " ",
    "0",
    "-1",
    "+2",
    "1.5",
    "1e3",
    "60001",
    "10001",
    "99999999999999999999999",
    "null",
    "true",
    "ten",
    "Every",
    "trade",
    "trades,",
    "2m",
    "AA PL",
    "*x",
    "k3f9",
    "k3f9-",
    "-5",
    "k3f9-+5",
    "\u{0}",
];

/// A parameter of one operation, and what is needed to send it.
struct Parameter {
    path: String,
    name: String,
    place: String,
    /// Checks whether a value is right.
    schema: Validator,
    /// Whether the value is a list with commas between its entries.
    is_list: bool,
    /// A right value.
    example: String,
    /// The other parameters that the operation requires, each followed by `&`.
    others: String,
    /// The documented statuses of the operation.
    statuses: Vec<u16>,
}

impl Parameter {
    /// Returns all parameters of the OpenAPI document.
    fn all() -> Vec<Self> {
        let document = openapi();
        let mut all = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let operation = &operations["get"];
            let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
            all.extend(parameters.iter().map(|parameter| Self::new(&document, path, operation, parameter)));
        }
        assert!(all.len() > 20, "the document has parameters");
        all
    }

    fn new(document: &Value, path: &str, operation: &Value, parameter: &Value) -> Self {
        let with_components = json!({"components": document["components"], "allOf": [parameter["schema"]]});
        let schema = jsonschema::options().with_draft(Draft::Draft202012).build(&with_components).unwrap();
        let required = operation["parameters"].as_array().unwrap().iter();
        let required = required
            .filter(|other| other["required"] == true && other["in"] == "query" && *other != parameter);
        let pair =
            |other: &Value| format!("{}={}&", text(&other["name"]), example(document, &other["schema"]));
        let statuses = operation["responses"].as_object().unwrap().keys();
        Self {
            path: path.to_owned(),
            name: text(&parameter["name"]),
            place: text(&parameter["in"]),
            is_list: resolved(document, &parameter["schema"])["type"] == "array",
            schema,
            example: example(document, &parameter["schema"]),
            others: required.map(pair).collect(),
            statuses: statuses.map(|status| status.parse().unwrap()).collect(),
        }
    }

    /// Returns whether the schema allows a value.
    fn allows(&self, value: &str) -> bool {
        if self.is_list {
            return self.schema.is_valid(&value.split(',').collect());
        }
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let number = serde_json::from_str(value).ok().filter(|_| is_number);
        self.schema.is_valid(&json!(value)) || number.is_some_and(|number| self.schema.is_valid(&number))
    }

    /// Sends a value as it stands in a URL. Returns `None` if an HTTP request cannot have this value.
    async fn send(&self, server: &TestServer, raw: &str) -> Option<JsonAnswer> {
        let (others, name) = (&self.others, &self.name);
        let (target, mut headers) = match self.place.as_str() {
            "query" => (format!("{}?{others}{name}={raw}", self.path), String::new()),
            // An empty path is another page.
            "path" if raw.is_empty() => return None,
            "path" => (self.path.replace(&format!("{{{name}}}"), raw), String::new()),
            "header" if raw.trim().is_empty() || raw.contains('\0') => return None,
            _ => (format!("{}?{others}", self.path), format!("{name}: {raw}\r\n")),
        };
        let target = target.replace("{symbol}", "AAPL");
        if self.path == "/ws" {
            headers.push_str(HANDSHAKE);
        }
        Some(JsonAnswer::to(server, "GET", target.trim_end_matches('&'), &headers).await)
    }

    /// Checks that an answer refuses the parameter.
    fn check(&self, raw: &str, answer: &JsonAnswer) {
        let Self { path, name, statuses, .. } = self;
        let what = format!("{path} {name}={raw:?}: {} {}", answer.status, answer.text());
        assert!((400..500).contains(&answer.status) && statuses.contains(&answer.status), "{what}");
        assert!(answer.head.contains("content-type: application/json\r\n"), "{what}");
        let (code, message) = answer.error();
        assert!(!code.is_empty() && message.contains(name.as_str()) && message.len() < 1200, "{what}");
    }
}

/// A server with a well-behaved client.
struct Watched {
    server: TestServer,
    client: Client,
    published: u32,
}

impl Watched {
    async fn start() -> Self {
        let mut config = Config::default();
        config.limits.loopback = false;
        let server = TestServer::start(config).await;
        let mut client = server.connect("/ws?symbols=GOOD&delivery=every").await;
        client.expect(r#"{"type":"subscribed"}"#).await;
        Self { server, client, published: 0 }
    }

    /// Sends a bad value and checks the answer. Checks that the client gets the update that is published
    /// meanwhile.
    async fn refuse(&mut self, parameter: &Parameter, raw: &str) {
        self.published += 1;
        let price = self.published.to_string();
        self.server.publish([trade("GOOD", &price)]);
        if let Some(answer) = parameter.send(&self.server, raw).await {
            parameter.check(raw, &answer);
        }
        let update = loop {
            let frame = self.client.json().await;
            if frame["type"] != "heartbeat" {
                break frame;
            }
        };
        assert_eq!(
            (&update["type"], &update["price"]),
            (&json!("trade"), &json!(self.published)),
            "{update}"
        );
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn escaped(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

/// Returns the schema to which a schema refers, or the schema itself.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().map(|target| target.trim_start_matches('#'));
    target.map_or(schema, |target| document.pointer(target).unwrap())
}

/// Returns a value that a schema allows.
fn example(document: &Value, schema: &Value) -> String {
    let schema = resolved(document, schema);
    let value = [&schema["examples"][0], &schema["enum"][0], &schema["minimum"]]
        .into_iter()
        .find(|value| !value.is_null());
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => example(document, &schema["items"]),
    }
}

#[tokio::test]
async fn each_bad_value_is_refused_by_the_name_of_its_parameter() {
    let mut watched = Watched::start().await;
    let long = "Z9".repeat(3000);
    for parameter in Parameter::all() {
        for value in VALUES.into_iter().chain([long.as_str()]).filter(|value| !parameter.allows(value)) {
            let is_header = parameter.place == "header";
            watched.refuse(&parameter, &if is_header { value.to_owned() } else { escaped(value) }).await;
        }
        // A header is not percent-encoded, so these are simply bad values there.
        for raw in ["%", "A%4", "%zz", "%FF", "%C3%28"] {
            watched.refuse(&parameter, raw).await;
        }
    }
}

#[tokio::test]
async fn each_repeated_parameter_and_each_unknown_one_is_refused_by_name() {
    let mut watched = Watched::start().await;
    for mut parameter in Parameter::all() {
        let example = parameter.example.clone();
        assert!(parameter.allows(&example), "{}", parameter.name);
        let name = parameter.name.clone();
        match parameter.place.as_str() {
            "query" => watched.refuse(&parameter, &format!("{example}&{name}={example}")).await,
            "header" => watched.refuse(&parameter, &format!("{example}\r\n{name}: {example}")).await,
            _ => {}
        }
        parameter.name = "unknown".to_owned();
        parameter.place = "query".to_owned();
        watched.refuse(&parameter, "1").await;
    }
}

proptest! {
    #![proptest_config(cases(16))]

    #[test]
    fn any_text_that_the_schema_does_not_allow_is_refused(value in prop_oneof![any::<String>(), "[ -~]{0,40}", "[0-9+.-]{1,25}"]) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut watched = Watched::start().await;
            for parameter in Parameter::all() {
                if parameter.place != "header" && !parameter.allows(&value) {
                    watched.refuse(&parameter, &escaped(&value)).await;
                }
            }
        });
    }
}

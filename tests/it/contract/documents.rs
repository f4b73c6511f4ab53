//! Asks the server for the two documents, and compares the OpenAPI document with the server's answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tickerplant::config::Config;
use tickerplant::contract::openapi;

use super::schema_check::SchemaCheck;
use crate::support::test_server::TestServer;

/// The hash of the token `secret`, from `printf %s secret | sha256sum`.
const SECRET: &str = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

/// The settings of a paused replay.
const REPLAY: &str = "kind = \"replay\"\nreplay.files = [\"feeds/ticks.csv\"]\nclock.paused = true";

/// Sends a request and returns the status, the headers and the body of the response.
async fn answered(server: &TestServer, method: &str, path: &str, body: &str) -> (u16, String, String) {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let answer = server.request(&request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn both_documents_are_served_without_a_token() {
    let auth = toml::from_str(&format!("[[tokens]]\nname = \"dash\"\nsha256 = \"{SECRET}\"\n")).unwrap();
    let server = TestServer::start(Config { auth, ..Config::default() }).await;

    for (path, version, form) in
        [("/openapi.json", "openapi", "3.1.0"), ("/asyncapi.json", "asyncapi", "3.0.0")]
    {
        let (status, head, body) = answered(&server, "GET", path, "").await;
        let document: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &document[version]), (200, &json!(form)));
        assert!(head.contains("content-type: application/json\r\n"), "{head}");

        let (status, _, body) = answered(&server, "HEAD", path, "").await;
        assert_eq!((status, body.as_str()), (200, ""));
        assert_eq!(answered(&server, "POST", path, "").await.0, 405);
    }
    assert_eq!(answered(&server, "GET", "/metrics", "").await.0, 401);
}

#[tokio::test]
async fn the_openapi_document_describes_every_page_of_the_server() {
    let server = TestServer::start(Config::default()).await;
    let (_, _, body) = answered(&server, "GET", "/nope", "").await;
    let error: Value = serde_json::from_str(&body).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    let (_, pages) = message.split_once("there are ").unwrap();
    let pages: BTreeSet<&str> = pages.split([',', ' ']).filter(|word| word.starts_with('/')).collect();

    let document = openapi();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<String> = paths.keys().map(|path| path.replace("{symbol}", "SYMBOL")).collect();
    assert_eq!(described.iter().map(String::as_str).collect::<BTreeSet<_>>(), pages);
    for (path, described) in paths {
        let page = path.replace("{symbol}", "SYMBOL");
        let (_, head, _) = answered(&server, "OPTIONS", &page, "").await;
        let allow = head.lines().find_map(|line| line.strip_prefix("allow: ")).unwrap();
        let methods: BTreeSet<String> = allow.split(", ").map(str::to_lowercase).collect();
        let methods: BTreeSet<&str> = methods.iter().map(String::as_str).collect();
        let operations: BTreeSet<&str> = described.as_object().unwrap().keys().map(String::as_str).collect();
        let others = BTreeSet::from(["head", "options"]);
        assert_eq!(operations, methods.difference(&others).copied().collect(), "{path}");
    }
}

#[tokio::test]
async fn each_answer_has_the_form_that_the_openapi_document_states() {
    let document = openapi();
    let check = SchemaCheck::new(document["components"]["schemas"].clone());
    let feed = toml::from_str(REPLAY).unwrap();
    let server = TestServer::feed(Config { feed, ..Config::default() }).await;

    for (method, path, body, status, schema) in [
        ("POST", "/api/v1/feed", r#"{"action":"step","events":10}"#, 200, "FeedStatus"),
        ("GET", "/healthz", "", 200, "Health"),
        ("GET", "/readyz", "", 200, "Readiness"),
        ("GET", "/api/v1/feed", "", 200, "FeedStatus"),
        ("POST", "/api/v1/feed", r#"{"action":"speed","speed":"max"}"#, 200, "FeedStatus"),
        ("POST", "/api/v1/feed", r#"{"action":"seek","time":"noon"}"#, 400, "ErrorAnswer"),
        ("GET", "/api/v1/symbols", "", 200, "SymbolsPage"),
        ("GET", "/api/v1/symbols?limit=1", "", 200, "SymbolsPage"),
        ("GET", "/api/v1/symbols?after=APPL", "", 400, "ErrorAnswer"),
        ("GET", "/api/v1/snapshots?symbols=*", "", 200, "SnapshotsPage"),
        ("GET", "/api/v1/snapshots", "", 400, "ErrorAnswer"),
        ("GET", "/api/v1/events?symbols=*", "", 200, "EventsPage"),
        ("GET", "/api/v1/events?symbols=*&after=k3f9-5", "", 410, "ErrorAnswer"),
        ("GET", "/api/v1/bars/AAPL?interval=5m", "", 200, "BarsPage"),
        ("GET", "/api/v1/bars/AAPL?interval=2m", "", 400, "ErrorAnswer"),
        ("GET", "/api/v1/bars/APPL", "", 404, "ErrorAnswer"),
        ("GET", "/api/v1/info", "", 200, "Info"),
        ("GET", "/ndjson", "", 400, "ErrorAnswer"),
        ("GET", "/sse", "", 400, "ErrorAnswer"),
        ("GET", "/ws", "", 426, "ErrorAnswer"),
    ] {
        let (found, _, body) = answered(&server, method, path, body).await;
        assert_eq!(found, status, "{method} {path}: {body}");
        check.check(schema, &serde_json::from_str(&body).unwrap()).unwrap();
        let (page, _) = path.split_once('?').unwrap_or((path, ""));
        let page = if page.starts_with("/api/v1/bars/") { "/api/v1/bars/{symbol}" } else { page };
        let operation = &document["paths"][page][method.to_lowercase()];
        assert!(operation["responses"][status.to_string()].is_object(), "{method} {path} {status}");
    }
}

#[test]
fn all_examples_of_answers_have_the_form_of_their_schemas() {
    let check = SchemaCheck::new(openapi()["components"]["schemas"].clone());
    assert!(check.check_examples() > 20);
}

//! Tests of the rules for the headers `Host` and `Origin`, and of CORS. A web page of an origin that is not
//! allowed must not be able to read any data. A web page of an allowed origin must be able to read all
//! responses.

use tickerplant::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::process::PATIENCE;
use crate::support::test_server::TestServer;

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const CLOSE: &str = "Connection: close\r\n";
const PREFLIGHT: &str = "Connection: close\r\nAccess-Control-Request-Method: POST\r\n";

/// A request for each route except `/healthz` and `/readyz`: its method, its path and its headers.
const ROUTES: [(&str, &str, &str); 10] = [
    ("GET", "/ws", UPGRADE),
    ("GET", "/", CLOSE),
    ("GET", "/ndjson?symbols=*", CLOSE),
    ("GET", "/api/v1/feed", CLOSE),
    ("POST", "/api/v1/feed", "Connection: close\r\nContent-Length: 0\r\n"),
    ("GET", "/api/v1/symbols", CLOSE),
    ("GET", "/api/v1/snapshots?symbols=*", CLOSE),
    ("GET", "/api/v1/events?symbols=*", CLOSE),
    ("GET", "/api/v1/info", CLOSE),
    ("GET", "/metrics", CLOSE),
];

/// Sends a request and returns the head of the response.
async fn head(server: &TestServer, request: &str, headers: &str) -> String {
    let mut socket = server.open().await;
    socket.write_all(format!("{request} HTTP/1.1\r\n{headers}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            return format!("{head}\r\n");
        }
        let read = timeout(PATIENCE, socket.read_buf(&mut answer)).await.expect("an answer comes");
        assert_ne!(read.unwrap(), 0, "{request}: {}", String::from_utf8_lossy(&answer));
    }
}

fn status(head: &str) -> &str {
    &head[9..12]
}

async fn server_with(allowed_origins: &[&str]) -> TestServer {
    let mut config = Config::default();
    config.server.allowed_origins = allowed_origins.iter().map(|origin| origin.parse().unwrap()).collect();
    TestServer::start(config).await
}

#[tokio::test]
async fn a_page_whose_name_was_rebound_to_this_machine_gets_nothing() {
    let server = server_with(&[]).await;
    let evil = "Host: evil.example:8000\r\nX-Forwarded-Host: localhost\r\n";
    for origin in ["", "Origin: http://evil.example:8000\r\n"] {
        for (method, path, headers) in ROUTES {
            let head = head(&server, &format!("{method} {path}"), &format!("{evil}{origin}{headers}")).await;

            assert_eq!(status(&head), "403", "{method} {path}: {head}");
            assert!(head.contains("content-type: application/json"), "{head}");
            assert!(!head.contains("access-control"), "{head}");
        }
        for path in ["/healthz", "/readyz"] {
            let head = head(&server, &format!("GET {path}"), &format!("{evil}{origin}{CLOSE}")).await;
            assert_ne!(status(&head), "403", "{path}: {head}");
            assert!(!head.contains("access-control"), "{head}");
        }
    }
    let refused = server.request(&format!("GET / HTTP/1.1\r\n{evil}{CLOSE}\r\n")).await;
    assert!(
        refused.contains(r#""code":"forbidden""#) && refused.contains("server.allowed_hosts"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_listed_host_is_served() {
    let mut config = Config::default();
    config.server.allowed_hosts = vec!["ticks.example".parse().unwrap()];
    let server = TestServer::start(config).await;
    for (method, path, headers) in ROUTES {
        let listed = "Host: ticks.example\r\nOrigin: https://ticks.example\r\n";
        let head = head(&server, &format!("{method} {path}"), &format!("{listed}{headers}")).await;
        assert_ne!(status(&head), "403", "{method} {path}: {head}");
    }
}

#[tokio::test]
async fn a_missing_or_repeated_host_is_answered_400() {
    let server = server_with(&[]).await;
    for hosts in ["", "Host: localhost\r\nHost: localhost\r\n", "Host: localhost\r\nHost: evil.example\r\n"] {
        for (method, path, headers) in ROUTES {
            let head = head(&server, &format!("{method} {path}"), &format!("{hosts}{headers}")).await;
            assert_eq!(status(&head), "400", "{method} {path}: {head}");
        }
    }
}

#[tokio::test]
async fn a_page_of_another_origin_gets_nothing_that_it_can_read() {
    let server = server_with(&["https://dash.example"]).await;
    for origin in [
        "http://evil.example",
        "http://127.0.0.1:8000.evil.example",
        "http://127.0.0.1:8000/",
        "https://dash.example.evil.example",
        "null",
    ] {
        for (method, path, headers) in ROUTES {
            let headers = format!("Host: localhost\r\nOrigin: {origin}\r\n{headers}");
            let head = head(&server, &format!("{method} {path}"), &headers).await;
            assert_eq!(status(&head), "403", "{method} {path} {origin}: {head}");
            assert!(!head.contains("access-control"), "{head}");
        }
        let preflight = format!("Host: localhost\r\nOrigin: {origin}\r\n{PREFLIGHT}");
        let head = head(&server, "OPTIONS /api/v1/feed", &preflight).await;
        assert_eq!(status(&head), "204", "{head}");
        assert!(!head.contains("access-control"), "{head}");
    }
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_can_read_every_response() {
    let server = server_with(&["https://dash.example"]).await;
    let other_routes = [("GET", "/healthz", CLOSE), ("GET", "/readyz", CLOSE), ("GET", "/nope", CLOSE)];
    for origin in ["https://dash.example", "http://localhost:5173"] {
        for (method, path, headers) in ROUTES.into_iter().chain(other_routes) {
            let headers = format!("Host: localhost\r\nOrigin: {origin}\r\n{headers}");
            let head = head(&server, &format!("{method} {path}"), &headers).await;
            let allowed = format!("access-control-allow-origin: {origin}\r\n");
            assert!(head.contains(&allowed) && head.contains("vary: Origin\r\n"), "{method} {path}: {head}");
        }
        let preflight = format!("Host: localhost\r\nOrigin: {origin}\r\n{PREFLIGHT}");
        let head = head(&server, "OPTIONS /api/v1/feed", &preflight).await;
        for line in [
            format!("access-control-allow-origin: {origin}"),
            "access-control-allow-methods: GET, HEAD, POST, OPTIONS".to_owned(),
            "access-control-allow-headers: authorization, content-type, last-event-id".to_owned(),
            "access-control-max-age: 600".to_owned(),
            "vary: Origin".to_owned(),
        ] {
            assert!(status(&head) == "204" && head.contains(&format!("{line}\r\n")), "{line}: {head}");
        }
    }
}

#[tokio::test]
async fn any_origin_may_connect_where_the_list_says_so() {
    let server = server_with(&["*"]).await;
    for (origin, code) in [("https://any.example", "200"), ("null", "403"), ("http://a/", "403")] {
        let headers = format!("Host: localhost\r\nOrigin: {origin}\r\n{CLOSE}");
        let head = head(&server, "GET /ndjson?symbols=A", &headers).await;
        assert_eq!(status(&head), code, "{origin}: {head}");
        let allowed = format!("access-control-allow-origin: {origin}\r\n");
        assert_eq!(head.contains(&allowed), code == "200", "{head}");
    }
}

#[tokio::test]
async fn each_page_says_which_methods_it_answers() {
    let server = server_with(&[]).await;
    for (path, allow, wrong) in [
        ("/", "GET, HEAD, OPTIONS", "POST"),
        ("/ws", "GET, OPTIONS", "HEAD"),
        ("/ndjson", "GET, HEAD, OPTIONS", "DELETE"),
        ("/api/v1/feed", "GET, HEAD, POST, OPTIONS", "PUT"),
        ("/healthz", "GET, HEAD, OPTIONS", "POST"),
        ("/readyz", "GET, HEAD, OPTIONS", "PATCH"),
        ("/metrics", "GET, HEAD, OPTIONS", "MADE-UP"),
    ] {
        let allow = format!("allow: {allow}\r\n");
        let headers = format!("Host: localhost\r\n{CLOSE}");

        let asked = head(&server, &format!("OPTIONS {path}"), &headers).await;
        assert!(status(&asked) == "204" && asked.contains(&allow), "{path}: {asked}");
        assert!(!asked.contains("access-control"), "{asked}");

        let refused = head(&server, &format!("{wrong} {path}"), &headers).await;
        assert!(status(&refused) == "405" && refused.contains(&allow), "{wrong} {path}: {refused}");
        assert!(refused.contains("content-type: application/json"), "{refused}");
    }
    let whole = head(&server, "OPTIONS *", &format!("Host: localhost\r\n{CLOSE}")).await;
    assert!(status(&whole) == "204" && whole.contains("allow: GET, HEAD, POST, OPTIONS\r\n"), "{whole}");
    let upgrade = head(&server, "HEAD /ws", &format!("Host: localhost\r\n{UPGRADE}")).await;
    assert!(status(&upgrade) == "405" && upgrade.contains("allow: GET, OPTIONS\r\n"), "{upgrade}");
}

#[tokio::test]
async fn every_error_is_json() {
    let server = server_with(&[]).await;
    for (request, code) in [
        ("GET /nope", "404"),
        ("GET //", "404"),
        ("GET /ws//", "404"),
        ("GET *", "404"),
        ("OPTIONS /nope", "404"),
        ("GET /%ff", "404"),
        ("GET /ws?symbols=%ff%zz", "426"),
        ("CONNECT localhost:80", "405"),
        ("TRACE /", "405"),
        ("POST /api/v1/feed", "400"),
    ] {
        let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\n{CLOSE}\r\n");
        let answer = server.request(&request).await;
        assert_eq!(status(&answer), code, "{request}{answer}");
        assert!(answer.contains("content-type: application/json"), "{request}{answer}");
        assert!(answer.contains(r#"{"error":{"code":""#), "{request}{answer}");
    }
}

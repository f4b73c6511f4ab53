//! Clients that close their sending half after the request, as `printf 'GET …' | nc -N` does.

use std::time::Duration;

use tickerplant::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::support::events::trade;
use crate::support::json_answer::JsonAnswer;
use crate::support::line_client::LineClient;
use crate::support::test_server::TestServer;

/// The time limit for each wait in a test. A test that waits longer fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a request, closes the sending half, and returns everything that the server sends back.
async fn answered(server: &TestServer, request: &str) -> Vec<u8> {
    let mut socket = half_closed(server, request).await;
    let mut answer = Vec::new();
    timeout(PATIENCE, socket.read_to_end(&mut answer))
        .await
        .expect("the server ends the connection")
        .unwrap();
    answer
}

async fn half_closed(server: &TestServer, request: &str) -> TcpStream {
    let mut socket = server.open().await;
    socket.write_all(request.as_bytes()).await.unwrap();
    socket.shutdown().await.unwrap();
    socket
}

#[tokio::test]
async fn each_page_is_answered_in_full() {
    let feed = "kind = \"replay\"\nreplay.files = [\"feeds/ticks.csv\"]\nclock.paused = true";
    let server = TestServer::feed(Config { feed: toml::from_str(feed).unwrap(), ..Config::default() }).await;
    let step = r#"{"action":"step","events":300}"#;
    let step = format!(
        "POST /api/v1/feed HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n{step}",
        step.len()
    );
    for _ in 0..20 {
        let answer = JsonAnswer::parse(&answered(&server, &step).await);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    for path in [
        "/",
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/asyncapi.json",
        "/api/v1/info",
        "/api/v1/feed",
        "/api/v1/symbols",
        "/api/v1/snapshots?symbols=*",
        "/api/v1/events?symbols=*",
        "/api/v1/bars/AAPL",
    ] {
        for version in ["1.0", "1.1"] {
            let request = format!("GET {path} HTTP/{version}\r\nHost: 127.0.0.1\r\n\r\n");
            let answer = JsonAnswer::parse(&answered(&server, &request).await);

            let length = answer.head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            assert_eq!(
                (answer.status, answer.body.len().to_string().as_str()),
                (200, length),
                "{path} {version}"
            );
        }
    }
}

#[tokio::test]
async fn requests_that_came_together_are_all_answered() {
    let server = TestServer::start(Config::default()).await;
    let request = "GET /api/v1/events?symbols=* HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

    let answers = answered(&server, &request.repeat(3)).await;

    assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 200 OK\r\n").count(), 3);
}

#[tokio::test]
async fn a_stream_goes_on_until_its_client_is_gone() {
    let mut config = Config::default();
    config.limits.connections = 2;
    config.session.heartbeat = Duration::from_millis(20);
    let server = TestServer::start(config).await;
    let mut clients = Vec::new();
    for path in ["/ndjson?symbols=AAPL", "/sse?symbols=AAPL"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        clients.push(half_closed(&server, &request).await);
    }
    for client in &mut clients {
        let mut received = Vec::new();
        for mark in ["\"subscribed\"", "\"trade\"", "\"heartbeat\""] {
            while !String::from_utf8_lossy(&received).contains(mark) {
                let read = timeout(PATIENCE, client.read_buf(&mut received)).await.expect("something comes");
                assert_ne!(read.unwrap(), 0, "the stream goes on");
            }
            server.publish([trade("AAPL", "184.25")]);
        }
    }
    assert!(server.try_connect("/ws").await.is_err(), "the server is full");

    drop(clients);

    let freed = async {
        while server.try_connect("/ws").await.is_err() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, freed).await.expect("the server notices that the clients are gone");
}

#[tokio::test]
async fn a_half_closed_stream_ends_with_the_close_line() {
    let server = TestServer::start(Config::default()).await;
    let mut client = LineClient::ask(server.open().await, "/ndjson?symbols=AAPL").await;
    assert_eq!(client.line().await["type"], "subscribed");
    client.shut_down().await;
    server.publish([trade("AAPL", "184.25")]);
    assert_eq!(client.line().await["type"], "trade");

    server.stop();

    let close = client.line().await;
    assert_eq!((&close["type"], &close["code"]), (&"close".into(), &1001.into()));
    server.shut_down().await;
}

//! Tests of HTTP requests to the server, mostly of requests that do not open a WebSocket connection.

use std::io::Write;
use std::time::Duration;

use socket2::SockRef;
use tickerplant::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::test_server::TestServer;

const HANDSHAKE: &str = "Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn each_wrong_request_gets_its_status_and_a_reason() {
    let server = TestServer::start(Config::default()).await;
    let close = "Connection: close\r\n";
    for (request, status, code) in [
        (format!("GET /nope HTTP/1.1\r\nHost: localhost\r\n{close}\r\n"), 404, "not_found"),
        (
            format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n{close}\r\n"),
            405,
            "method_not_allowed",
        ),
        (format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{close}\r\n"), 426, "upgrade_required"),
        (format!("GET /ws?symbls=A HTTP/1.1\r\n{HANDSHAKE}{close}\r\n"), 400, "bad_parameter"),
        (format!("GET /ws?symbols=A%20B HTTP/1.1\r\n{HANDSHAKE}{close}\r\n"), 400, "bad_symbol"),
        (format!("GET /ws?symbols=A&token=t HTTP/1.1\r\n{HANDSHAKE}{close}\r\n"), 401, "unauthorized"),
        (
            format!("GET / HTTP/1.1\r\n{HANDSHAKE}Origin: http://evil.example\r\n{close}\r\n"),
            403,
            "forbidden",
        ),
    ] {
        let answer = server.request(&request).await;

        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answer}");
        assert!(
            answer.contains(&format!(r#"{{"error":{{"code":"{code}","message":""#)),
            "{request}\n{answer}"
        );
    }
}

#[tokio::test]
async fn only_http_1_is_spoken() {
    let server = TestServer::start(Config::default()).await;

    let by_prior_knowledge = server.request("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    let upgrade =
        "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let by_upgrade =
        server.request(&format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n")).await;

    assert!(!by_prior_knowledge.contains("200"), "{by_prior_knowledge}");
    assert!(by_upgrade.starts_with("HTTP/1.1 200"), "{by_upgrade}");
}

#[tokio::test]
async fn a_browser_gets_the_page_and_a_monitor_gets_the_health() {
    let server = TestServer::start(Config::default()).await;

    let page = server.request("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    let health =
        server.request("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;

    assert!(page.contains("content-type: text/html") && page.contains("<title>tickerplant"), "{page}");
    assert!(health.starts_with("HTTP/1.1 200") && health.ends_with(r#"{"status":"alive"}"#), "{health}");
}

#[tokio::test]
async fn the_pages_connection_ends_and_leaves_its_permit_to_the_pages_websocket() {
    let server = TestServer::start(Config::default()).await;

    let page = server.request("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await;

    assert!(page.contains("connection: close\r\n"), "{page}");
}

#[tokio::test]
async fn clients_that_leave_before_the_response_free_their_permits() {
    let mut config = Config::default();
    config.limits.connections = 8;
    let server = TestServer::start(config).await;
    let address = server.address();
    // Another thread connects, and resets each connection at once. So some resets arrive while the server
    // writes the response.
    let resets = move || {
        for _ in 0..3000 {
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
            socket.write_all(format!("GET /ws HTTP/1.1\r\n{HANDSHAKE}\r\n").as_bytes()).unwrap();
        }
    };
    tokio::task::spawn_blocking(resets).await.unwrap();

    // The server may still be dropping the reset connections. If it leaked a permit, this loop would never
    // end.
    let all = async {
        let mut clients = Vec::new();
        while clients.len() < 8 {
            clients.extend(server.try_connect("/ws").await);
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), all).await.expect("every place is free again");
    server.shut_down().await;
}

#[tokio::test]
async fn bytes_sent_with_the_handshake_are_not_lost() {
    let server = TestServer::start(Config::default()).await;
    let mut socket = server.open().await;
    // A text frame with the payload `hi`, masked with zeros.
    let early = b"\x81\x82\0\0\0\0hi";

    socket.write_all(format!("GET /ws HTTP/1.1\r\n{HANDSHAKE}\r\n").as_bytes()).await.unwrap();
    socket.write_all(early).await.unwrap();

    let mut answer = Vec::new();
    while !answer.ends_with(b"\x81\x02hi") {
        assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
}

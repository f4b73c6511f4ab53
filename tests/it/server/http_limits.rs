//! Tests of the limits on HTTP requests. The headers must arrive in time, and their number and size are
//! limited. The client must accept the response in time.

use std::time::Duration;

use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

use crate::support::in_memory_server::{HERE, InMemoryServer, rest};
use crate::support::local_set::locally;

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";

#[tokio::test(start_paused = true)]
async fn headers_in_time_are_answered_and_incomplete_headers_time_out() {
    locally(async {
        let server = InMemoryServer::start(Config::default());

        let mut slow = server.open(HERE, 4096).await;
        slow.write_all(REQUEST).await.unwrap();
        sleep(Duration::from_millis(4990)).await;
        slow.write_all(b"\r\n").await.unwrap();
        assert!(rest(&mut slow).await.starts_with("HTTP/1.1 200"));
        assert_eq!(server.count_of(Limit::HeaderTimeout), 0);

        for (count, beginning) in [(1, REQUEST), (2, b"G"), (3, b"")] {
            let begin = Instant::now();
            let mut socket = server.open(HERE, 4096).await;
            socket.write_all(beginning).await.unwrap();
            rest(&mut socket).await;
            assert_eq!(begin.elapsed().as_millis() / 10, 500, "{beginning:?}");
            assert_eq!(server.count_of(Limit::HeaderTimeout), count, "{beginning:?}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_sends_no_more_requests_is_closed_and_strikes_no_limit() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let mut socket = server.open(HERE, 4096).await;
        socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();

        assert!(rest(&mut socket).await.starts_with("HTTP/1.1 200"));

        assert_eq!(server.count_of(Limit::HeaderTimeout), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_asked_may_be_idle_for_the_keep_alive_time_before_each_request() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let mut socket = server.open(HERE, 4096).await;
        for _ in 0..3 {
            ask(&mut socket).await;
            sleep(Duration::from_millis(74_990)).await;
        }
        let begin = Instant::now();

        assert_eq!(rest(&mut socket).await, "");

        assert!(begin.elapsed() <= Duration::from_millis(20), "{:?}", begin.elapsed());
        assert_eq!(server.count_of(Limit::HeaderTimeout), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_begun_on_an_idle_connection_has_the_time_for_headers() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        for (count, beginning) in [(1, "G"), (2, "GET /healthz HTTP/1.1\r\nHost: x\r\n")] {
            let mut socket = server.open(HERE, 4096).await;
            // The body arrives after its headers. It must not count as the beginning of the next request.
            socket
                .write_all(b"POST /api/v1/feed HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
                .await
                .unwrap();
            sleep(Duration::from_secs(1)).await;
            socket.write_all(b"{}").await.unwrap();
            read_to(&mut socket, "\"}}").await;
            sleep(Duration::from_mins(1)).await;
            let begin = Instant::now();

            // Further bytes do not extend the time limit.
            socket.write_all(beginning.as_bytes()).await.unwrap();
            sleep(Duration::from_secs(4)).await;
            socket.write_all(b"X").await.unwrap();

            rest(&mut socket).await;
            assert_eq!(begin.elapsed().as_millis() / 10, 500, "{beginning}");
            assert_eq!(server.count_of(Limit::HeaderTimeout), count, "{beginning}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_an_idle_connection_stays_for_an_hour() {
    locally(async {
        let mut config = Config::default();
        config.server.keep_alive = Duration::ZERO;
        let server = InMemoryServer::start(config);
        let mut socket = server.open(HERE, 4096).await;
        for _ in 0..2 {
            ask(&mut socket).await;
            sleep(Duration::from_hours(1)).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_over_a_limit_is_closed_after_its_answer() {
    locally(async {
        let mut config = Config::default();
        config.limits.connections = 1;
        let server = InMemoryServer::start(config);
        let _only = server.connect("/ws").await;
        let begin = Instant::now();

        let answer = server.request("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;

        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
        assert_eq!(begin.elapsed().as_secs(), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn errors_that_the_http_library_answers_have_a_json_body() {
    locally(async {
        let mut config = Config::default();
        config.server.max_header_bytes = 0;
        let (server, long) = (InMemoryServer::start(Config::default()), InMemoryServer::start(config));
        let url = "x".repeat(70_000);
        for (server, request, status, code, part) in [
            (&server, "GET /a b HTTP/1.1\r\n\r\n".to_owned(), 400, "bad_request", "a space as %20"),
            (&server, "rubbish\r\n\r\n".to_owned(), 400, "bad_request", "not valid HTTP/1.1"),
            (&server, with_headers(65), 431, "headers_too_large", "at most 64 headers (server.max_headers)"),
            (&server, with_headers(900), 431, "headers_too_large", "server.max_headers"),
            (&server, with_bytes(16_385), 431, "headers_too_large", "16384 bytes of request line"),
            (&server, with_bytes(300_000), 431, "headers_too_large", "server.max_header_bytes"),
            (&long, format!("GET /{url} HTTP/1.1\r\n\r\n"), 414, "bad_request", "at most 65534 bytes"),
        ] {
            // Tries the wrong request as the first request, and after a valid request.
            for is_first in [true, false] {
                let mut socket = server.open(HERE, 1 << 20).await;
                if !is_first {
                    ask(&mut socket).await;
                }
                socket.write_all(request.as_bytes()).await.unwrap();
                let answer = rest(&mut socket).await;

                let (head, body) = answer.split_once("\r\n\r\n").unwrap();
                assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.60}: {head}");
                assert!(head.contains("content-type: application/json"), "{head}");
                assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{head}");
                let body: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(body["error"]["code"], code);
                assert!(body["error"]["message"].as_str().unwrap().contains(part), "{body}");
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn slow_bytes_do_not_extend_the_time_for_headers() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let mut socket = server.open(HERE, 4096).await;
        let begin = Instant::now();

        while server.count_of(Limit::HeaderTimeout) == 0 {
            assert!(begin.elapsed() < Duration::from_secs(6), "it takes as long as it likes");
            // This write fails if the server has already closed the connection.
            let _ = socket.write_all(b"X").await;
            sleep(Duration::from_millis(100)).await;
        }

        rest(&mut socket).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_headers_may_take_an_hour() {
    locally(async {
        let mut config = Config::default();
        config.server.header_timeout = Duration::ZERO;
        let server = InMemoryServer::start(config);
        let mut socket = server.open(HERE, 4096).await;

        socket.write_all(REQUEST).await.unwrap();
        sleep(Duration::from_hours(1)).await;
        socket.write_all(b"\r\n").await.unwrap();

        assert!(rest(&mut socket).await.starts_with("HTTP/1.1 200"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_at_the_header_limit_passes_and_one_header_more_is_answered_431() {
    locally(async {
        let server = InMemoryServer::start(Config::default());

        let within = server.request(&with_headers(64)).await;
        assert!(within.starts_with("HTTP/1.1 200"), "{within}");
        assert_eq!(server.count_of(Limit::Headers), 0);

        let beyond = server.request(&with_headers(65)).await;
        assert!(beyond.starts_with("HTTP/1.1 431"), "{beyond}");
        assert_eq!(server.count_of(Limit::Headers), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn headers_at_the_byte_limit_pass_and_one_byte_more_is_answered_431() {
    locally(async {
        let server = InMemoryServer::start(Config::default());

        let within = server.request(&with_bytes(16 * 1024)).await;
        assert!(within.starts_with("HTTP/1.1 200"), "{within}");
        assert_eq!(server.count_of(Limit::Headers), 0);

        let beyond = server.request(&with_bytes(16 * 1024 + 1)).await;
        assert!(beyond.starts_with("HTTP/1.1 431"), "{beyond}");
        assert_eq!(server.count_of(Limit::Headers), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn headers_in_parts_have_the_same_byte_limit() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        for (bytes, status) in [(16 * 1024, "200"), (16 * 1024 + 1, "431")] {
            let mut socket = server.open(HERE, 1 << 20).await;

            for part in with_bytes(bytes).as_bytes().chunks(1000) {
                socket.write_all(part).await.unwrap();
                sleep(Duration::from_millis(1)).await;
            }

            let answer = rest(&mut socket).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{bytes}: {answer}");
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_limits_headers_may_be_many_and_long() {
    locally(async {
        let mut config = Config::default();
        (config.server.max_headers, config.server.max_header_bytes) = (0, 0);
        let server = InMemoryServer::start(config);

        for request in [with_headers(1000), with_bytes(100_000)] {
            let answer = server.request(&request).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        assert_eq!(server.count_of(Limit::Headers), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_accept_its_response_loses_its_permit() {
    locally(async {
        let mut config = Config::default();
        config.limits.connections = 1;
        let server = InMemoryServer::start(config);
        let mut socket = server.open(HERE, 64).await;
        socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();

        sleep(Duration::from_millis(4990)).await;
        assert_eq!(server.count_of(Limit::HeaderTimeout), 0);
        assert!(server.try_connect(HERE, "/ws").await.is_err(), "its permit is taken");
        sleep(Duration::from_millis(20)).await;

        assert_eq!(server.count_of(Limit::HeaderTimeout), 1);
        server.connect("/ws").await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_its_response_slowly_gets_all_of_it() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let whole = server.request("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        let mut socket = server.open(HERE, 1024).await;
        socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();

        let mut answer = Vec::new();
        loop {
            sleep(Duration::from_millis(4900)).await;
            if socket.read_buf(&mut answer).await.unwrap() == 0 {
                break;
            }
        }

        assert_eq!(answer.len(), whole.len());
        assert_eq!(server.count_of(Limit::HeaderTimeout), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_a_response_may_take_an_hour() {
    locally(async {
        let mut config = Config::default();
        config.server.header_timeout = Duration::ZERO;
        let server = InMemoryServer::start(config);
        let mut socket = server.open(HERE, 64).await;
        socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();

        sleep(Duration::from_hours(1)).await;

        assert!(rest(&mut socket).await.ends_with("</html>\n"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unexpected_body_that_never_arrives_is_not_waited_for() {
    locally(async {
        let server = InMemoryServer::start(Config::default());

        let answer = server.request("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n").await;

        assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    })
    .await;
}

/// Returns an HTTP request with this many headers.
fn with_headers(count: usize) -> String {
    let more: Vec<_> = (2..count).map(|number| format!("X-{number}: x\r\n")).collect();
    format!("{}{}\r\n", str::from_utf8(REQUEST).unwrap(), more.concat())
}

/// Returns an HTTP request whose head, up to and including the empty line, has this many bytes.
fn with_bytes(count: usize) -> String {
    let padding = "x".repeat(count - REQUEST.len() - "X: \r\n\r\n".len());
    format!("{}X: {padding}\r\n\r\n", str::from_utf8(REQUEST).unwrap())
}

/// Requests `/healthz`, and reads the response.
async fn ask(socket: &mut DuplexStream) {
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    read_to(socket, r#"{"status":"alive"}"#).await;
}

/// Reads from the socket until the text `end` has arrived.
async fn read_to(socket: &mut DuplexStream, end: &str) {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        read.push(socket.read_u8().await.unwrap());
    }
}

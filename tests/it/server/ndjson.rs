//! Tests of the path `/ndjson`: a subscription over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tickerplant::market::FeedState;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use crate::support::events::{quote, trade};
use crate::support::in_memory_server::{HERE, InMemoryServer};
use crate::support::line_client::{LineClient, Next};
use crate::support::local_set::locally;
use crate::support::process::PATIENCE;
use crate::support::test_server::TestServer;

async fn ask(server: &TestServer, path: &str) -> LineClient<TcpStream> {
    LineClient::ask(server.open().await, path).await
}

/// Waits until the server's metrics report this many connected peers.
async fn peers(server: &TestServer, count: usize) {
    let text = format!("tickerplant_peers {count}\n");
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let counted = async { while !server.request(request).await.contains(&text) {} };
    timeout(PATIENCE, counted).await.expect("clients come and go");
}

#[tokio::test]
async fn a_stream_has_the_frames_of_a_websocket_one_per_line() {
    let mut config = Config::default();
    config.server.shards = 1;
    let server = TestServer::start(config).await;
    let mut witness = server.connect("/ws?symbols=*").await;
    server.bus().set_feed_state(FeedState::Running);
    server.publish([trade("A", "1.50"), quote("B", "1", "2")]);
    while witness.json().await["seq"] != 2 {}
    let path = "/ndjson?symbols=A,B&channels=trades,quotes";
    let mut stream = ask(&server, path).await;
    let mut socket = server.connect(&path.replace("ndjson", "ws")).await;

    for _ in 0..3 {
        let (line, frame) = (stream.line().await, socket.json().await);
        assert_eq!(line, frame);
    }
    server.publish([trade("A", "1.75"), trade("C", "3")]);
    server.bus().set_feed_state(FeedState::Paused);
    for _ in 0..2 {
        let (line, frame) = (stream.line().await, socket.json().await);
        assert_eq!(line, frame);
    }

    for header in ["content-type: application/x-ndjson", "cache-control: no-store", "x-accel-buffering: no"] {
        assert!(stream.head.contains(header), "{}", stream.head);
    }
}

#[tokio::test]
async fn a_stream_receives_messages_and_stops_being_a_peer_when_its_client_leaves() {
    let server = TestServer::start(Config::default()).await;
    let mut stream = ask(&server, "/ndjson?symbols=A").await;
    assert_eq!(stream.line().await["type"], "subscribed");
    let mut peer = server.connect("/ws").await;

    peer.send("hello").await;

    assert_eq!(stream.line().await["text"], "hello");
    peers(&server, 2).await;
    drop(stream);
    peers(&server, 1).await;
}

#[tokio::test]
async fn a_stream_that_resumes_after_each_cut_gets_every_event_once() {
    let server = TestServer::start(Config::default()).await;
    let mut stream = ask(&server, "/ndjson?symbols=*&delivery=every").await;
    let epoch = stream.line().await["epoch"].as_str().unwrap().to_owned();
    let mut seen = 0;
    for cut in 0..200_u64 {
        server.publish((0..20).map(|n| trade(["A", "B"][n % 2], "1")));

        // Reads a few events before the cut. So the cut is within the live events or within the resumed
        // events.
        for _ in 0..=(cut * 7 % 23) {
            if seen == server.bus().head() {
                break;
            }
            let event = stream.event().await;
            seen += 1;
            assert_eq!(event["seq"], seen);
        }
        drop(stream);
        server.publish([trade("A", "2")]);
        let path = format!("/ndjson?symbols=*&delivery=every&after={epoch}-{seen}");
        stream = ask(&server, &path).await;
        assert_eq!(stream.line().await["resumed"], true);
    }

    while seen < server.bus().head() {
        seen += 1;
        assert_eq!(stream.event().await["seq"], seen);
    }
}

#[tokio::test]
async fn a_slow_reader_is_conflated_and_gets_the_newest_of_each() {
    let mut config = Config::default();
    config.session.heartbeat = Duration::from_millis(50);
    let server = TestServer::start(config).await;
    let socket = server.open_with_room(4096).await;
    let mut slow = LineClient::ask(socket, "/ndjson?symbols=*&channels=trades").await;
    let mut quick = server.connect("/ws?symbols=*&channels=trades&delivery=every").await;
    for round in 0..500 {
        server.publish((0..20).map(|n| trade(&format!("S{n}"), &format!("{round}"))));
    }
    let head = server.bus().head();
    // Waits until another client has received everything. Then each shard has read the log, except
    // for a few events at most.
    while quick.json().await["seq"] != head {}

    let mut newest = BTreeMap::new();
    let mut received = 0_u64;
    let (sent, merged) = loop {
        let line = slow.line().await;
        match line["type"].as_str().unwrap() {
            "trade" => {
                newest.insert(
                    line["symbol"].to_string(),
                    (line["seq"].as_u64().unwrap(), line["price"].clone()),
                );
                received += 1;
            }
            "heartbeat" if line["sent"] == received && newest.values().any(|(seq, _)| *seq == head) => {
                break (line["sent"].as_u64().unwrap(), line["merged"].as_u64().unwrap());
            }
            _ => {}
        }
    };

    assert_eq!(sent + merged, 10_000);
    assert!(merged > 0, "{sent} were sent");
    assert_eq!(newest.len(), 20);
    assert!(newest.values().all(|(_, price)| *price == json!(499)), "{newest:?}");
}

#[tokio::test]
async fn a_slow_stream_with_every_event_ends_with_its_cursor() {
    let mut config = Config::default();
    config.session.every_buffer = 64 * 1024;
    config.session.close_timeout = Duration::ZERO;
    let server = TestServer::start(config).await;
    let socket = server.open_with_room(4096).await;
    let mut slow = LineClient::ask(socket, "/ndjson?symbols=*&delivery=every").await;
    assert_eq!(slow.line().await["type"], "subscribed");
    for _ in 0..200 {
        server.publish(vec![trade("A", "1"); 100]);
        yield_now().await;
    }
    server.wait_for_exceeded(Limit::EveryBuffer, 1).await;

    let mut seen = 0;
    let close = loop {
        let line = slow.line().await;
        if line["type"] == "close" {
            break line;
        }
        seen += 1;
        assert_eq!(line["seq"], seen);
    };
    assert_eq!(slow.next().await, Next::End);

    assert_eq!(close["code"], 4008);
    let cursor = close["reason"].as_str().unwrap();
    assert!(cursor.ends_with(&format!("-{seen}")), "{cursor} after {seen}");
    let mut resumed = ask(&server, &format!("/ndjson?symbols=*&delivery=every&after={cursor}")).await;
    assert_eq!(resumed.line().await["resumed"], true);
    assert_eq!(resumed.event().await["seq"], seen + 1);
}

#[tokio::test]
async fn a_shutdown_tells_every_stream() {
    let server = TestServer::start(Config::default()).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = ask(&server, "/ndjson?symbols=A").await;
        assert_eq!(stream.line().await["type"], "subscribed");
        streams.push(stream);
    }

    server.shut_down().await;

    for mut stream in streams {
        let close = json!({"type": "close", "code": 1001, "reason": "the server shuts down"});
        assert_eq!(stream.line().await, close);
        assert_eq!(stream.next().await, Next::End);
    }
}

#[tokio::test]
async fn a_wrong_stream_request_gets_an_error_reply() {
    let mut config = Config::default();
    config.limits.symbols = 2;
    let server = TestServer::start(config).await;
    server.publish([trade("A", "1")]);
    let ahead = format!("symbols=A&after={}-2", server.bus().epoch());
    for (query, part) in [
        ("", "bad_parameter"),
        ("channels=trades", "need symbols"),
        ("symbols=A&depth=5", "depth"),
        ("symbols=A,B,C", "too_many_symbols"),
        (ahead.as_str(), "is ahead of the feed"),
    ] {
        let request = format!("GET /ndjson?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let answer = server.request(&request).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(part), "{query}: {answer}");
    }
    let post = "POST /ndjson?symbols=A HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert!(server.request(post).await.starts_with("HTTP/1.1 405 "));
    let head = "HEAD /ndjson?symbols=A HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(server.request(head).await.ends_with("\r\n\r\n"));
    peers(&server, 0).await;
}

#[tokio::test]
async fn a_page_may_read_a_stream_where_it_may_open_a_websocket() {
    let mut config = Config::default();
    config.server.allowed_origins = vec!["https://dash.example".parse().unwrap()];
    let server = TestServer::start(config).await;
    let from = |origin: &str| format!("Origin: {origin}\r\n");

    let own =
        LineClient::ask_with(server.open().await, "/ndjson?symbols=A", &from("https://dash.example")).await;
    assert!(own.head.contains("access-control-allow-origin: https://dash.example\r\n"), "{}", own.head);
    assert!(own.head.contains("vary: Origin\r\n"), "{}", own.head);

    let request = format!(
        "GET /ndjson?symbols=A HTTP/1.1\r\nHost: 127.0.0.1\r\n{}Connection: close\r\n\r\n",
        from("https://evil.example")
    );
    let refused = server.request(&request).await;
    assert!(refused.starts_with("HTTP/1.1 403 ") && !refused.contains("allow-origin"), "{refused}");
}

#[tokio::test]
async fn with_tokens_a_stream_needs_one_and_gets_what_it_allows() {
    let mut config = Config::default();
    let text = "[[tokens]]\nname = \"a\"\nsubscribe = [\"A*\"]\n\
                sha256 = \"2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"";
    config.auth.tokens = toml::from_str::<tickerplant::auth::Config>(text).unwrap().tokens;
    let server = TestServer::start(config).await;
    let status = async |path: &str, headers: &str| {
        let client = LineClient::ask_with(server.open().await, path, headers).await;
        client.head[9..12].to_owned()
    };

    assert_eq!(status("/ndjson?symbols=A", "").await, "401");
    assert_eq!(status("/ndjson?symbols=A&token=guess", "").await, "401");
    assert_eq!(status("/ndjson?symbols=B&token=secret", "").await, "403");
    assert_eq!(status("/ndjson?symbols=A&token=secret", "").await, "200");
    assert_eq!(status("/ndjson?symbols=AB", "Authorization: Bearer secret\r\n").await, "200");
}

#[tokio::test]
async fn a_thousand_streams_get_every_event_beside_websockets() {
    let server = TestServer::start(Config::default()).await;
    let mut streams = Vec::new();
    for _ in 0..1000 {
        streams.push(ask(&server, "/ndjson?symbols=*&delivery=every").await);
    }
    let mut socket = server.connect("/ws?symbols=*&delivery=every").await;
    for stream in &mut streams {
        assert_eq!(stream.line().await["type"], "subscribed");
    }

    for _ in 0..10 {
        server.publish([trade("A", "1"), quote("B", "1", "2")]);
        yield_now().await;
    }

    for stream in &mut streams {
        let mut seqs = Vec::new();
        for _ in 0..20 {
            seqs.push(stream.event().await["seq"].as_u64().unwrap());
        }
        assert_eq!(seqs, (1..=20).collect::<Vec<_>>());
    }
    let mut last = Value::Null;
    while last["seq"] != 20 {
        last = socket.json().await;
    }
}

#[tokio::test]
async fn the_end_of_a_stream_ends_its_connection() {
    let mut config = Config::default();
    config.session.every_buffer = 1024;
    let server = TestServer::start(config).await;
    let mut stream = ask(&server, "/ndjson?symbols=*&delivery=every").await;
    stream.line().await;
    while server.count_of(Limit::EveryBuffer) == 0 {
        server.publish(vec![trade("A", "1"); 1000]);
        yield_now().await;
    }
    while stream.next().await != Next::End {}

    let mut rest = Vec::new();
    stream.into_socket().read_to_end(&mut rest).await.unwrap();

    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_stream_follows_the_responses_to_earlier_requests() {
    let server = TestServer::start(Config::default()).await;
    let mut socket = server.open().await;
    let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";

    socket.write_all(health.repeat(2).as_bytes()).await.unwrap();
    let mut stream = LineClient::ask(socket, "/ndjson?symbols=A").await;

    for _ in 0..2 {
        assert!(stream.head.contains("content-type: application/json"), "{}", stream.head);
        stream = stream.next_response(br#"{"status":"alive"}"#).await;
    }
    assert!(stream.head.contains("content-type: application/x-ndjson"), "{}", stream.head);
    assert_eq!(stream.line().await["type"], "subscribed");
}

#[tokio::test]
async fn in_http_1_0_a_stream_has_no_chunks_and_ends_with_its_connection() {
    let server = TestServer::start(Config::default()).await;
    let mut socket = BufReader::new(server.open().await);

    socket.write_all(b"GET /ndjson?symbols=A HTTP/1.0\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut head = String::new();
    while socket.read_line(&mut head).await.unwrap() > 2 {}
    let mut line = String::new();
    socket.read_line(&mut line).await.unwrap();
    server.stop();
    let mut rest = String::new();
    socket.read_to_string(&mut rest).await.unwrap();

    assert!(head.contains("connection: close") && !head.contains("transfer-encoding"), "{head}");
    assert!(line.starts_with(r#"{"type":"subscribed""#), "{line}");
    assert!(rest.ends_with("\"reason\":\"the server shuts down\"}\n"), "{rest}");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_stays_while_its_heartbeats_are_read() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let mut stream = LineClient::ask(server.open(HERE, 4096).await, "/ndjson?symbols=A").await;
        let begin = Instant::now();

        while begin.elapsed() < Duration::from_hours(1) {
            stream.line().await;
        }

        assert_eq!(server.count_of(Limit::PingTimeout), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_unread_stream_is_dropped_like_a_websocket() {
    locally(async {
        let server = InMemoryServer::start(Config::default());
        let mut stream = LineClient::ask(server.open(HERE, 4096).await, "/ndjson?symbols=*").await;
        for _ in 0..60 {
            server.bus().publish((0..1000).map(|n| trade(&format!("S{n}"), "1")).collect());
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(server.count_of(Limit::PingTimeout), 1);

        let end = loop {
            match stream.next().await {
                Next::Line(_) => {}
                end => break end,
            }
        };

        assert_eq!(end, Next::BrokenOff);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_never_read_frees_its_permit() {
    locally(async {
        let mut config = Config::default();
        config.limits.connections = 2;
        config.session.every_buffer = 64 * 1024;
        let server = InMemoryServer::start(config);
        let mut stuck = Vec::new();
        for query in ["symbols=*", "symbols=*&delivery=every"] {
            let mut stream =
                LineClient::ask(server.open(HERE, 4096).await, &format!("/ndjson?{query}")).await;
            assert_eq!(stream.line().await["type"], "subscribed");
            stuck.push(stream);
        }
        for _ in 0..60 {
            server.bus().publish((0..1000).map(|n| trade(&format!("S{n}"), "1")).collect());
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!((server.count_of(Limit::PingTimeout), server.count_of(Limit::EveryBuffer)), (1, 1));

        let path = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let answer = server.request(path).await;

        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    })
    .await;
}

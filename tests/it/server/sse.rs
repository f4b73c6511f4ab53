//! Tests of the path `/sse`: a subscription as Server-Sent Events.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tickerplant::config::Config;
use tokio::net::TcpStream;

use crate::support::event_source::EventSource;
use crate::support::events::{quote, trade};
use crate::support::line_client::{LineClient, Next};
use crate::support::test_server::TestServer;

async fn connect(server: &TestServer, path: &str, last_id: &str) -> EventSource<TcpStream> {
    EventSource::connect(server.open().await, path, last_id.to_owned()).await
}

#[tokio::test]
async fn each_frame_is_an_event_with_its_type_its_json_and_its_cursor() {
    let mut config = Config::default();
    config.server.shards = 1;
    let server = TestServer::start(config).await;
    let epoch = server.bus().epoch();
    let mut witness = server.connect("/ws?symbols=*").await;
    server.publish([trade("A", "1.50"), quote("B", "1", "2")]);
    while witness.json().await["seq"] != 2 {}
    let mut source = connect(&server, "/sse?symbols=A,B", "").await;
    let mut socket = server.connect("/ws?symbols=A,B").await;

    // A client that resumed before the last snapshot would never get the last snapshot.
    for (name, id) in [("subscribed", None), ("snapshot", None), ("snapshot", Some(2)), ("trade", Some(3))] {
        if name == "trade" {
            server.publish([trade("A", "1.75")]);
        }
        let (event, frame) = (source.next().await, socket.json().await);
        assert_eq!((event.name.as_str(), &event.data), (name, &frame));
        assert_eq!(event.id, id.map(|seq| format!("{epoch}-{seq}")), "{name}");
    }
    for header in
        ["content-type: text/event-stream", "cache-control: no-store", "x-accel-buffering: no", "date: "]
    {
        assert!(source.head().contains(header), "{}", source.head());
    }
}

#[tokio::test]
async fn a_client_that_is_cut_two_hundred_times_gets_every_event_once() {
    let server = TestServer::start(Config::default()).await;
    let path = "/sse?symbols=*&delivery=every";
    let mut random = StdRng::seed_from_u64(7);
    let mut seen = 0;
    let mut last_id = String::new();
    for _ in 0..200 {
        let mut source = connect(&server, path, &last_id).await;
        server.publish((0..random.random_range(0..20)).map(|n| trade(["A", "B"][n % 2], "1")));
        let subscribed = source.next().await;
        assert_eq!(subscribed.data["resumed"], !last_id.is_empty(), "{subscribed:?}");
        // The cut may be within an event. The client then has neither the event nor the event's cursor.
        for _ in 0..random.random_range(0..100) {
            if seen == server.bus().head() {
                break;
            }
            if let Some(event) = source.line().await.unwrap().filter(|event| event.name == "trade") {
                seen += 1;
                assert_eq!(event.data["seq"], seen);
            }
        }
        last_id = source.last_id;
    }

    let mut source = connect(&server, path, &last_id).await;
    while seen < server.bus().head() {
        let event = source.next().await;
        if event.name == "trade" {
            seen += 1;
            assert_eq!(event.data["seq"], seen);
        }
    }
}

#[tokio::test]
async fn no_cursor_is_shown_before_a_set_of_snapshots_is_complete() {
    let mut config = Config::default();
    config.server.shards = 1;
    let server = TestServer::start(config).await;
    let names: Vec<String> = (0..5000).map(|n| format!("S{n}")).collect();
    let mut witness = server.connect("/ws?symbols=S4999").await;
    server.publish(names.iter().map(|name| trade(name, "1")));
    while witness.json().await["type"] != "trade" {}
    let socket = server.open_with_room(4096).await;
    let mut source = EventSource::connect(socket, "/sse?symbols=*", String::new()).await;
    for _ in 0..20 {
        server.publish([trade("S0", "2"), trade("S4999", "2")]);
    }

    let mut snapshots = 0;
    while snapshots < names.len() {
        let event = source.next().await;
        snapshots += usize::from(event.name == "snapshot");
        assert_eq!(event.id.is_some(), snapshots == names.len(), "after {snapshots}: {event:?}");
    }
}

#[tokio::test]
async fn a_heartbeat_moves_the_cursor_of_a_client_whose_symbols_are_quiet() {
    let mut config = Config::default();
    config.session.heartbeat = std::time::Duration::from_millis(20);
    let server = TestServer::start(config).await;
    let mut source = connect(&server, "/sse?symbols=QUIET", "").await;
    server.publish([trade("OTHER", "1")]);
    let cursor = format!("{}-1", server.bus().epoch());

    while source.last_id != cursor {
        let event = source.next().await;
        assert!(["subscribed", "heartbeat"].contains(&&*event.name), "{event:?}");
    }
}

#[tokio::test]
async fn the_last_event_beats_the_cursor_in_the_url() {
    let server = TestServer::start(Config::default()).await;
    let epoch = server.bus().epoch();
    server.publish((0..3).map(|_| trade("A", "1")));
    let path = format!("/sse?symbols=A&after={epoch}-0");

    for (last_id, first) in [("", 1), (&*format!("{epoch}-2"), 3)] {
        let mut source = connect(&server, &path, last_id).await;
        assert_eq!(source.next().await.data["resumed"], true);
        assert_eq!(source.next().await.data["seq"], first);
    }
}

#[tokio::test]
async fn a_wrong_request_gets_an_error_that_names_the_parameter() {
    let server = TestServer::start(Config::default()).await;
    for (path, header, status, message) in [
        ("/sse", "", 400, "/sse?symbols=AAPL,MSFT"),
        (
            "/sse?symbols=A",
            "Last-Event-ID: yesterday\r\n",
            400,
            "Last-Event-ID: \"yesterday\" is not a cursor",
        ),
        ("/sse?symbols=A", "Last-Event-ID: other-99\r\n", 200, ""),
        ("/sse?symbols=A&delivery=some", "", 400, "delivery is latest or every"),
    ] {
        let client = LineClient::ask_with(server.open().await, path, header).await;
        assert!(client.head.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {header} {}", client.head);
        if status != 200 {
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n");
            let answer = server.request(&request).await;
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            assert!(body["error"]["message"].as_str().unwrap().contains(message), "{body}");
        }
    }
}

#[tokio::test]
async fn a_shutdown_is_the_last_event() {
    let server = TestServer::start(Config::default()).await;
    let mut source = connect(&server, "/sse?symbols=A", "").await;
    source.next().await;

    server.stop();

    let close = source.next().await;
    assert_eq!(close.name, "close");
    assert_eq!(close.data, json!({"type": "close", "code": 1001, "reason": "the server shuts down"}));
    assert_eq!(source.line().await.unwrap_err(), Next::End);
}

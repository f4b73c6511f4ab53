//! Tests of the HTTP requests that control the feed: their effect, the frames that subscribers receive, and
//! the permissions.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tickerplant::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::process::{PATIENCE, ServerProcess};
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// A CSV file with six trades, ten seconds apart. Only the fourth and the fifth trade have the same time.
const TRADES: &str = "time,symbol,price,size\n\
                      2024-01-03T14:30:00Z,A,1,10\n\
                      2024-01-03T14:30:10Z,A,5,10\n\
                      2024-01-03T14:30:20Z,B,7,10\n\
                      2024-01-03T14:30:30Z,A,3,10\n\
                      2024-01-03T14:30:30Z,B,8,10\n\
                      2024-01-03T14:30:40Z,A,4,10\n";

/// Writes [`TRADES`] to a file in a new folder. Returns the folder and the path of the file.
fn file() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trades.csv");
    std::fs::write(&path, TRADES).unwrap();
    let path = path.display().to_string();
    (folder, path)
}

/// Returns the configuration of a paused replay of [`TRADES`], with these additional settings in the section
/// `[feed]`.
fn replay(settings: &str) -> (TempDir, Config) {
    let (folder, path) = file();
    let feed = format!("kind = \"replay\"\nreplay.files = [{path:?}]\nclock.paused = true\n{settings}");
    (folder, Config { feed: toml::from_str(&feed).unwrap(), ..Config::default() })
}

async fn request(address: SocketAddr, head: &str, body: &str) -> (String, Value) {
    let length = body.len();
    let request = format!(
        "{head}\r\nHost: 127.0.0.1:8000\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, socket.read_to_string(&mut answer)).await.expect("an answer comes").unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Sends a command for the feed, and returns the feed's status after the command.
async fn told(address: SocketAddr, command: Value) -> Value {
    let (head, status) = request(address, "POST /api/v1/feed HTTP/1.1", &command.to_string()).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{command}: {head} {status}");
    status
}

async fn status(address: SocketAddr) -> Value {
    request(address, "GET /api/v1/feed HTTP/1.1", "").await.1
}

async fn sought(address: SocketAddr, time: &str) -> Value {
    told(address, json!({"action": "seek", "time": format!("2024-01-03T{time}Z")})).await
}

/// Asks until the answer is as expected, because the shards read the newest events a little later.
async fn answered(address: SocketAddr, path: &str, is_expected: impl Fn(&Value) -> bool) -> Value {
    let ask = async {
        loop {
            let (_, answer) = request(address, &format!("GET {path} HTTP/1.1"), "").await;
            if is_expected(&answer) {
                return answer;
            }
            yield_now().await;
        }
    };
    timeout(PATIENCE, ask).await.expect("the answer becomes as expected")
}

async fn stepped(address: SocketAddr, events: u32) -> Value {
    told(address, json!({"action": "step", "events": events})).await
}

async fn ended(address: SocketAddr) -> Value {
    let wait = async {
        loop {
            let status = status(address).await;
            if status["state"] == "ended" {
                return status;
            }
            yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.expect("the feed ends")
}

/// Reads the reply to the subscription in the URL, and then waits until the feed is paused. Returns the epoch
/// in the reply.
async fn subscribed(client: &mut Client) -> String {
    let reply = client.expect(r#"{"type":"subscribed","feed":{"kind":"replay"}}"#).await;
    if reply["feed"]["state"] != "paused" {
        client.expect(r#"{"type":"feed","state":"paused"}"#).await;
    }
    reply["epoch"].as_str().unwrap().to_owned()
}

/// Reads the next trade. Returns its sequence number, its symbol, and its time in minutes and seconds.
async fn event(client: &mut Client) -> (u64, String, String) {
    let frame = client.json().await;
    let text = |name: &str| frame[name].as_str().unwrap_or_else(|| panic!("{frame}")).to_owned();
    assert_eq!(text("type"), "trade", "{frame}");
    (frame["seq"].as_u64().unwrap(), text("symbol"), text("time")[14..].trim_end_matches('Z').to_owned())
}

fn trade(seq: u64, symbol: &str, second: &str) -> (u64, String, String) {
    (seq, symbol.to_owned(), second.to_owned())
}

#[tokio::test]
async fn the_status_leaves_out_unknown_values() {
    let (_folder, config) = replay("");
    let files = config.feed.replay.files.clone();
    let server = TestServer::feed(config).await;

    assert_eq!(
        status(server.address()).await,
        json!({
            "kind": "replay", "state": "paused", "speed": 1, "loop": false, "rate": 0, "events": 0, "peers": 0,
            "files": files, "rows": 6,
            "first": "2024-01-03T14:30:00Z", "last": "2024-01-03T14:30:40Z", "ends_in_ms": 40000,
        })
    );
    let simulated = "kind = \"simulated\"\nclock = { paused = true, speed = 2.5 }\n\
        simulated = { profile = \"gbm\", seed = 42, start = \"2024-01-03T14:30:00Z\" }";
    let simulated = Config { feed: toml::from_str(simulated).unwrap(), ..Config::default() };
    let server = TestServer::feed(simulated).await;
    assert_eq!(
        status(server.address()).await,
        json!({
            "kind": "simulated", "state": "paused", "speed": 2.5, "rate": 0, "configured_rate": 100,
            "seed": 42, "profile": "gbm", "start": "2024-01-03T14:30:00Z", "events": 0, "peers": 0,
            "command": "tickerplant --feed simulated --profile gbm --seed 42 --start 2024-01-03T14:30:00Z --rate 100",
        })
    );
}

#[tokio::test]
async fn a_subscriber_gets_stepped_events_and_after_a_seek_those_from_its_target_on() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;
    let at = server.address();
    let mut client = server.connect("/ws?symbols=*&delivery=every").await;
    subscribed(&mut client).await;

    let status = stepped(at, 2).await;
    assert_eq!((&status["position"], &status["state"]), (&json!("2024-01-03T14:30:10Z"), &json!("paused")));
    assert_eq!(event(&mut client).await, trade(1, "A", "30:00"));
    assert_eq!(event(&mut client).await, trade(2, "A", "30:10"));

    let status = sought(at, "14:30:25").await;
    assert_eq!(
        (&status["position"], &status["state"], &status["events"]),
        (&json!("2024-01-03T14:30:25Z"), &json!("paused"), &json!(2))
    );
    client.expect(r#"{"type":"feed","state":"paused","position":"2024-01-03T14:30:25Z"}"#).await;
    let fold = r#"{"type":"snapshot","symbol":"A","seq":2,"trade":{"price":5},"day":{"open":1,"last":5,"volume":20}}"#;
    client.expect(fold).await;
    client.expect(r#"{"type":"snapshot","symbol":"B","seq":2,"trade":{"price":7}}"#).await;

    stepped(at, 1).await;
    assert_eq!(event(&mut client).await, trade(3, "A", "30:30"));
    let status = told(at, json!({"action": "step"})).await;
    assert_eq!((&status["events"], &status["state"]), (&json!(4), &json!("paused")));
    assert_eq!(event(&mut client).await, trade(4, "B", "30:30"));
    client.quiet().await;
}

#[tokio::test]
async fn a_simulation_goes_back_to_its_start_and_on_to_any_time_and_its_events_are_the_same() {
    let feed = "clock.paused = true\nsimulated = { seed = 7, start = \"2024-01-03T14:30:00Z\" }";
    let server = TestServer::feed(Config { feed: toml::from_str(feed).unwrap(), ..Config::default() }).await;
    let at = server.address();
    let events = async || {
        stepped(at, 40).await;
        let answer =
            answered(at, "/api/v1/events?symbols=*&limit=40", |answer| answer["events"][39].is_object())
                .await;
        let mut events = answer["events"].as_array().unwrap().clone();
        for event in &mut events {
            event.as_object_mut().unwrap().remove("seq");
        }
        events
    };
    let first = events().await;
    assert_eq!((first.len(), &first[0]["symbol"]), (40, &json!("AAPL")));

    let status = told(at, json!({"action": "seek", "time": "2024-01-03T15:00:00Z"})).await;
    assert_eq!((&status["position"], &status["state"]), (&json!("2024-01-03T15:00:00Z"), &json!("paused")));
    let has_day = |answer: &Value| answer["snapshots"]["AAPL"]["day"].is_object();
    let answer = answered(at, "/api/v1/snapshots?symbols=AAPL", has_day).await;
    let of_aapl = &answer["snapshots"]["AAPL"];
    assert!(of_aapl["trade"]["time"].as_str().unwrap().starts_with("2024-01-03T14:59:"), "{of_aapl}");
    assert!(of_aapl["day"]["volume"].as_u64().unwrap() > 100_000, "{of_aapl}");
    let later = events().await;
    assert!(later[0]["time"].as_str().unwrap().starts_with("2024-01-03T15:00:00"), "{later:?}");

    let status = told(at, json!({"action": "seek", "time": "2024-01-03"})).await;
    assert_eq!(status["position"], "2024-01-03T14:30:00Z");
    assert_eq!(events().await, first);
    told(at, json!({"action": "seek", "time": "2024-01-03T15:00:00Z"})).await;
    assert_eq!(events().await, later);
    assert_eq!(told(at, json!({"action": "speed", "speed": "max"})).await["speed"], "max");
}

#[tokio::test]
async fn a_seek_to_the_time_of_events_stops_before_them() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;
    let mut client = server.connect("/ws?symbols=*").await;
    subscribed(&mut client).await;

    sought(server.address(), "14:30:30").await;
    for expected in [
        r#"{"type":"feed","position":"2024-01-03T14:30:30Z"}"#,
        r#"{"type":"snapshot","symbol":"A"}"#,
        r#"{"type":"snapshot","symbol":"B"}"#,
    ] {
        client.expect(expected).await;
    }
    stepped(server.address(), 2).await;

    assert_eq!(event(&mut client).await, trade(1, "A", "30:30"));
    assert_eq!(event(&mut client).await, trade(2, "B", "30:30"));
}

#[tokio::test]
async fn a_seek_before_the_first_event_goes_to_the_start() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;
    stepped(server.address(), 4).await;

    let status = sought(server.address(), "00:00:00").await;

    assert_eq!(status["position"], "2024-01-03T14:30:00Z");
    assert_eq!(stepped(server.address(), 6).await["events"], 10);
}

#[tokio::test]
async fn a_seek_after_the_last_event_folds_all_and_ends_the_feed() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;

    let mut client = server.connect("/ws?symbols=A").await;
    subscribed(&mut client).await;

    let status = sought(server.address(), "23:00:00").await;

    assert_eq!((&status["state"], &status["events"]), (&json!("ended"), &json!(0)));
    assert_eq!(status["position"], "2024-01-03T14:30:40Z");
    let mut client = server.connect("/ws?symbols=A").await;
    client.expect(r#"{"type":"subscribed","feed":{"kind":"replay","state":"ended"}}"#).await;
    client
        .expect(r#"{"type":"snapshot","symbol":"A","trade":{"price":4},"day":{"open":1,"volume":40}}"#)
        .await;
}

#[tokio::test]
async fn a_seek_restarts_a_feed_that_has_ended() {
    let (_folder, config) = replay("clock.speed = \"max\"");
    let server = TestServer::feed(config).await;
    let at = server.address();
    let mut client = server.connect("/ws?symbols=A&delivery=every").await;
    subscribed(&mut client).await;
    told(at, json!({"action": "resume"})).await;
    assert_eq!(ended(at).await["events"], 6);

    assert_eq!(sought(at, "14:30:30").await["state"], "running");

    let status = ended(at).await;
    assert_eq!((&status["events"], &status["position"]), (&json!(9), &json!("2024-01-03T14:30:40Z")));
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let frame = client.json().await;
        seen.extend((frame["type"] == "feed").then(|| frame["state"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, ["running", "ended", "running", "ended"]);
}

#[tokio::test]
async fn after_a_seek_a_loop_continues_with_rising_days() {
    let (_folder, config) = replay("replay.loop = true");
    let server = TestServer::feed(config).await;
    let at = server.address();
    let mut client = server.connect("/ws?symbols=*&delivery=every").await;
    subscribed(&mut client).await;
    // Steps through a little more than two rounds of the file.
    let status = stepped(at, 14).await;
    assert_eq!(status["position"], "2024-01-03T14:30:10Z");
    assert_eq!(status.get("ends_in_ms"), None);
    for _ in 0..13 {
        event(&mut client).await;
    }
    client.expect(r#"{"type":"trade","seq":14,"symbol":"A","time":"2024-01-05T14:30:10Z"}"#).await;

    sought(at, "14:30:40").await;
    client.expect(r#"{"type":"feed","position":"2024-01-03T14:30:40Z"}"#).await;
    for symbol in ["A", "B"] {
        assert_eq!(client.json().await["symbol"], symbol);
    }
    stepped(at, 3).await;
    for (seq, time) in [(15, "03T14:30:40"), (16, "04T14:30:00"), (17, "04T14:30:10")] {
        let expected = format!(r#"{{"type":"trade","seq":{seq},"symbol":"A","time":"2024-01-{time}Z"}}"#);
        client.expect(&expected).await;
    }

    assert_eq!(sought(at, "23:00:00").await["state"], "paused");
    assert_eq!(stepped(at, 1).await["position"], "2024-01-03T14:30:00Z");
}

#[tokio::test]
async fn the_status_is_of_the_rows_between_from_and_to() {
    let settings = "replay.from = \"2024-01-03 14:30:05\"\nreplay.to = \"2024-01-03 14:30:40\"";
    let (_folder, config) = replay(settings);
    let server = TestServer::feed(config).await;
    let at = server.address();

    let begin = status(at).await;
    let between = sought(at, "14:30:21").await;

    assert_eq!((&begin["rows"], &begin["ends_in_ms"]), (&json!(4), &json!(20_000)));
    assert_eq!(begin["first"], "2024-01-03T14:30:10Z");
    assert_eq!(begin["last"], "2024-01-03T14:30:30Z");
    // The first event after a seek is due at once.
    assert_eq!((&between["rows"], &between["ends_in_ms"]), (&json!(4), &json!(0)));
}

#[tokio::test]
async fn a_loop_that_is_turned_on_before_the_end_starts_again_and_one_turned_off_ends() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;
    let at = server.address();
    let mut client = server.connect("/ws?symbols=A&delivery=every").await;
    subscribed(&mut client).await;
    stepped(at, 5).await;

    let status = told(at, json!({"action": "loop", "loop": true})).await;
    assert_eq!((&status["loop"], &status["state"]), (&json!(true), &json!("paused")));
    assert_eq!(status.get("ends_in_ms"), None);
    assert_eq!(stepped(at, 2).await["position"], "2024-01-03T14:30:00Z");
    for (seq, second) in [(1, "30:00"), (2, "30:10"), (4, "30:30"), (6, "30:40"), (7, "30:00")] {
        assert_eq!(event(&mut client).await, trade(seq, "A", second));
    }

    let status = told(at, json!({"action": "loop", "loop": false})).await;
    assert_eq!((&status["loop"], &status["ends_in_ms"]), (&json!(false), &json!(40_000)));
    let status = stepped(at, 100).await;
    assert_eq!((&status["state"], &status["events"]), (&json!("ended"), &json!(12)));
}

#[tokio::test]
async fn a_replay_that_has_ended_starts_again_when_its_loop_is_turned_on() {
    let (_folder, config) = replay("clock.speed = \"max\"");
    let server = TestServer::feed(config).await;
    let at = server.address();
    let mut client = server.connect("/ws?symbols=B&delivery=every").await;
    subscribed(&mut client).await;
    told(at, json!({"action": "resume"})).await;
    ended(at).await;
    client.expect(r#"{"type":"feed","state":"running"}"#).await;
    assert_eq!(event(&mut client).await, trade(3, "B", "30:20"));
    assert_eq!(event(&mut client).await, trade(5, "B", "30:30"));
    client.expect(r#"{"type":"feed","state":"ended"}"#).await;

    assert_eq!(told(at, json!({"action": "loop", "loop": false})).await["state"], "ended");
    assert_eq!(told(at, json!({"action": "loop", "loop": true})).await["state"], "running");

    client.expect(r#"{"type":"feed","state":"running"}"#).await;
    assert_eq!(event(&mut client).await, trade(9, "B", "30:20"));
    told(at, json!({"action": "loop", "loop": false})).await;
    assert_eq!(ended(at).await["events"].as_u64().unwrap() % 6, 0);
}

#[tokio::test]
async fn a_replay_that_has_ended_in_a_pause_is_paused_at_the_start_of_its_next_lap() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;
    let at = server.address();
    assert_eq!(stepped(at, 100).await["state"], "ended");

    assert_eq!(told(at, json!({"action": "loop", "loop": true})).await["state"], "paused");

    let status = stepped(at, 1).await;
    assert_eq!((&status["position"], &status["events"]), (&json!("2024-01-03T14:30:00Z"), &json!(7)));
}

#[tokio::test]
async fn the_target_of_a_seek_has_every_form_of_the_setting_from() {
    let (_folder, config) = replay("replay.tz = \"America/New_York\"");
    let server = TestServer::feed(config).await;
    for (time, position) in [
        (json!("2024-01-03T14:30:20Z"), "14:30:20Z"),
        (json!("2024-01-03 09:30:30"), "14:30:30Z"),
        (json!("20240103 093010"), "14:30:10Z"),
        (json!(1_704_292_220), "14:30:20Z"),
        (json!(1_704_292_230_000_u64), "14:30:30Z"),
        (json!("1704292210"), "14:30:10Z"),
        // The start of the day is before the first event.
        (json!("2024-01-03"), "14:30:00Z"),
    ] {
        let status = told(server.address(), json!({"action": "seek", "time": time})).await;
        assert_eq!(status["position"], format!("2024-01-03T{position}"), "{time}");
    }
    // A day of New York begins at 05:00 UTC, after all events.
    let status = told(server.address(), json!({"action": "seek", "time": "2024-01-04"})).await;
    assert_eq!(status["state"], "ended");
}

#[tokio::test]
async fn a_cursor_from_before_a_seek_gets_a_gap() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;
    let mut client = server.connect("/ws?symbols=*").await;
    let epoch = subscribed(&mut client).await;
    stepped(server.address(), 3).await;
    sought(server.address(), "14:30:00").await;

    let mut again = server.connect(&format!("/ws?symbols=*&after={epoch}-2")).await;

    again.expect(r#"{"type":"subscribed","resumed":false}"#).await;
    again.expect(r#"{"type":"gap","reason":"history_exhausted"}"#).await;
}

#[tokio::test]
async fn an_error_reply_shows_a_right_request() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;
    let post = "POST /api/v1/feed HTTP/1.1";
    let evil = "POST /api/v1/feed HTTP/1.1\r\nOrigin: http://evil.example";
    let long = " ".repeat(4097);
    for (head, body, code, name, part) in [
        (post, "pause", 400, "bad_command", r#"{"action":"pause"}"#),
        (post, r#"{"action":"stop"}"#, 400, "unknown_action", "pause, resume, speed, seek, step and loop"),
        (post, r#"{"action":"pause","for":1}"#, 400, "bad_command", r#"no field "for""#),
        (post, r#"{"action":"seek","time":"noon"}"#, 400, "bad_command", "2024-01-03T14:30:00Z"),
        (post, r#"{"action":"speed","speed":-1}"#, 400, "bad_command", "a number from 0.000001 to 1000000"),
        (post, &long, 413, "message_too_long", "4096"),
        (evil, r#"{"action":"step"}"#, 403, "forbidden", "evil.example"),
        ("PUT /api/v1/feed HTTP/1.1", "{}", 405, "method_not_allowed", "GET, HEAD and POST"),
        ("GET /api/v1/feeds HTTP/1.1", "", 404, "not_found", "/api/v1/feed"),
    ] {
        let (head, answer) = request(server.address(), head, body).await;

        assert!(head.starts_with(&format!("HTTP/1.1 {code} ")), "{body}: {head} {answer}");
        assert_eq!(answer["error"]["code"], name, "{body}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(part), "{answer}");
        assert_eq!(head.contains("allow: GET, HEAD, POST"), code == 405, "{head}");
    }
    assert_eq!(status(server.address()).await["events"], 0);
}

#[tokio::test]
async fn a_page_that_may_connect_may_control() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;

    for origin in ["http://127.0.0.1:8000", "http://localhost:5173"] {
        let head = format!("POST /api/v1/feed HTTP/1.1\r\nOrigin: {origin}\r\nContent-Type: text/plain");
        let (head, answer) = request(server.address(), &head, r#"{"action":"step"}"#).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head} {answer}");
    }
    assert_eq!(status(server.address()).await["events"], 2);
}

#[tokio::test]
async fn a_body_in_chunks_is_read_and_has_the_same_limit() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;
    let head = "POST /api/v1/feed HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    let half = format!("800\r\n{}\r\n", " ".repeat(2048));

    let exact = r#"11\r\n{"action":"step"}\r\n0\r\n\r\n"#.replace(r"\r\n", "\r\n");
    let answer = server.request(&format!("{head}{exact}")).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let answer = server.request(&format!("{head}{half}{half}{exact}")).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_never_arrives_times_out() {
    let (_folder, mut config) = replay("");
    config.server.header_timeout = Duration::from_millis(50);
    let server = TestServer::feed(config).await;

    let answer =
        server.request("POST /api/v1/feed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{").await;

    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains(r#""code":"too_slow""#), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_announced_as_too_long_is_not_waited_for() {
    let (_folder, config) = replay("");
    let server = TestServer::feed(config).await;

    let announced = "POST /api/v1/feed HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4097\r\n\r\n{";
    let answer = server.request(announced).await;

    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains(r#""code":"message_too_long""#), "{answer}");
}

#[tokio::test]
async fn a_command_that_the_feed_cannot_execute_is_answered_409() {
    let simulated = Config { feed: toml::from_str("clock.paused = true").unwrap(), ..Config::default() };
    let simulated = TestServer::feed(simulated).await;
    for command in [json!({"action": "loop", "loop": true}), json!({"action": "loop", "loop": false})] {
        let post = "POST /api/v1/feed HTTP/1.1";
        let (head, answer) = request(simulated.address(), post, &command.to_string()).await;
        assert!(head.starts_with("HTTP/1.1 409 "), "{head} {answer}");
        assert_eq!(answer["error"]["code"], "conflict");
    }
    assert_eq!(stepped(simulated.address(), 10).await["events"], 10);
    let status = told(simulated.address(), json!({"action": "speed", "speed": 60})).await;
    assert_eq!((&status["speed"], &status["state"]), (&json!(60), &json!("paused")));
}

#[tokio::test]
async fn with_tokens_control_needs_a_token_that_allows_it() {
    // printf %s secret | sha256sum
    let secret = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    // printf %s correct | sha256sum
    let correct = "15a596e3c98c407e043751ff3b21ff0358a1bdfdf3fe948b1523893a8e5de2e8";
    let tokens = format!(
        "[[tokens]]\nname = \"watcher\"\nsha256 = \"{secret}\"\nsubscribe = [\"*\"]\n\
         [[tokens]]\nname = \"operator\"\nsha256 = \"{correct}\"\ncontrol = true\n"
    );
    let (_folder, config) = replay("");
    let server = TestServer::feed(Config { auth: toml::from_str(&tokens).unwrap(), ..config }).await;
    for (method, token, code) in [
        ("GET", None, 401),
        ("GET", Some("guess"), 401),
        ("GET", Some("secret"), 200),
        ("POST", None, 401),
        ("POST", Some("guess"), 401),
        ("POST", Some("secret"), 403),
        ("POST", Some("correct"), 200),
    ] {
        let token = token.map(|token| format!("\r\nAuthorization: Bearer {token}")).unwrap_or_default();
        let head = format!("{method} /api/v1/feed HTTP/1.1{token}");
        let body = if method == "POST" { r#"{"action":"step"}"# } else { "" };

        let (answer, _) = request(server.address(), &head, body).await;

        assert!(answer.starts_with(&format!("HTTP/1.1 {code} ")), "{head}: {answer}");
        assert_eq!(answer.contains("www-authenticate: Bearer"), code == 401, "{answer}");
    }
    assert_eq!(request(server.address(), "GET /api/v1/feed?token=secret HTTP/1.1", "").await.1["events"], 1);
}

#[tokio::test]
async fn the_program_starts_paused_and_executes_commands() {
    let (_folder, path) = file();
    let server = ServerProcess::start(&["--feed", "replay", &path, "--paused", "--speed", "max"]).await;
    let at = server.address();
    let url = format!("{}?symbols=A&delivery=every", server.url).into_client_request().unwrap();
    let socket = TcpStream::connect(at).await.unwrap();
    let mut client = Client::new(client_async(url, Box::new(socket) as _).await.unwrap().0);
    subscribed(&mut client).await;

    stepped(at, 1).await;
    assert_eq!(event(&mut client).await, trade(1, "A", "30:00"));
    sought(at, "14:30:15").await;
    client.expect(r#"{"type":"feed","state":"paused","position":"2024-01-03T14:30:15Z"}"#).await;
    client.expect(r#"{"type":"snapshot","symbol":"A","seq":1,"trade":{"price":5}}"#).await;
    told(at, json!({"action": "resume"})).await;

    client.expect(r#"{"type":"feed","state":"running"}"#).await;
    assert_eq!(event(&mut client).await, trade(3, "A", "30:30"));
    assert_eq!(event(&mut client).await, trade(5, "A", "30:40"));
    client.expect(r#"{"type":"feed","state":"ended"}"#).await;
    drop(client);
    assert_eq!(server.terminate().await.code(), Some(0));
}

#[tokio::test]
async fn standard_input_has_no_clock() {
    let server = ServerProcess::start(&["--feed", "stdin"]).await;

    let post = "POST /api/v1/feed HTTP/1.1";
    for command in [r#"{"action":"pause"}"#, r#"{"action":"loop","loop":true}"#] {
        let (head, answer) = request(server.address(), post, command).await;

        assert!(head.starts_with("HTTP/1.1 409 "), "{head} {answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("standard input"), "{answer}");
    }
    let status = ended(server.address()).await;
    assert_eq!(status, json!({"kind": "stdin", "state": "ended", "rate": 0, "events": 0, "peers": 0}));
}

//! Tests that a replay at full speed waits at its end for slow clients with `delivery=every`.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tickerplant::config::Config;
use tickerplant::counters::Limit;
use tokio::time::sleep;

use crate::support::json_answer::JsonAnswer;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// The number of events in the replayed file. The number is low enough that a replay publishes all events
/// before it waits for slow clients. The number is also high enough that the operating system cannot buffer
/// all events for one client.
const EVENTS: u64 = 3000;

const EVERY: &str = "/ws?symbols=*&delivery=every";

const SUBSCRIBED: &str = r#"{"type":"subscribed"}"#;

/// A number of bytes that may be pending for a client with `delivery=every`. Only a few events fit.
const SMALL_BUFFER: usize = 1024;

/// The receive buffer of a slow client, in bytes.
const ROOM: u32 = 4096;

/// Starts a paused replay of a file with [`EVENTS`] events. The command `resume` lets the replay run at full
/// speed.
async fn replay(settings: &str) -> (TempDir, TestServer) {
    replay_of((1..=EVENTS).map(|n| ("A".to_owned(), n)), SMALL_BUFFER, settings).await
}

/// Starts a paused replay of trades with these symbols and prices. The command `resume` lets the replay run
/// at full speed.
async fn replay_of(
    trades: impl Iterator<Item = (String, u64)>,
    every_buffer: usize,
    settings: &str,
) -> (TempDir, TestServer) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trades.csv");
    let mut rows = String::from("time,symbol,price\n");
    trades.for_each(|(symbol, price)| writeln!(rows, "2024-01-03T14:30:00Z,{symbol},{price}").unwrap());
    std::fs::write(&path, rows).unwrap();
    let path = path.display().to_string();
    let feed = format!("kind = \"replay\"\nreplay.files = [{path:?}]\nclock.speed = \"max\"\n{settings}");
    let mut config = Config { feed: toml::from_str(&feed).unwrap(), ..Config::default() };
    config.feed.clock.paused = true;
    config.session.every_buffer = every_buffer;
    config.server.send_buffer = 4096;
    (folder, TestServer::feed(config).await)
}

async fn resume(server: &TestServer) {
    tell(server, &json!({"action": "resume"})).await;
}

async fn tell(server: &TestServer, command: &Value) {
    let command = command.to_string();
    let request = format!(
        "POST /api/v1/feed HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{command}",
        command.len()
    );
    let answer = server.request(&request).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// Returns the next frame that is not a heartbeat.
async fn frame(client: &mut Client) -> Value {
    loop {
        let frame = client.json().await;
        if frame["type"] != "heartbeat" {
            return frame;
        }
    }
}

/// Reads a client's frames slowly until the feed has ended. Asserts that no event is missing.
async fn read_to_the_end(client: &mut Client) {
    let mut newest = 0;
    loop {
        let frame = frame(client).await;
        if frame["type"] == "trade" {
            newest += 1;
            assert_eq!(frame["seq"], newest);
            if newest % 100 == 0 {
                sleep(Duration::from_millis(1)).await;
            }
        } else if frame["state"] == "ended" {
            break;
        }
    }
    assert_eq!(newest, EVENTS, "the end comes behind all events");
}

#[tokio::test]
async fn slow_clients_with_a_small_buffer_get_all_of_a_small_file_and_then_its_end() {
    let (_folder, server) = replay("").await;
    let mut one = server.connect_with_room(EVERY, ROOM).await;
    let mut other = server.connect_with_room(EVERY, ROOM).await;
    one.expect(SUBSCRIBED).await;
    other.expect(SUBSCRIBED).await;

    resume(&server).await;
    tokio::join!(read_to_the_end(&mut one), read_to_the_end(&mut other));

    one.quiet().await;
    other.quiet().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_before_the_end() {
    let (_folder, server) = replay("replay.stall_timeout = \"1s\"").await;
    let mut reading = server.connect(EVERY).await;
    let mut still = server.connect_with_room(EVERY, ROOM).await;
    reading.expect(SUBSCRIBED).await;
    still.expect(SUBSCRIBED).await;

    resume(&server).await;
    read_to_the_end(&mut reading).await;

    assert_eq!(server.count_of(Limit::StallTimeout), 1);
    assert_eq!(still.closed().await.0, 4008);
}

#[tokio::test]
async fn steps_beside_a_client_that_does_not_read_are_answered_at_once() {
    let trades = (1..=EVENTS).map(|n| ("A".to_owned(), n));
    let (_folder, server) = replay_of(trades, 1 << 20, "replay.stall_timeout = \"1h\"").await;
    tell(&server, &json!({"action": "speed", "speed": 1})).await;
    let mut still = server.connect_with_room(EVERY, ROOM).await;
    still.expect(SUBSCRIBED).await;

    for _ in 0..4 {
        tell(&server, &json!({"action": "step", "events": EVENTS / 3})).await;
    }

    let status = JsonAnswer::get(&server, "/api/v1/feed").await.json();
    assert_eq!(
        (&status["state"], &status["events"], &status["peers"]),
        (&json!("ended"), &json!(EVENTS), &json!(1))
    );
}

#[tokio::test]
async fn commands_are_executed_while_a_replay_waits_at_its_end_for_a_client_that_does_not_read() {
    let (_folder, server) = replay("replay.stall_timeout = \"1h\"").await;
    let mut still = server.connect_with_room(EVERY, ROOM).await;
    still.expect(SUBSCRIBED).await;
    resume(&server).await;
    while server.bus().head() < EVENTS || !server.bus().is_waiting() {
        sleep(Duration::from_millis(1)).await;
    }

    tell(&server, &json!({"action": "pause"})).await;
    let (step, seek) = (json!({"action": "step"}), json!({"action": "seek", "time": "2024-01-03"}));
    tokio::join!(tell(&server, &step), tell(&server, &seek));
    tell(&server, &json!({"action": "loop", "loop": true})).await;
    tell(&server, &json!({"action": "speed", "speed": 1})).await;

    assert_eq!(JsonAnswer::get(&server, "/api/v1/feed").await.json()["state"], "paused");
}

#[tokio::test]
async fn commands_at_the_end_of_a_server_that_waits_for_its_clients_are_answered_409() {
    let trades = (1..=EVENTS).map(|n| (format!("S{n}"), n));
    let (_folder, server) =
        replay_of(trades, SMALL_BUFFER, "replay.stall_timeout = \"1h\"\nexit_at_end = true").await;
    tell(&server, &json!({"action": "speed", "speed": 1_000_000})).await;
    let mut still = server.connect_with_room("/ws?symbols=*", ROOM).await;
    still.expect(SUBSCRIBED).await;
    resume(&server).await;
    while JsonAnswer::get(&server, "/api/v1/feed").await.json()["state"] != "ended" {
        sleep(Duration::from_millis(1)).await;
    }

    for command in [
        json!({"action": "pause"}),
        json!({"action": "resume"}),
        json!({"action": "step"}),
        json!({"action": "seek", "time": "2024-01-03"}),
        json!({"action": "loop", "loop": true}),
        json!({"action": "speed", "speed": 2}),
    ] {
        let answer = JsonAnswer::post(&server, "/api/v1/feed", &command.to_string()).await;
        let expected = ("conflict".to_owned(), "the feed is over".to_owned());
        assert_eq!((answer.status, answer.error()), (409, expected), "{command}");
    }
}

#[tokio::test]
async fn a_client_that_takes_longer_than_the_stall_timeout_for_its_snapshots_gets_them_all_and_then_the_end()
{
    let symbols = (0..EVENTS).map(|n| (format!("S{n}"), 1));
    let rest = (1..=100).map(|n| ("S0".to_owned(), n));
    let (_folder, server) =
        replay_of(symbols.chain(rest), SMALL_BUFFER, "replay.stall_timeout = \"2s\"").await;
    tell(&server, &json!({"action": "step", "events": EVENTS})).await;
    let mut client = server.connect_with_room(EVERY, ROOM).await;
    assert_eq!(client.expect(SUBSCRIBED).await["snapshots"], EVENTS);
    resume(&server).await;

    let (mut snapshots, mut trades) = (0, 0);
    loop {
        let frame = frame(&mut client).await;
        match frame["type"].as_str().unwrap() {
            "snapshot" => snapshots += 1,
            "trade" => {
                trades += 1;
                assert_eq!(frame["price"], trades);
            }
            _ if frame["state"] == "ended" => break,
            _ => {}
        }
        // At this pace, the client reads all snapshots in three seconds.
        if frame["type"] == "snapshot" && snapshots % 100 == 0 {
            sleep(Duration::from_millis(100)).await;
        }
    }

    assert_eq!((snapshots, trades), (EVENTS, 100));
    assert_eq!(server.count_of(Limit::StallTimeout), 0);
}

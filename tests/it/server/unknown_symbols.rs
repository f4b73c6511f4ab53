//! Tests that the reply to a subscribe command lists the symbols that the feed does not know.

use serde_json::{Value, json};
use tempfile::TempDir;
use tickerplant::config::Config;

use crate::support::events::trade;
use crate::support::test_server::TestServer;
use crate::support::websocket_client::Client;

/// Returns a configuration whose section `[feed]` has these settings.
fn feed(settings: &str) -> Config {
    Config { feed: toml::from_str(settings).unwrap(), ..Config::default() }
}

/// Returns the configuration of a paused replay of two files. The first file has the symbols A and B in a
/// column. The second file has no such column, so its name gives the symbol C.
fn replay() -> (TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let trades =
        "time,symbol,price\n2024-01-03T14:30:00Z,A,1\n2024-01-03T14:30:10Z,B,2\n2024-01-03T14:30:20Z,A,3\n";
    std::fs::write(folder.path().join("trades.csv"), trades).unwrap();
    std::fs::write(folder.path().join("C.csv"), "time,price\n2024-01-03T14:30:15Z,4\n").unwrap();
    let path = folder.path().display().to_string();
    let config = feed(&format!("kind = \"replay\"\nreplay.files = [{path:?}]\nclock.paused = true"));
    (folder, config)
}

/// Subscribes to symbols, and skips the snapshots that follow the reply. Returns the field `unknown` of the
/// reply.
async fn unknown(client: &mut Client, symbols: Value) -> Value {
    client.send(&json!({"action":"subscribe","symbols":symbols}).to_string()).await;
    let reply = client.expect(r#"{"type":"subscribed"}"#).await;
    for _ in 0..reply["snapshots"].as_u64().unwrap() {
        client.expect(r#"{"type":"snapshot"}"#).await;
    }
    reply["unknown"].clone()
}

#[tokio::test]
async fn a_simulation_knows_its_symbols_before_their_first_events() {
    let rate = "kind = \"simulated\"\nclock.paused = true\nsimulated.symbols = [\"AAPL\", \"MSFT\"]";
    let server = TestServer::feed(feed(rate)).await;
    let mut client = server.connect("/ws").await;

    assert_eq!(unknown(&mut client, json!(["AAPL", "APPL", "aapl"])).await, json!(["APPL", "aapl"]));
    assert_eq!(unknown(&mut client, json!(["MSFT", "*"])).await, Value::Null, "only this command counts");
}

#[tokio::test]
async fn a_replay_knows_the_symbols_of_all_its_files_at_every_position() {
    let (_folder, config) = replay();
    let server = TestServer::feed(config).await;
    let asked = || json!(["A", "B", "C", "D"]);
    let mut client = server.connect("/ws").await;
    assert_eq!(unknown(&mut client, asked()).await, json!(["D"]));

    for body in [r#"{"action":"step","events":4}"#, r#"{"action":"seek","time":"2024-01-03T14:30:00Z"}"#] {
        let length = body.len();
        let head = "POST /api/v1/feed HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close";
        let answer = server.request(&format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

        let mut client = server.connect("/ws").await;
        assert_eq!(unknown(&mut client, asked()).await, json!(["D"]), "{body}");
    }
}

#[tokio::test]
async fn a_feed_that_announces_nothing_knows_what_has_had_an_event() {
    let server = TestServer::start(Config::default()).await;
    let mut client = server.connect("/ws").await;
    assert_eq!(unknown(&mut client, json!("A")).await, json!(["A"]));
    server.publish([trade("A", "1")]);
    client.expect(r#"{"type":"trade","symbol":"A"}"#).await;

    assert_eq!(unknown(&mut client, json!(["A", "B"])).await, json!(["B"]));
}

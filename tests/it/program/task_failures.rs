//! Tests that inject panics into the tasks of the built program. If a task of the feed (the pump or a reader)
//! panics, the feed must fail. If a shard, the reader of the bars or the accept loop panics, the program must
//! exit with code 70.

use std::process::Stdio;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::{ChildStdin, Command};
use tokio::time::timeout;

use crate::support::line_client::{LineClient, Next};
use crate::support::process::{PATIENCE, ServerProcess, can_signal, configured, line_with, tickerplant};
use crate::support::websocket_client::Client;

const TRADE: &[u8] = b"{\"type\":\"trade\",\"symbol\":\"A\",\"price\":1}\n";

/// Starts a server that has two shards and reads standard input. The argument `place` names the point in the
/// code where one of the server's tasks will panic.
async fn faulty(place: &str) -> (ServerProcess, ChildStdin) {
    let mut command = configured(tickerplant(&["--feed", "stdin"]), &[("server.shards", "2")]);
    command.stdin(Stdio::piped()).env("TICKERPLANT_FAULT", place);
    let mut server = ServerProcess::spawn(command).await;
    let input = server.process.stdin.take().unwrap();
    (server, input)
}

async fn socket(server: &ServerProcess) -> Client {
    let mut client = server.connect("/ws?symbols=A").await;
    client.expect(r#"{"type":"subscribed"}"#).await;
    client
}

async fn stream(server: &ServerProcess) -> LineClient<TcpStream> {
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let mut client = LineClient::ask(socket, "/ndjson?symbols=A").await;
    assert_eq!(client.line().await["type"], "subscribed");
    client
}

/// Sends a request over a new connection. Returns the head and the body of the response.
async fn answer(server: &ServerProcess, path: &str) -> String {
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut socket, &mut answer).await.unwrap();
    answer
}

/// Reads a client's frames until a frame reports that the feed has failed. Returns this frame.
async fn failed(client: &mut Client) -> Value {
    loop {
        let frame = client.json().await;
        if frame["type"] == "feed" && frame["state"] == "failed" {
            return frame;
        }
    }
}

/// Returns whether this build can inject faults. If not, prints that the test is skipped.
fn has_faults(test: &str) -> bool {
    if !cfg!(debug_assertions) {
        eprintln!("skipped, a release build injects no faults: {test}");
    }
    cfg!(debug_assertions)
}

#[tokio::test]
async fn a_panic_in_pump_or_reader_fails_the_feed_and_the_server_stays() {
    let test = "a_panic_in_pump_or_reader_fails_the_feed_and_the_server_stays";
    if !has_faults(test) || !can_signal(test).await {
        return;
    }
    for (place, detail) in [
        ("pump", "the feed's own task has panicked: a fault on purpose"),
        ("reader", "the reader of standard input has panicked: a fault on purpose"),
    ] {
        let (server, mut input) = faulty(place).await;
        let (mut client, mut listener) = (socket(&server).await, stream(&server).await);

        input.write_all(TRADE).await.unwrap();

        assert_eq!(failed(&mut client).await["detail"], detail);
        loop {
            let line = listener.line().await;
            if line["state"] == "failed" {
                assert_eq!(line["detail"], detail);
                break;
            }
        }
        let (ready, feed) = (answer(&server, "/readyz").await, answer(&server, "/api/v1/feed").await);
        assert!(ready.starts_with("HTTP/1.1 503 ") && ready.contains(detail), "{ready}");
        assert!(feed.contains(r#""state":"failed""#) && feed.contains(detail), "{feed}");
        client.send(r#"{"action":"ping"}"#).await;
        client.expect(r#"{"type":"pong"}"#).await;

        let (ended, close) = tokio::join!(server.terminate(), client.closed());

        assert_eq!((ended.code(), close.0), (Some(0), 1001), "{place}");
    }
}

#[tokio::test]
async fn a_panic_in_the_file_reader_fails_the_replay() {
    if !has_faults("a_panic_in_the_file_reader_fails_the_replay") {
        return;
    }
    let bars = concat!(env!("CARGO_MANIFEST_DIR"), "/feeds/bars-1m.csv");
    let mut command: Command = tickerplant(&["--feed", "replay", bars, "--wait-for-client"]);
    command.env("TICKERPLANT_FAULT", "reader");
    let server = ServerProcess::spawn(command).await;

    let mut client = socket(&server).await;

    let detail = failed(&mut client).await["detail"].clone();
    assert_eq!(detail, "the reader of files has panicked: a fault on purpose");
}

#[tokio::test]
async fn a_panic_in_a_shard_the_bars_or_the_accept_loop_closes_every_client_and_exits_with_70() {
    if !has_faults("a_panic_in_a_shard_the_bars_or_the_accept_loop_closes_every_client_and_exits_with_70") {
        return;
    }
    for (place, task) in [("shard", "shard "), ("bars", "bars reader "), ("accept:21", "the accept loop ")] {
        let (mut server, mut input) = faulty(place).await;
        let mut sockets = join_all((0..10).map(|_| socket(&server))).await;
        let mut streams = join_all((0..10).map(|_| stream(&server))).await;

        input.write_all(TRADE).await.unwrap();
        // The accept loop panics when it accepts this connection.
        let _last = TcpStream::connect(server.address()).await;

        for client in &mut sockets {
            assert_eq!(client.closed().await, (1001, "the server shuts down".to_owned()), "{place}");
        }
        let close = json!({"type": "close", "code": 1001, "reason": "the server shuts down"});
        for client in &mut streams {
            while client.line().await != close {}
            assert_eq!(client.next().await, Next::End);
        }
        let error = line_with(&mut server.log, "error: ").await;
        assert!(error.starts_with(&format!("error: {task}")), "{error}");
        assert!(error.ends_with("has panicked: a fault on purpose"), "{error}");
        let ended = timeout(PATIENCE, server.process.wait()).await.expect("the server ends").unwrap();
        assert_eq!(ended.code(), Some(70), "{place}");
    }
}

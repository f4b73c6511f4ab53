//! Tests of `--exit-at-end`: the program ends with its feed, after the clients have got everything.

use std::fmt::Write;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::ChildStdin;
use tokio::time::sleep;

use crate::support::line_client::{LineClient, Next};
use crate::support::process::{
    ServerProcess, WatchProcess, assert_is_one_error, configured, line_with, run, tickerplant,
};
use crate::support::subscriber::{EVERY, Frame, Subscriber};

const TICKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/feeds/ticks.csv");

/// The number of events in the file [`TICKS`].
const TICK_EVENTS: u64 = 1980;

/// The number of events of [`trades`]. The operating system cannot buffer all of them for a client with a
/// small receive buffer.
const TRADES: u64 = 30_000;

/// The number of symbols of [`trades`]. The operating system cannot buffer one event of each symbol, either.
const SYMBOLS: u64 = 5000;

/// The receive buffer of a slow client, in bytes.
const ROOM: u32 = 4096;

/// The setting with which [`TRADES`] events may be pending for a client.
const LARGE_BUFFER: (&str, &str) = ("session.every_buffer", "16777216");

/// Returns [`TRADES`] lines for standard input. The n-th trade has the price n.
fn trades() -> String {
    (1..=TRADES).fold(String::new(), |mut lines, n| {
        writeln!(lines, r#"{{"type":"trade","symbol":"S{}","price":{n}}}"#, n % SYMBOLS).unwrap();
        lines
    })
}

async fn reading_stdin(settings: &[(&str, &str)]) -> (ServerProcess, ChildStdin) {
    let mut command = configured(tickerplant(&["--feed", "stdin", "--exit-at-end"]), settings);
    command.stdin(Stdio::piped());
    let mut server = ServerProcess::spawn(command).await;
    let input = server.process.stdin.take().unwrap();
    (server, input)
}

#[tokio::test]
async fn watch_gets_every_event_of_a_replay_and_then_the_close() {
    for speed in ["max", "100000"] {
        let arguments = ["--feed", "replay", TICKS, "--speed", speed, "--wait-for-client", "--exit-at-end"];
        let server = ServerProcess::start(&arguments).await;
        let mut watching = WatchProcess::start(&format!("{}?{EVERY}", server.url));

        let mut events = 0;
        loop {
            let frame: Value = serde_json::from_str(&watching.line().await).unwrap();
            match frame["type"].as_str().unwrap() {
                "trade" | "quote" => {
                    events += 1;
                    assert_eq!(frame["seq"], events);
                }
                "feed" if frame["state"] == "ended" => break,
                _ => {}
            }
        }

        assert_eq!(events, TICK_EVENTS);
        line_with(&mut watching.log, "closed with 1001 the server shuts down").await;
        assert_eq!(server.ended().await.code(), Some(0));
    }
}

#[tokio::test]
async fn a_feed_without_clients_ends_the_program() {
    let replay =
        ServerProcess::start(&["--feed", "replay", TICKS, "--speed", "100000", "--exit-at-end"]).await;
    let (stdin, input) = reading_stdin(&[]).await;
    drop(input);

    assert_eq!(replay.ended().await.code(), Some(0));
    assert_eq!(stdin.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_input_of_nothing_but_bad_lines_exits_with_65_and_one_good_line_is_enough_for_0() {
    for (text, code) in
        [("hello\nworld\n", 65), ("hello\n{\"type\":\"trade\",\"symbol\":\"A\",\"price\":1}\n", 0)]
    {
        let (mut server, mut input) = reading_stdin(&[]).await;
        input.write_all(text.as_bytes()).await.unwrap();
        drop(input);

        if code == 65 {
            let error = line_with(&mut server.log, "error: ").await;
            let expected = "error: the feed has failed: standard input: none of its 2 lines is an event";
            assert!(error.starts_with(expected), "{error}");
        }
        assert_eq!(server.ended().await.code(), Some(code), "{text}");
    }
}

#[tokio::test]
async fn clients_of_every_kind_get_everything_from_standard_input() {
    let (server, mut input) = reading_stdin(&[LARGE_BUFFER]).await;
    let mut every = Subscriber::connect(server.address(), EVERY).await;
    let mut with_interval = Subscriber::connect(server.address(), "symbols=*&interval_ms=60000").await;
    let mut plain = server.connect("/ws").await;
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let mut stream = LineClient::ask(socket, "/ndjson?symbols=S1&delivery=every").await;

    input.write_all(trades().as_bytes()).await.unwrap();
    drop(input);

    let lines = async {
        let mut newest = Value::Null;
        loop {
            match stream.next().await {
                Next::Line(line) if line["type"] == "trade" => newest = line["price"].clone(),
                Next::Line(line) if line["type"] == "close" => assert_eq!(line["code"], 1001),
                Next::Line(_) => {}
                end => break (newest, end),
            }
        }
    };
    let (every_end, interval_end, plain_end, lines_end) =
        tokio::join!(every.read_to_end(), with_interval.read_to_end(), plain.closed(), lines);
    for end in [every_end, interval_end] {
        assert!(matches!(end, Frame::Closed(1001, _)), "{end:?}");
    }
    assert_eq!((every.seq, with_interval.seq), (TRADES, TRADES));
    assert_eq!(plain_end, (1001, "the server shuts down".to_owned()));
    assert_eq!(lines_end, (json!(TRADES - SYMBOLS + 1), Next::End));
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_slow_client_is_waited_for_while_it_reads() {
    for query in [EVERY, "symbols=*"] {
        // A normal shutdown would wait for this client only as long as `session.close_timeout`.
        let (server, mut input) = reading_stdin(&[("session.close_timeout", "100ms"), LARGE_BUFFER]).await;
        let mut subscriber = Subscriber::connect_with_room(server.address(), query, ROOM).await;

        input.write_all(trades().as_bytes()).await.unwrap();
        drop(input);
        read_slowly(&mut subscriber).await;

        assert_eq!(subscriber.seq, TRADES, "{query}");
        assert_eq!(server.ended().await.code(), Some(0));
    }
}

/// Reads until the feed has ended, at most 20 frames a millisecond.
async fn read_slowly(subscriber: &mut Subscriber) {
    let mut frames = 0;
    loop {
        match subscriber.next().await {
            Frame::Other(text) if text.contains(r#""state":"ended""#) => return,
            Frame::Event(_) | Frame::Heartbeat(_) | Frame::Other(_) => frames += 1,
            end => panic!("after {}: {end:?}", subscriber.seq),
        }
        if frames % 20 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up_after_the_stall_timeout() {
    let settings = [("feed.replay.stall_timeout", "500ms"), LARGE_BUFFER];
    let (server, mut input) = reading_stdin(&settings).await;
    let still = Subscriber::connect_with_room(server.address(), EVERY, ROOM).await;
    let mut reading = Subscriber::connect(server.address(), EVERY).await;

    input.write_all(trades().as_bytes()).await.unwrap();
    drop(input);

    assert!(matches!(reading.read_to_end().await, Frame::Closed(1001, _)));
    assert_eq!(reading.seq, TRADES);
    assert_eq!(server.ended().await.code(), Some(0));
    drop(still);
}

#[tokio::test]
async fn a_replay_that_fails_exits_with_65_after_the_clients_know_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("A.csv");
    let rows = (0..100)
        .fold("time,price\n".to_owned(), |rows, second| format!("{rows}{},1\n", 1_704_292_200 + second));
    std::fs::write(&path, rows + "1704292300,none\n1704292301,1\n").unwrap();
    let path = path.display().to_string();
    let arguments =
        ["--feed", "replay", &path, "--strict", "--speed", "max", "--wait-for-client", "--exit-at-end"];
    let mut server = ServerProcess::start(&arguments).await;
    let mut client = server.connect("/ws?symbols=*&delivery=every").await;

    let failed = loop {
        let frame = client.json().await;
        if frame["state"] == "failed" {
            break frame;
        }
    };

    assert!(failed["detail"].as_str().unwrap().contains("A.csv:102: "), "{failed}");
    assert_eq!(client.closed().await.0, 1001);
    let error = line_with(&mut server.log, "error: ").await;
    assert!(error.starts_with("error: the feed has failed: ") && error.contains("A.csv:102: "), "{error}");
    assert_eq!(server.ended().await.code(), Some(65));
}

#[tokio::test]
async fn a_feed_without_an_end_cannot_exit_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.toml");
    std::fs::write(&file, "[feed]\nexit_at_end = true\n").unwrap();
    let file = file.to_str().unwrap();
    let replay = ["--feed", "replay", TICKS, "--loop"];
    for (arguments, code, place) in [
        (vec!["--exit-at-end"], 2, "--exit-at-end: a simulation has no end"),
        (vec!["--config", file], 78, "server.toml:2: feed.exit_at_end: a simulation has no end"),
        (
            [&replay[..], &["--exit-at-end"]].concat(),
            2,
            "--exit-at-end: a replay that starts again (feed.replay.loop, --loop) has no end",
        ),
        (
            [&replay[..], &["--config", file]].concat(),
            78,
            "server.toml:2: feed.exit_at_end: a replay that starts again",
        ),
    ] {
        for command in [&["serve"][..], &["config", "--check"]] {
            let words = [command, &arguments].concat();
            let (found, out, err) = run(tickerplant(&words)).await;
            assert_eq!((found, out.as_str()), (code, ""), "{words:?}: {err}");
            assert_is_one_error(&err, place);
        }
    }
}

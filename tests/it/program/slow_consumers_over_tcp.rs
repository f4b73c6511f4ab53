//! Tests with slow consumers over TCP: clients that read more slowly than the server could send.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::support::process::{ServerProcess, configured, tickerplant};
use crate::support::subscriber::{EVERY, Frame, Subscriber};

/// The number of events that the feed publishes. The n-th event has the price n.
const EVENTS: u64 = 30_000;

/// The number of symbols of the feed. Any ten successive events belong to ten different symbols.
const SYMBOLS: u64 = 10;

/// The receive buffer of a slow client, in bytes.
const ROOM: u32 = 4096;

async fn serve(settings: &[(&str, &str)]) -> (ServerProcess, ChildStdin) {
    let mut command = configured(tickerplant(&["--feed", "stdin"]), settings);
    command.stdin(Stdio::piped());
    let mut server = ServerProcess::spawn(command).await;
    let input = server.process.stdin.take().unwrap();
    (server, input)
}

/// Writes about 20,000 events a second to the server's standard input. After the last event, closes the
/// input.
async fn feed(mut input: ChildStdin) {
    let mut turns = interval(Duration::from_millis(10));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut numbers = 1..=EVENTS;
    while !numbers.is_empty() {
        turns.tick().await;
        let mut lines = String::new();
        for n in numbers.by_ref().take(200) {
            let (kind, price) =
                if (n / SYMBOLS).is_multiple_of(2) { ("trade", "price") } else { ("quote", "bid") };
            writeln!(lines, r#"{{"type":"{kind}","symbol":"S{}","{price}":{n}}}"#, n % SYMBOLS).unwrap();
        }
        input.write_all(lines.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_slow_consumer_gets_the_newest_values_and_the_count_of_the_others() {
    let (server, input) = serve(&[("session.heartbeat", "100ms")]).await;
    let mut subscriber = Subscriber::connect_with_room(server.address(), "symbols=*", ROOM).await;
    let mut feeding = JoinSet::new();
    feeding.spawn(feed(input));
    let mut received = 0;
    let mut newest = BTreeMap::new();
    let mut is_slow = true;

    let account = loop {
        match subscriber.next().await {
            Frame::Event(text) => {
                received += 1;
                let event: Value = serde_json::from_str(&text).unwrap();
                let price = event.get("price").or(event.get("bid")).unwrap().as_u64().unwrap();
                newest.insert((event["symbol"].to_string(), event["type"].to_string()), price);
                if is_slow && received % 5 == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Frame::Heartbeat(beat) => {
                assert_eq!(beat.sent, received);
                assert!(beat.sent + beat.merged <= beat.seq, "{beat:?}");
                if beat.seq == EVENTS && subscriber.seq == EVENTS {
                    break beat;
                }
            }
            Frame::Other(text) => is_slow &= !text.contains(r#""state":"ended""#),
            end => panic!("{end:?}"),
        }
    };

    assert_eq!(account.sent + account.merged, EVENTS);
    assert!(account.merged > 0, "nobody reads this fast");
    let newest: Vec<u64> = newest.into_values().collect();
    let mut last = newest.clone();
    last.sort_unstable();
    assert_eq!(last, (EVENTS - 2 * SYMBOLS + 1..=EVENTS).collect::<Vec<_>>());
    feeding.join_all().await;
}

#[tokio::test]
async fn a_slow_consumer_of_every_event_is_closed_with_its_cursor_and_resumes() {
    let (server, input) = serve(&[("session.every_buffer", "65536"), ("session.close_timeout", "20s")]).await;
    let mut subscriber = Subscriber::connect_with_room(server.address(), EVERY, ROOM).await;
    let mut feeding = JoinSet::new();
    feeding.spawn(feed(input));
    let mut falls = 0;
    let mut read = 0;

    while subscriber.seq < EVENTS {
        match subscriber.next().await {
            Frame::Event(_) => {
                read += 1;
                // The client reads slowly until the server closes it for the first time.
                if falls == 0 && read % 5 == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            Frame::Closed(code, cursor) => {
                assert_eq!((code, &cursor), (4008, &subscriber.cursor()));
                falls += 1;
                subscriber = Subscriber::resume(server.address(), EVERY, &cursor).await;
                assert!(subscriber.resumed);
            }
            Frame::Lost => panic!("lost after {}", subscriber.seq),
            Frame::Heartbeat(_) | Frame::Other(_) => {}
        }
    }

    assert!(falls > 0, "nobody reads this fast");
    assert_eq!(read, EVENTS);
    feeding.join_all().await;
}

//! Tests of a server that is suspended for a while, and of a server that is killed and started again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::faulty_proxy::{Fault, Proxy};
use crate::support::process::{PATIENCE, ServerProcess, can_signal, line_with};
use crate::support::subscriber::{EVERY, Frame, Heartbeat, Subscriber};

#[tokio::test]
async fn a_cursor_from_before_a_restart_gets_a_gap_and_snapshots() {
    let arguments = ["--profile", "gbm", "--rate", "200", "--seed", "7"];
    let mut server = ServerProcess::start(&arguments).await;
    let mut subscriber = Subscriber::connect(server.address(), EVERY).await;
    subscriber.read_to(subscriber.seq + 100).await;
    server.process.kill().await.unwrap();
    assert!(matches!(subscriber.read_to_end().await, Frame::Lost));

    let server = ServerProcess::start(&arguments).await;
    let mut beside = Subscriber::connect(server.address(), EVERY).await;
    assert_ne!(beside.epoch, subscriber.epoch);

    // Resumes once while the new sequence numbers are below the old cursor, and once when they have passed
    // the old cursor.
    for head in [20, subscriber.seq + 10] {
        beside.read_to(head).await;
        let mut again = Subscriber::resume(server.address(), EVERY, &subscriber.cursor()).await;
        assert!(!again.resumed);
        let covered = again.seq;
        let mut before_events = Vec::new();
        while let Frame::Other(text) = again.next().await {
            before_events.push(text);
        }

        let gap = format!(r#"{{"type":"gap","reason":"epoch_changed","epoch":"{}"}}"#, beside.epoch);
        assert_eq!(before_events[0], gap);
        // The client may be on another shard than `beside`. That shard may not have read any event yet.
        assert_eq!(before_events.len() > 1, covered > 0, "{before_events:?}");
        for snapshot in &before_events[1..] {
            assert!(snapshot.starts_with(r#"{"type":"snapshot","symbol":""#), "{snapshot}");
            assert!(snapshot.contains(&format!(r#"","seq":{covered},"#)), "{snapshot}");
        }
        again.read_to(covered + 50).await;
    }
}

/// How long the server is suspended.
const STOP: Duration = Duration::from_secs(5);

/// Time between heartbeats.
const HEARTBEAT: SignedDuration = SignedDuration::from_millis(250);

#[tokio::test]
async fn a_server_suspended_for_five_seconds_continues_where_it_was() {
    if !can_signal("a server that stands still").await {
        return;
    }
    let settings =
        [("session.heartbeat", "250ms"), ("limits.ping_interval", "200ms"), ("limits.ping_timeout", "2s")];
    let server = ServerProcess::configured(&["--profile", "gbm", "--rate", "100"], &settings).await;
    let address = server.address();
    // Delays the bytes of some clients, so that a pong is under way when the server is suspended.
    let proxy = Proxy::start(address).await;
    proxy.strike(Fault::Delay(Duration::from_millis(150)));
    let (report, mut reports) = mpsc::channel(1);
    let mut following = JoinSet::new();
    let clients = [(EVERY, address), ("symbols=*", address), ("symbols=QUIET", proxy.address())];
    for (query, address) in clients.repeat(7) {
        let report = report.clone();
        following.spawn(async move {
            let mut subscriber = Subscriber::connect(address, query).await;
            let mut beats = Beats::default();
            beats.note(&subscriber.next_heartbeat().await);
            report.send(()).await.unwrap();
            while !beats.reach(4) {
                beats.note(&subscriber.next_heartbeat().await);
            }
            subscriber.catch_up().await;
            beats
        });
    }
    let mut beside = Subscriber::connect(address, EVERY).await;
    for _ in 0..following.len() {
        timeout(PATIENCE, reports.recv()).await.expect("heartbeats come").expect("all clients are there");
    }

    server.signal("STOP").await;
    let before = beside.seq;
    let stop = async {
        sleep(STOP).await;
        server.signal("CONT").await;
    };
    // `catch_up` sends a message during the suspension. The server reads this message when it continues.
    tokio::join!(stop, beside.catch_up());

    beside.read_to(before + 200).await;
    let all_beats = timeout(PATIENCE, following.join_all()).await.expect("heartbeats go on");
    for beats in all_beats {
        // The server does not send missed heartbeats later. One heartbeat may be late, and one may be early.
        let soon = beats.within(4);
        assert!(soon <= 6, "{soon} heartbeats in the time of four");
    }
}

/// The field `time` of each heartbeat that a client received: a moment by the server's clock.
#[derive(Default)]
struct Beats(Vec<Timestamp>);

impl Beats {
    fn note(&mut self, heartbeat: &Heartbeat) {
        self.0.push(heartbeat.time.parse().unwrap());
    }

    /// Returns the time of the first heartbeat after the suspension.
    fn first_after(&self) -> Option<Timestamp> {
        let still = |pair: &&[Timestamp]| pair[1].duration_since(pair[0]) > SignedDuration::from_secs(4);
        self.0.windows(2).find(still).map(|pair| pair[1])
    }

    /// Returns whether the newest heartbeat came at least `periods` heartbeat periods after the suspension.
    /// The first period begins at the first heartbeat after the suspension.
    fn reach(&self, periods: i32) -> bool {
        let last = self.0.last();
        self.first_after().zip(last).is_some_and(|(first, last)| *last >= first + HEARTBEAT * periods)
    }

    /// Returns the number of heartbeats in the first `periods` heartbeat periods after the suspension. The
    /// first period begins at the first heartbeat after the suspension.
    fn within(&self, periods: i32) -> usize {
        let first = self.first_after().expect("the server stood still");
        self.0.iter().filter(|time| (first..first + HEARTBEAT * periods).contains(time)).count()
    }
}

#[tokio::test]
async fn a_second_signal_stops_a_server_that_waits_for_its_clients() {
    if !can_signal("a_second_signal_stops_a_server_that_waits_for_its_clients").await {
        return;
    }
    let patient =
        [("session.close_timeout", "0s"), ("server.shutdown", "0s"), ("limits.ping_interval", "0s")];
    let mut server = ServerProcess::configured(&[], &patient).await;
    // This client never reads, so it does not answer a close.
    let _still = tokio_tungstenite::connect_async(&server.url).await.unwrap();

    server.signal("TERM").await;
    line_with(&mut server.log, "shutting down").await;
    server.signal("TERM").await;

    line_with(&mut server.log, "error: stopped before the shutdown was complete").await;
    let ended = timeout(PATIENCE, server.process.wait()).await.expect("the server ends").unwrap();
    assert_eq!(ended.code(), Some(1));
}

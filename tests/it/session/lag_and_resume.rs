//! Tests of a shard that lags behind the log, and of clients that resume.

use std::time::Duration;

use futures_util::SinkExt;
use tickerplant::bus;
use tickerplant::session::Config;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::support::events::trade;
use crate::support::local_set::locally;
use crate::support::session_harness::SessionHarness;

#[tokio::test(start_paused = true)]
async fn a_shard_that_lags_sends_a_gap_and_continues() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::from_millis(2), None);
        let mut latest = harness.connect("symbols=A", 64 << 20).await;
        let mut every = harness.connect("symbols=A&delivery=every", 4096).await;
        harness.publish([trade("A", "1")]);
        assert_eq!(latest.event().await["seq"], 1);
        assert_eq!(every.event().await["seq"], 1);

        // Publishes more events at once than the history can hold, and repeats this once.
        let history = bus::Config::default().history.get();
        for _ in 0..2 {
            harness.publish((0..history + 1024).map(|n| trade("A", &n.to_string())));
        }
        harness.publish([trade("A", "2")]);

        let gap = latest.json().await;
        assert_eq!((gap["type"].as_str(), gap["reason"].as_str()), (Some("gap"), Some("lagged")), "{gap}");
        assert_eq!(gap["after"], 1);
        let snapshot = latest.json().await;
        assert_eq!((snapshot["type"].as_str(), &snapshot["seq"]), (Some("snapshot"), &gap["until"]));
        assert_eq!(every.close_code().await, (4008, "test-1".to_owned()));
        assert_eq!(harness.bus.counters().lags.get(), 1);
        // The log still has the events after the gap. The shard reads the log to its end.
        for seq in gap["until"].as_u64().unwrap() + 1..=harness.bus.head() {
            assert_eq!(latest.event().await["seq"], seq);
        }
        harness.publish([trade("A", "3")]);
        assert_eq!(latest.event().await["seq"], harness.bus.head());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_gets_one_gap_for_several_lags() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut client = harness.connect("symbols=A,B", 300).await;
        assert_eq!(client.json().await["type"], "subscribed");
        let mut witness = harness.connect("symbols=A", 64 << 20).await;
        harness.publish((1..=20).map(|n| trade("A", &n.to_string())));
        while witness.event().await["seq"] != 20 {}
        let history = bus::Config::default().history.get();

        for _ in 0..3 {
            harness.publish((0..2 * history).map(|n| trade("A", &n.to_string())));
            while witness.event().await["seq"] != harness.bus.head() {}
        }

        assert_eq!(harness.bus.counters().lags.get(), 3);
        harness.publish([trade("B", "1")]);
        let mut gaps = Vec::new();
        loop {
            let frame = client.json().await;
            match frame["type"].as_str() {
                Some("gap") => gaps.push(frame),
                // The event of `B` is in the snapshot, or arrives live.
                Some("snapshot" | "trade") if frame["symbol"] == "B" => break,
                _ => {}
            }
        }
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        let lost = gaps[0]["until"].as_u64().unwrap() - gaps[0]["after"].as_u64().unwrap();
        assert!(lost > 5 * history as u64, "{gaps:?}");
        // Each event is in the gap, or is sent, or is merged.
        loop {
            let frame = client.json().await;
            if frame["type"] == "heartbeat" {
                let count = |name: &str| frame[name].as_u64().unwrap();
                assert_eq!(count("sent") + count("merged") + lost, count("seq"), "{frame} {gaps:?}");
                break;
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resumes_without_missed_events_is_read_at_once() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut witness = harness.connect("symbols=A", 4096).await;
        harness.publish([trade("A", "1")]);
        assert_eq!(witness.event().await["seq"], 1);
        let mut client = harness.connect("symbols=A&after=test-1", 4096).await;
        let start = Instant::now();
        assert_eq!(client.json().await["resumed"], true);

        client.socket.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();

        assert_eq!(client.json().await["type"], "pong");
        assert_eq!(start.elapsed(), Duration::ZERO);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_ahead_of_its_shard_is_read_when_the_shard_has_caught_up() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::from_millis(300), None);
        let mut witness = harness.connect("symbols=A", 4096).await;
        harness.publish([trade("A", "1")]);
        assert_eq!(witness.event().await["seq"], 1);
        // The shard reads these events only after the flush window. The cursor of the next client is already
        // after them.
        harness.publish([trade("A", "2"), trade("A", "3")]);
        let mut client = harness.connect("symbols=B&after=test-3", 4096).await;
        let start = Instant::now();
        assert_eq!(client.json().await["resumed"], true);

        client.socket.send(Message::text(r#"{"action":"ping"}"#)).await.unwrap();

        assert_eq!(client.json().await["type"], "pong");
        assert!(start.elapsed() < Duration::from_millis(350), "{:?}", start.elapsed());
    })
    .await;
}

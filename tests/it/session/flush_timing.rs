//! Tests that updates are flushed at the right time. Conflated updates are flushed at the end of the
//! conflation interval. A backlog of unread events in the log is flushed at once.

use std::time::Duration;

use futures_util::SinkExt;
use tickerplant::session::Config;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::support::events::{quote, trade};
use crate::support::local_set::locally;
use crate::support::session_harness::SessionHarness;

#[tokio::test(start_paused = true)]
async fn within_an_interval_the_newest_event_replaces_the_older_ones() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut client = harness.connect("symbols=A,B&interval_ms=1000", 4096).await;
        client.json().await;
        let start = Instant::now();

        // The first update is written at once. The newest update of each symbol and kind then waits for the
        // end of the interval.
        harness.publish([trade("A", "1")]);
        assert_eq!(client.event().await["seq"], 1);
        assert_eq!(start.elapsed().as_millis(), 0);
        harness.publish([trade("A", "2"), trade("B", "3"), quote("A", "4", "5"), trade("A", "6")]);

        assert_eq!(
            [client.event().await, client.event().await, client.event().await].map(|f| f["seq"].clone()),
            [3, 4, 5]
        );
        assert!((1000..1005).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shorter_interval_counts_from_the_last_flush() {
    locally(async {
        let harness = SessionHarness::open(Config::default(), Duration::ZERO, None);
        let mut client = harness.connect("symbols=A&interval_ms=60000", 4096).await;
        client.json().await;
        harness.publish([trade("A", "1")]);
        client.event().await;
        let start = Instant::now();

        client.socket.send(Message::text(r#"{"action":"set","interval_ms":100}"#)).await.unwrap();
        assert_eq!(client.json().await["type"], "set");
        harness.publish([trade("A", "2")]);
        client.event().await;

        assert!(start.elapsed() < Duration::from_millis(110), "{:?}", start.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_does_not_wait_for_flush_windows() {
    locally(async {
        let window = Duration::from_secs(1);
        let harness = SessionHarness::open(Config::default(), window, None);
        let mut client = harness.connect("symbols=A&delivery=every", 16 << 20).await;
        client.json().await;
        let start = Instant::now();

        // These events fill many batches.
        harness.publish((1..=30_000).map(|n| trade("A", &n.to_string())));

        for seq in 1..=30_000 {
            assert_eq!(client.event().await["seq"], seq);
        }
        assert!(start.elapsed() <= window, "{:?}", start.elapsed());
    })
    .await;
}
